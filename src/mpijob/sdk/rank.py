"""What a rank of a call runs: the function, and where its result or its exception goes.

Runs in the users' image, by `python rank.py FOLDER`, and imports nothing of ours; what most calls
do not need it imports late. FOLDER is a path or a URL that fsspec knows. What the ranks leave there
is read by `mpijob.sdk.shipping`.
"""

import __future__

import io
import json
import linecache
import os
import pickle
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

#: Set where a function runs as a rank, to the name of its call.
INSIDE = "MPIJOB_CALL"
#: Where in a call's folder the modules are that came with it.
LUGGAGE = "modules"
#: How much of what pip says is told, in bytes.
_LAST_WORDS = 1000


def main(folder: str) -> None:
    """Run this rank's part of the call in `folder`, and leave there what came of it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Whole lines, each at once: what many ranks write is then not mixed within a line.
        sys.stdout.reconfigure(line_buffering=True, write_through=False)
    with _opened(folder, "call.json") as file:
        call = json.load(file)
    os.environ.update({**call["environment"], INSIDE: call["name"]})
    for name, text in call["source"].items():
        # Where the caller's file is not there, as in another container, tracebacks quote it.
        linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
    rank, world = _told_rank(), None
    try:
        _find_modules(folder, call)
        world = _world(call)
        rank = world.Get_rank()
        function, args, kwargs = _unpickled(folder, call)
        value = function(*args, **kwargs)
        wanted = call["all"] or not rank
        _leave(folder, f"returned-{rank}", value if wanted else None, _dump if wanted else _tell)
    except Exception as raised:  # noqa: BLE001  # It is raised again where the call was made.
        _leave(folder, f"failed-{rank}", _failure(raised, rank), _tell)
        _abort(world)


class Unfit(Exception):
    """The rank cannot run the function: the message says why, and what to do."""


class Disagreement(Unfit):
    """The ranks are not those of one job."""


def _find_modules(folder: str, call: dict[str, Any]) -> None:
    """Have modules found: those that came with the call, those to be installed, the caller's."""
    # The folder of this program is none of modules.
    sys.path[:1] = [_luggage(folder, call["luggage"])] if call["luggage"] else []
    if call["packages"]:
        sys.path.insert(0, _installed(call["packages"], call["packages_folder"]))
    sys.path += [path for path in call["path"] if path not in sys.path]


def _luggage(folder: str, names: list[str]) -> str:
    """Return a folder of this host with the modules that came with the call."""
    if "://" not in folder:
        return str(Path(folder) / LUGGAGE)
    import atexit
    import shutil
    import tempfile

    here = Path(tempfile.mkdtemp(prefix="mpijob-"))
    atexit.register(shutil.rmtree, here, ignore_errors=True)
    for name in names:
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with _opened(folder, f"{LUGGAGE}/{name}") as file:
            path.write_bytes(file.read())
    return str(here)


def _installed(packages: list[str], parent: str) -> str:
    """Return a folder of this host into which pip has installed packages, once for all ranks."""
    import fcntl
    import hashlib
    import subprocess
    import tempfile

    version = "{}.{}".format(*sys.version_info[:2])
    name = hashlib.sha256("\n".join([version, *packages]).encode()).hexdigest()[:16]
    folder = Path(parent or tempfile.gettempdir()) / f"mpijob-packages-{name}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            words = ["install", "--quiet", "--no-input", "--disable-pip-version-check"]
            done = subprocess.run(
                [sys.executable, "-m", "pip", *words, "--target", str(folder), *packages],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            if done.returncode:
                said = done.stdout[-_LAST_WORDS:].decode(errors="replace").strip()
                raise Unfit(f"pip cannot install {', '.join(packages)}: {said}")
            (folder / "done").touch()
    return str(folder)


def _world(call: dict[str, Any]) -> Any:
    """Return the communicator of all ranks, once it is sure that they are of one job."""
    try:
        from mpi4py import MPI
    except ImportError as missing:
        raise Unfit(
            f"mpi4py cannot be imported by {sys.executable}: {missing}; install it there, "
            'or name it: @task(…, packages_to_install=["mpi4py"])'
        ) from None
    seen, wanted = MPI.COMM_WORLD.Get_size(), call["ranks"]
    if seen != wanted:
        raise Disagreement(
            f"a rank sees {seen} rank{'s' * (seen != 1)}, and the job has {wanted}: its mpi4py "
            f"runs on {MPI.Get_library_version().splitlines()[0].strip()}, which is not the MPI "
            "of the mpirun that started it"
        )
    return MPI.COMM_WORLD


def _unpickled(folder: str, call: dict[str, Any]) -> Any:
    """Return the function and its arguments."""
    here = list(sys.version_info[:2])
    if call["python"] != here and not call["text"]:
        told = ["{}.{}".format(*version) for version in (call["python"], here)]
        raise Unfit(
            f"the function comes from Python {told[0]}, and the ranks run {told[1]}: what the one "
            "compiled the other cannot run; take an image with the same Python, or as_source=True"
        )
    try:
        with _opened(folder, "call.pickle") as file:
            function, args, kwargs = pickle.load(file)
        return _compiled(call["text"]) if call["text"] else function, args, kwargs
    except Exception as unfit:
        what = "source" if call["text"] else "pickle"
        raise Unfit(
            f"the function or its arguments cannot be made of their {what} where the ranks run: "
            f"{type(unfit).__name__}: {unfit}"
        ) from unfit


def _compiled(text: dict[str, Any]) -> Any:
    """Return the function that a text defines; what it is annotated with is not looked at."""
    padded = "\n" * (text["line"] - 1) + text["text"]
    code = compile(padded, text["file"], "exec", flags=__future__.annotations.compiler_flag)
    names: dict[str, Any] = {"__name__": "__mpijob__"}
    exec(code, names)  # It is the function that the caller wants to be run.
    return names[text["name"]]


def _failure(raised: Exception, rank: int) -> dict[str, Any]:
    """Return what is to be told of an exception: itself where it can be pickled, and in words."""
    unfit = isinstance(raised, Unfit)
    # Our own frames say nothing to whoever wrote the function.
    own = main.__code__.co_filename
    frames = raised.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == own:
        frames = frames.tb_next
    told = "".join(traceback.format_exception(type(raised), raised, frames))
    try:
        value = None if unfit else _pickled(raised)
    except Exception:  # noqa: BLE001  # Pickling runs code of the user's.
        value = None
    return {
        "rank": rank,
        "host": socket.gethostname(),
        "at": time.time_ns(),
        "kind": type(raised).__name__ if unfit else "",
        "what": str(raised) if unfit else told.rstrip().rpartition("\n")[2],
        "traceback": told,
        "value": value,
    }


def _pickled(value: Any) -> bytes:
    import cloudpickle

    return bytes(cloudpickle.dumps(value))


def _leave(folder: str, name: str, value: Any, dump: Callable[[Any, BinaryIO], None]) -> None:
    """Write a value, whole or not at all."""
    if "://" in folder:
        import fsspec

        content = io.BytesIO()
        dump(value, content)
        with fsspec.open(f"{folder}/{name}", "wb") as stored:
            stored.write(content.getbuffer())
        return
    new = Path(folder) / f".{name}.{os.getpid()}"
    with open(new, "wb") as file:
        dump(value, file)
    new.rename(Path(folder) / name)


def _tell(value: Any, file: BinaryIO) -> None:
    """Write what is ours, where nothing needs to be there, not even cloudpickle."""
    pickle.dump(value, file)


def _dump(value: Any, file: BinaryIO) -> None:
    """Write what the function returned. Raises Unfit where it cannot be pickled."""
    import cloudpickle

    try:
        cloudpickle.dump(value, file)
    except Exception as unfit:  # noqa: BLE001  # Pickling runs code of the user's.
        raise Unfit(
            f"what the function returned, a {type(value).__qualname__}, cannot be pickled: "
            f"{unfit}; return what it is made of"
        ) from None


def _opened(folder: str, name: str) -> Any:
    """Open a file of the call."""
    if "://" in folder:
        import fsspec

        return fsspec.open(f"{folder}/{name}", "rb")
    return open(Path(folder) / name, "rb")


def _abort(world: Any) -> None:
    """End this rank, and the others with it, which may wait for it for ever."""
    sys.stdout.flush()
    sys.stderr.flush()
    if world is not None and world.Get_size() > 1:
        world.Abort(1)
    os._exit(1)


def _told_rank() -> int:
    """Return this rank's number as mpirun says it."""
    names = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
    return int(next((os.environ[name] for name in names if name in os.environ), 0))


if __name__ == "__main__":
    main(sys.argv[1])
