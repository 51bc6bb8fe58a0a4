"""Where a call's function goes, and where its ranks leave what came of it."""

import os
import shutil
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol


class Folder(Protocol):
    """A call's own folder, which its ranks read and write too."""

    #: What ranks are told: a path, or a URL.
    place: str

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        ...

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading. Raises FileNotFoundError."""
        ...

    def names(self) -> list[str]:
        """Return the names of the files, none where the folder is gone."""
        ...

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        ...


class PathFolder:
    """A folder of this machine, or of a file system that it shares with the ranks."""

    def __init__(self, path: Path, seen_as: str = "") -> None:
        """`seen_as` is its path where the ranks run, if that is another."""
        self.path = path
        self.place = seen_as or str(path)

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{os.getpid()}")
        new.write_bytes(content)
        new.rename(path)

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading. Raises FileNotFoundError."""
        return (self.path / name).open("rb")

    def names(self) -> list[str]:
        """Return the names of the files, none where the folder is gone."""
        try:
            return sorted(path.name for path in self.path.iterdir())
        except FileNotFoundError:
            return []

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def new_folder(parent: Path, seen_as: str = "") -> PathFolder:
    """Make a folder with a name of its own, for its user alone.

    Args:
        parent: Where; made where it was not there.
        seen_as: The path of `parent` where the ranks run, if that is another.

    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=parent))
    return PathFolder(path, f"{seen_as.rstrip('/')}/{path.name}" if seen_as else "")
