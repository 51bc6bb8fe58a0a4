"""A call on its way to its ranks and back: a folder with the function, and with what came of it.

The function goes with its closure, and with what its own module has in it that is used, by value;
everything else by its name, to be imported where the ranks run.
"""

import ast
import functools
import inspect
import io
import json
import linecache
import pickle
import sys
import textwrap
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

import cloudpickle
from msgspec import Struct, field

from mpijob.sdk import rank
from mpijob.sdk.errors import (
    JobError,
    JobFailed,
    NoResult,
    NotShippable,
    RankFailed,
    RanksDisagree,
)
from mpijob.sdk.folder import Folder
from mpijob.sdk.modules import needed, own_module

#: cloudpickle's list of modules that go by value is one for the whole process.
_PICKLING = threading.Lock()


class Call(Struct, frozen=True):
    """A function and its arguments, to be called on every rank.

    Args:
        name: What the call is known by: its job's name begins so.
        function: What is called.
        args: Its arguments.
        kwargs: Its arguments by name.
        ranks: How many ranks there are.
        all_ranks: Whether every rank's result is wanted; else that of rank 0 alone.
        environment: Variables of every rank.
        packages: What pip installs for the ranks.
        as_source: Whether the function goes as its text.

    """

    name: str
    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    ranks: int
    all_ranks: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    packages: Sequence[str] = ()
    as_source: bool = False


class Surroundings(Struct, frozen=True):
    """What ranks find where they run.

    Args:
        path: Where they look for modules, besides their own places.
        is_elsewhere: Whether nothing of this machine's files is there, so that modules of the
            user's own travel with the call, and cloudpickle.
        packages_folder: Where packages are installed, "" for a folder of each host's own.

    """

    path: Sequence[str] = ()
    is_elsewhere: bool = False
    packages_folder: str = ""


def pickled(call: Call) -> bytes:
    """Return the function and its arguments as ranks read them.

    Raises:
        NotShippable: Something of it belongs to this process; the message names it.

    """
    if call.as_source:
        _text(call.function)
    # Its text goes beside.
    function = None if call.as_source else call.function
    buffer = io.BytesIO()
    own = None if function is None else own_module(function)
    with _PICKLING:
        if own is not None:
            cloudpickle.register_pickle_by_value(own)
        try:
            _Pickler(buffer).dump((function, tuple(call.args), dict(call.kwargs)))
        except Exception as unfit:
            raise NotShippable(_unfit(call, unfit)) from unfit
        finally:
            if own is not None:
                cloudpickle.unregister_pickle_by_value(own)
    return buffer.getvalue()


def ship(call: Call, content: bytes, folder: Folder, around: Surroundings) -> None:
    """Write what the ranks of a call read.

    Args:
        call: The call.
        content: What `pickled` made of it.
        folder: Where to; ranks leave their outcomes there too.
        around: What they find where they run.

    """
    luggage = _luggage(call.function) if around.is_elsewhere else {}
    told = {
        "name": call.name,
        "ranks": call.ranks,
        "all": call.all_ranks,
        "python": list(sys.version_info[:2]),
        "path": list(around.path),
        "luggage": list(luggage),
        "packages": list(call.packages),
        "packages_folder": around.packages_folder,
        "source": _source(call.function),
        "text": _text(call.function) if call.as_source else None,
        "environment": dict(call.environment),
    }
    for name, module in luggage.items():
        folder.write(f"{rank.LUGGAGE}/{name}", module)
    folder.write("call.json", json.dumps(told).encode())
    folder.write("call.pickle", content)
    folder.write("rank.py", Path(rank.__file__).read_bytes())


def import_path() -> list[str]:
    """Return where this process looks for modules, as absolute paths."""
    return [str(Path(entry or ".").absolute()) for entry in sys.path]


def failure(folder: Folder) -> tuple[BaseException, JobError] | None:
    """Return what the first rank that failed has raised, and what is to be said of it.

    None where no rank has said that it failed. Both are the same where the exception itself cannot
    be brought here.
    """
    names = [name for name in folder.names() if name.startswith("failed-")]
    failures = [_read(folder, name) for name in names]
    if not failures:
        return None
    first = min(failures, key=lambda one: (one["at"], one["rank"]))
    if first["kind"]:
        kind = RanksDisagree if first["kind"] == "Disagreement" else JobFailed
        told = kind(f"rank {first['rank']}, host {first['host']}: {first['what']}")
        return told, told
    place = RankFailed(first["what"], first["rank"], first["host"], first["traceback"])
    try:
        raised = pickle.loads(first["value"])
    except Exception:  # noqa: BLE001  # Unpickling runs code of the user's.
        return place, place
    return (raised, place) if isinstance(raised, BaseException) else (place, place)


def results(folder: Folder) -> list[Any]:
    """Return what the ranks returned, in their order; of rank 0 alone where all are not wanted.

    Raises:
        NoResult: A rank has left none.
        NotShippable: One cannot be unpickled here.

    """
    with folder.open("call.json") as file:
        call = json.load(file)
    there = set(folder.names())
    names = [f"returned-{index}" for index in range(call["ranks"])]
    missing = [index for index, name in enumerate(names) if name not in there]
    if missing:
        raise NoResult(_without_result(missing, call["ranks"]))
    wanted = names if call["all"] else names[:1]
    return [_value(folder, name) for name in wanted]


# How it is done.

_NO_FILE = "<dynamic-code>"


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # It has no types.
    """Pickles a task as the function that it is made of: a rank that calls it, calls that."""

    def reducer_override(self, obj: Any) -> Any:
        """Return how an object is made again where the ranks run."""
        from mpijob.sdk.tasks import Task

        if isinstance(obj, Task):
            return functools.partial, (obj.function,)
        if isinstance(obj, CodeType):
            make, parts = self.dispatch_table[CodeType](obj)
            # The file's name is left out there; tracebacks need it.
            return make, tuple(obj.co_filename if part == _NO_FILE else part for part in parts)
        return super().reducer_override(obj)


def _luggage(function: Callable[..., Any]) -> dict[str, bytes]:
    """Return the modules that go with a call to where none of this machine's files are."""
    package = Path(cloudpickle.__file__).parent
    pickler = {f"cloudpickle/{path.name}": path.read_bytes() for path in package.glob("*.py")}
    return {**needed(function), **pickler}


def _source(function: Callable[..., Any]) -> dict[str, str]:
    """Return the text of the file that a function is written in, by the file's name."""
    code = getattr(function, "__code__", None)
    name = code.co_filename if isinstance(code, CodeType) else ""
    return {name: "".join(linecache.getlines(name))} if name else {}


def _unfit(call: Call, why: Exception) -> str:
    """Return which part of a call cannot be pickled."""
    name = getattr(call.function, "__qualname__", "the function")
    parts = {
        **{f"argument {index}": value for index, value in enumerate(call.args)},
        **{f"argument “{key}”": value for key, value in call.kwargs.items()},
    }
    part = next((part for part, value in parts.items() if not _can_pickle(value)), "")
    what = f"{part} of {name}" if part else f"{name}, or what it uses from around it,"
    return (
        f"{what} cannot be taken to the ranks: {why}; make it inside the function, which runs on "
        "every rank"
    )


def _can_pickle(value: Any) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:  # noqa: BLE001  # Pickling runs code of the user's.
        return False
    return True


def _without_result(missing: Sequence[int], ranks: int) -> str:
    told = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
    which = f"rank{'s' * (len(missing) > 1)} {told} of {ranks}"
    return (
        f"{which} ended with exit code 0 before the function had returned: does it call sys.exit "
        "or os._exit?"
    )


def _text(function: Callable[..., Any]) -> dict[str, Any]:
    """Return a function's text without its decorators, and where it stands. Raises NotShippable."""
    name = getattr(function, "__qualname__", repr(function))
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError) as lost:
        raise NotShippable(f"the source of {name} is not to be had: {lost}") from lost
    found = tree.body[0]
    if not isinstance(found, ast.FunctionDef):
        raise NotShippable(f"the source of {name} is no function's: use def")
    text = textwrap.dedent("".join(lines[found.lineno - 1 : found.end_lineno]))
    return {
        "name": found.name,
        "text": text,
        "file": inspect.getsourcefile(function) or "<source>",
        "line": first + found.lineno - 1,
    }


def _read(folder: Folder, name: str) -> Any:
    """Return what a rank left."""
    with folder.open(name) as file:
        return pickle.load(file)


def _value(folder: Folder, name: str) -> Any:
    """Return what a rank returned. Raises NotShippable where it cannot be unpickled."""
    try:
        return _read(folder, name)
    except Exception as unfit:
        raise NotShippable(
            f"what rank {name.partition('-')[2]} returned cannot be unpickled here: "
            f"{type(unfit).__name__}: {unfit}; return what it is made of"
        ) from unfit
