"""What a rank of a call runs: the function, and where its result or its exception goes.

Runs in the users' image, by `python rank.py FOLDER`, and imports nothing of ours. What the ranks
leave in FOLDER is read by `mpijob.sdk.shipping`.
"""

import json
import linecache
import os
import pickle
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

#: What a rank's own code may ask: set where a function runs as a rank, to the job's name.
INSIDE = "MPIJOB_CALL"


def main(folder: Path) -> None:
    """Run this rank's part of the call in `folder`, and leave there what came of it."""
    call = json.loads((folder / "call.json").read_text())
    sys.path[:1] = []
    sys.path += [path for path in call["path"] if path not in sys.path]
    os.environ |= {**call["environment"], INSIDE: call["name"]}
    for name, text in call["source"].items():
        # Where the caller's file is not there, as in another container, tracebacks quote it.
        linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
    rank = _told_rank()
    world = None
    try:
        world = _world(call)
        rank = world.Get_rank()
        outcome = {"rank": rank, "host": _host(), "value": _returned(folder, call, rank)}
    except Exception as raised:  # noqa: BLE001  # It is raised again where the call was made.
        _leave(folder, f"failed-{rank}", _failure(raised, rank))
        _abort(world)
    else:
        _leave(folder, f"returned-{rank}", outcome)


class Unfit(Exception):
    """The rank cannot run the function: the message says why, and what to do."""


class Disagreement(Unfit):
    """The ranks are not those of one job."""


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


def _returned(folder: Path, call: dict[str, Any], rank: int) -> bytes | None:
    """Return what the function returns on this rank, pickled; None where nobody asks for it."""
    function, args, kwargs = _unpickled(folder, call)
    value = function(*args, **kwargs)
    if rank and not call["all"]:
        return None
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as unfit:  # noqa: BLE001  # Pickling runs code of the user's.
        raise Unfit(
            f"what the function returned, a {type(value).__qualname__}, cannot be pickled: "
            f"{unfit}; return what it is made of"
        ) from None


def _unpickled(folder: Path, call: dict[str, Any]) -> Any:
    """Return the function and its arguments."""
    here = list(sys.version_info[:2])
    if call["python"] != here:
        told = ["{}.{}".format(*version) for version in (call["python"], here)]
        raise Unfit(
            f"the function comes from Python {told[0]}, and the ranks run {told[1]}: what the one "
            "compiled the other cannot run; take an image with the same Python"
        )
    try:
        with open(folder / "call.pickle", "rb") as file:
            return pickle.load(file)
    except Exception as unfit:
        raise Unfit(
            f"the function or its arguments cannot be unpickled where the ranks run: "
            f"{type(unfit).__name__}: {unfit}"
        ) from unfit


def _failure(raised: Exception, rank: int) -> dict[str, Any]:
    """Return what is to be told of an exception: itself where it can be pickled, and in words."""
    import cloudpickle

    unfit = isinstance(raised, Unfit)
    # Our own frames say nothing to whoever wrote the function.
    frames = raised.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    told = "".join(traceback.format_exception(type(raised), raised, frames))
    try:
        value = None if unfit else bytes(cloudpickle.dumps(raised))
    except Exception:  # noqa: BLE001  # The same.
        value = None
    return {
        "rank": rank,
        "host": _host(),
        "at": time.time_ns(),
        "kind": type(raised).__name__ if unfit else "",
        "what": str(raised) if unfit else told.rstrip().rpartition("\n")[2],
        "traceback": told,
        "value": value,
    }


def _leave(folder: Path, name: str, outcome: dict[str, Any]) -> None:
    """Write an outcome, whole or not at all."""
    new = folder / f".{name}.{os.getpid()}"
    with open(new, "wb") as file:
        pickle.dump(outcome, file)
    new.rename(folder / name)


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


def _host() -> str:
    return os.environ.get("HOSTNAME") or socket.gethostname()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
