"""Results of earlier calls, kept on this machine by what they hang on."""

import asyncio
import fcntl
import hashlib
import os
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cloudpickle

#: How often somebody who waits for another's result looks whether it is there, in seconds. Locks of
#: files tell nobody, and whoever waits must be able to give up.
_LOOK_S = 0.05


def fingerprint(*parts: Any) -> str:
    """Return a name for values that equal values share, in this process and in others.

    Sets and mappings count as equal whatever their order.

    Raises:
        Exception: Whatever a value raises that cannot be pickled.

    """
    return hashlib.sha256(_told(parts)).hexdigest()[:40]


async def kept(folder: Path, name: str, make: Callable[[], Awaitable[Any]]) -> Any:
    """Return the value that is kept under a name, or have it made and kept.

    Of all who ask at the same time, in whatever thread or process, one makes it. What `make` raises
    is raised and nothing is kept: the next tries anew.
    """
    path = folder / name
    found, value = _read(path)
    if found:
        return value
    os.makedirs(folder, mode=0o700, exist_ok=True)
    async with _alone(path.with_suffix(".lock")):
        found, value = _read(path)
        if not found:
            value = await make()
            new = path.with_suffix(".new")
            new.write_bytes(cloudpickle.dumps(value))
            new.rename(path)
    return value


def _told(value: Any) -> bytes:
    """Return the bytes that tell a value from others."""
    kind = type(value).__qualname__.encode()
    match value:
        case None | bool() | int() | float() | complex() | str() | bytes():
            parts = [repr(value).encode()]
        case Mapping():
            parts = sorted(_told(item) for item in value.items())
        case AbstractSet():
            parts = sorted(_told(item) for item in value)
        case Sequence():
            parts = [_told(item) for item in value]
        case _:
            parts = [cloudpickle.dumps(value)]
    return hashlib.sha256(
        b"\0".join((kind, *(hashlib.sha256(part).digest() for part in parts)))
    ).digest()


def _read(path: Path) -> tuple[bool, Any]:
    """Return whether a value is there that can be read, and the value."""
    try:
        return True, pickle.loads(path.read_bytes())
    except FileNotFoundError:
        return False, None
    except Exception:  # noqa: BLE001  # Unpickling runs code of the user's, which may have changed.
        return False, None


@asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[None]:
    """Hold the lock at a path, which is gone afterwards."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                break
        except BlockingIOError:
            await _given_up_by(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    try:
        yield
    finally:
        os.unlink(path)
        os.close(descriptor)


async def _given_up_by(descriptor: int) -> None:
    """Wait a moment; close the descriptor where this is cancelled."""
    try:
        await asyncio.sleep(_LOOK_S)
    except BaseException:
        os.close(descriptor)
        raise


def _is_at(path: Path, descriptor: int) -> bool:
    """Say whether the file that is open is still the one at that path."""
    try:
        return os.stat(path).st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
