"""Images that pods of the tests run, each built once for what it is made of, and kept.

An image's tag is a digest of its Containerfile, of the files beside it and of what it stands on. So
one that is there is the right one, a warm session builds nothing, and nothing goes stale.
"""

import contextlib
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.binaries import locked
from harness.images import Builder, repository
from harness.ports import LOOPBACK, free_port
from harness.registry import serve_images, storage

TOP = Path(__file__).resolve().parents[3]
_OWN = TOP / "images"
_WHEEL = "dist/"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an image is made.

    Args:
        containerfile: Its Containerfile.
        base: What it stands on where its Containerfile leaves that open: another recipe's name, or
            `debian:TAG`.
        files: What of the project its Containerfile copies, by where it looks for it.
        arguments: What its Containerfile is given beside its BASE.

    """

    containerfile: Path
    base: str = ""
    files: Mapping[str, Path] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)


def _own(name: str, base: str = "") -> Recipe:
    return Recipe(_OWN / name / "Containerfile", base)


_LOCK = Path("requirements/runtime.lock")
_S3 = Path("requirements/sidecar.lock")

_FLYTE = TOP / "examples" / "flyte"
_TRAINING = {name: _FLYTE / name for name in ("requirements.txt", "train.py", "learning.py")}

#: The images that the project offers: Debian 12 has Open MPI 4.1, Debian 13 has Open MPI 5.0.
OWN = {
    "operator": Recipe(
        _OWN / "operator" / "Containerfile", files={str(_LOCK): TOP / _LOCK, _WHEEL: TOP}
    ),
    "openmpi-controller": Recipe(
        _OWN / "openmpi-controller" / "Containerfile", files={str(_S3): TOP / _S3, _WHEEL: TOP}
    ),
    "kubectl-delivery": _own("kubectl-delivery", "debian:13-slim"),
    "base-12": _own("base", "debian:12-slim"),
    "base-13": _own("base", "debian:13-slim"),
    "openmpi-4": _own("openmpi", "base-12"),
    "openmpi-5": _own("openmpi", "base-13"),
    "mpich": _own("mpich", "base-13"),
    "intel": _own("intel", "base-13"),
    # Without Horovod, which is built for the long runs alone.
    "flyte": Recipe(_OWN / "flyte" / "Containerfile", files=_TRAINING, arguments={"HOROVOD": ""}),
}


class Pantry(Mapping[str, str]):
    """What pods call images, by the names of their recipes.

    An image is made once somebody asks what it is called, and kept in the storage of the clusters'
    registries.
    """

    def __init__(self, recipes: Mapping[str, Recipe]) -> None:
        """Make nothing yet."""
        self._recipes = recipes
        self._folder = storage()
        self._known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        """Return what pods call an image."""
        if name not in self._known:
            self.provided([name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names of the recipes."""
        return iter(self._recipes)

    def __len__(self) -> int:
        """Return how many recipes there are."""
        return len(self._recipes)

    def provided(
        self, names: Iterable[str], builder: Callable[[], Builder] = Builder
    ) -> dict[str, str]:
        """Return what pods call each of these images, and make those that are not there."""
        with tempfile.TemporaryDirectory() as scratch:
            contexts = {name: self._context(name, Path(scratch)) for name in self._ordered(names)}
            known = self._named(contexts)
            if not all(map(self._has, known.values())):
                with locked(self._folder.with_suffix(".lock")), _registry() as registry:
                    maker = builder()
                    for name in known:
                        if not self._has(known[name]):
                            self._make(maker, name, known, contexts[name], registry)
        self._known |= known
        return {name: known[name] for name in names}

    def _ordered(self, names: Iterable[str]) -> list[str]:
        """Return these names and those of what they stand on, the latter first."""
        found: list[str] = []
        for name in names:
            chain = [name]
            while (base := self._recipes[chain[0]].base) in self._recipes:
                chain.insert(0, base)
            found += [each for each in chain if each not in found]
        return found

    def _context(self, name: str, scratch: Path) -> Path:
        """Return the folder that a build sees: the Containerfile's own, or one made for it."""
        recipe = self._recipes[name]
        if not recipe.files:
            return recipe.containerfile.parent
        folder = scratch / name
        for place, source in recipe.files.items():
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if place == _WHEEL:
                _build_wheel(source, target)
            else:
                shutil.copy(source, target)
        return folder

    def _named(self, contexts: Mapping[str, Path]) -> dict[str, str]:
        known: dict[str, str] = {}
        for name, context in contexts.items():
            recipe = self._recipes[name]
            digest = hashlib.sha256(recipe.containerfile.read_bytes())
            digest.update(known.get(recipe.base, recipe.base).encode())
            digest.update(
                repr(sorted(recipe.arguments.items())).encode() if recipe.arguments else b""
            )
            for path in sorted(path for path in context.rglob("*") if path.is_file()):
                if recipe.files:
                    digest.update(str(path.relative_to(context)).encode() + path.read_bytes())
            known[name] = f"mpijob.test/{name}:{digest.hexdigest()[:12]}"
        return known

    def _has(self, name: str) -> bool:
        path, _, tag = repository(name).rpartition(":")
        root = self._folder / "docker/registry/v2/repositories" / path
        return (root / "_manifests/tags" / tag / "current/link").exists()

    def _make(
        self, maker: Builder, name: str, known: Mapping[str, str], context: Path, registry: str
    ) -> None:
        recipe = self._recipes[name]
        text = f"{recipe.containerfile.read_text()}\n{recipe.base}"
        for tag in sorted(set(re.findall(r"\bdebian:([\w.-]+)", text))):
            maker.base(tag)
        base = known.get(recipe.base, recipe.base and f"docker.io/library/{recipe.base}")
        arguments = {**({"BASE": base} if base else {}), **recipe.arguments}
        maker.build(recipe.containerfile, known[name], context, arguments=arguments)
        maker.push(known[name], registry)


@contextlib.contextmanager
def _registry() -> Iterator[str]:
    """Serve the storage at this machine's loopback, for as long as images are put into it."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        process = serve_images(Path(folder), LOOPBACK, port)
        try:
            yield f"{LOOPBACK}:{port}"
        finally:
            process.stop()


def _build_wheel(source: Path, target: Path) -> None:
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(words, cwd=source, check=True, capture_output=True)
