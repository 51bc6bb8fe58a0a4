"""One machine: what `mpijob run` costs beside the mpirun line that it runs."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import benchmark, command, medians_s

BIN = Path(sys.executable).parent
# What Open MPI has to be told by hand to start as root, on more ranks than cores, without looking
# for fabrics: mpijob tells it the same.
BY_HAND = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_btl": "^ofi",
    "OMPI_MCA_mtl": "^ofi",
    # Without this Open MPI 5 itself now and then misses the end of ranks that end at once.
    "PRTE_MCA_odls_base_max_threads": "0",
}


@contextmanager
def _both(workers: int) -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """Yield `mpijob run` of a no-op with so many workers, and its mpirun line typed by hand."""
    with TemporaryDirectory(prefix="mpijob-bench-") as home:
        around = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "MPIJOB_HOME": home}
        names = (f"no-op-{number}" for number in count())

        def ours() -> None:
            words = ["mpijob", "run", "-q", "--oversubscribe", "--name", next(names)]
            asked = ["-n", str(workers), "--slots", "1", "--", "true"]
            command([*words, *asked], environment=around)()

        by_hand = ["mpirun", "--oversubscribe", "-n", str(workers), "true"]
        yield ours, command(by_hand, environment={**around, **BY_HAND})


@benchmark("local/run-overhead", "s", "at most 0.6 s more", lambda ours, floor: ours - floor <= 0.6)
def run_overhead() -> tuple[float, float]:
    """Measure two workers that do nothing, beside the same on one host typed by hand."""
    with _both(2) as (ours, by_hand):
        return medians_s(ours, by_hand, rounds=5)


@benchmark("local/64-workers", "s", "that it ends", lambda _, __: True)
def many_workers() -> tuple[float, float]:
    """Measure 64 workers that do nothing, beside 64 ranks typed by hand."""
    with _both(64) as (ours, by_hand):
        return medians_s(ours, by_hand, rounds=3)
