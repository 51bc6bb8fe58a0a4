"""The face for Python: what a call of a task costs beside the mpirun line of the same body."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench_local import BIN, BY_HAND
from measure import SETTINGS, benchmark, command, medians_s
from mpijob.sdk import MPIJob, task

BODY = """
from mpi4py import MPI

ranks = MPI.COMM_WORLD
ranks.allreduce(ranks.rank)
"""


@task(task_config=MPIJob(num_workers=2, num_launcher_replicas=1))
def summed() -> int:
    """Return the sum of two ranks' numbers: the body, as a function."""
    from mpi4py import MPI

    ranks = MPI.COMM_WORLD
    return int(ranks.allreduce(ranks.rank))


@benchmark("sdk/call-overhead", "s", "at most 1.0 s more", lambda ours, floor: ours - floor <= 1.0)
def call_overhead() -> tuple[float, float]:
    """Measure a call on two workers, beside the same body on one host typed by hand."""
    with TemporaryDirectory(prefix="mpijob-bench-") as home:
        body = Path(home) / "body.py"
        body.write_text(BODY)
        around = {**os.environ, **BY_HAND, "PATH": f"{BIN}:{os.environ['PATH']}"}
        words = ["mpirun", "--oversubscribe", "-n", "2", sys.executable, str(body)]
        with _home(f"{home}/home"):
            return medians_s(summed, command(words, environment=around), rounds=SETTINGS.rounds)


@contextmanager
def _home(path: str) -> Iterator[None]:
    """Have calls of this process use that home."""
    before = os.environ.get("MPIJOB_HOME")
    os.environ["MPIJOB_HOME"] = path
    try:
        yield
    finally:
        os.environ.pop("MPIJOB_HOME")
        if before is not None:
            os.environ["MPIJOB_HOME"] = before
