"""The modules of the user that a function needs: files that go where they are not installed."""

import ast
import functools
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

#: What ranks have of mpijob is what travels with the call.
_OURS = "mpijob"


def own_module(function: Callable[..., Any]) -> ModuleType | None:
    """Return the function's module where it is the user's own, not one that is installed.

    None too where it is the script or the notebook itself, which no one can import.
    """
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    if module is None or module.__name__ == "__main__" or not file:
        return None
    return module if _is_own(module.__name__, Path(file)) else None


def needed(function: Callable[..., Any]) -> dict[str, bytes]:
    """Return the modules of the user's own that a function needs, by their paths on `sys.path`.

    Found by what its file imports, anywhere in it, and what those files import. Of a package, all
    of its modules. Of a function without a file, as in a notebook, what its names stand for counts.
    """
    found: dict[str, bytes] = {}
    wanted = set(_first_names(function))
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        for path, file in _files(name).items():
            found[path] = file.read_bytes()
            wanted |= set(_imports(found[path], name)) - seen
    return found


def _first_names(function: Callable[..., Any]) -> Iterator[str]:
    """Yield the names of the modules with which a search begins."""
    module = getattr(function, "__module__", None) or ""
    try:
        file = Path(inspect.getsourcefile(function) or "")
        yield from _imports(file.read_bytes(), module.partition(".")[0])
    except (OSError, TypeError):
        pass
    for value in getattr(function, "__globals__", {}).values():
        name = value.__name__ if isinstance(value, ModuleType) else _home(value)
        if name and name != module:
            yield name.partition(".")[0]


def _home(value: object) -> str:
    """Return the name of the module that a function or a class is of, "" for other values."""
    is_defined = inspect.isfunction(value) or inspect.isclass(value)
    return str(getattr(value, "__module__", "") or "") if is_defined else ""


def _imports(text: bytes, home: str) -> Iterator[str]:
    """Yield the first names of what a file imports; `home` is that of what it is part of."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(name), level=0):
                yield name.partition(".")[0]
            case ast.ImportFrom() if home:
                yield home


def _files(name: str) -> dict[str, Path]:
    """Return the files of a module or package of the user's own, none for others."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return {}
    if spec is None or name == "__main__":
        return {}
    for folder in map(Path, spec.submodule_search_locations or ()):
        if _is_own(name, folder):
            files = sorted(folder.rglob("*.py"))
            return {f"{name}/{file.relative_to(folder).as_posix()}": file for file in files}
    file = Path(spec.origin or "")
    is_file = spec.has_location and file.suffix == ".py" and not spec.submodule_search_locations
    return {f"{name}.py": file} if is_file and _is_own(name, file) else {}


def _is_own(name: str, path: Path) -> bool:
    """Say whether a module at a path is the user's own, not one that is installed."""
    if name.partition(".")[0] == _OURS:
        return False
    return not any(path.is_relative_to(place) for place in _installed_places())


@functools.cache
def _installed_places() -> tuple[Path, ...]:
    """Return the folders of what is installed."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(sysconfig.get_path(name)) for name in names})
