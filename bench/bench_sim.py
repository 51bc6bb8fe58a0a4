"""The simulator: how many histories a processor plays in a second."""

from collections.abc import Callable
from time import process_time

from measure import benchmark
from mpijob.sim.history import run, script
from mpijob.sim.process import prepare

SEEDS = range(20_000, 20_300)


@benchmark("sim/histories", "1/s", "at least 100/s", lambda ours, _: ours >= 100)
def histories() -> tuple[float, float]:
    """Count the histories played in a second, beside those that are drawn and not played.

    A second of one process's own time, which others that load the machine take nothing of.
    """
    prepare()
    return _rate(run), _rate(script)


def _rate(act: Callable[[int], object]) -> float:
    act(SEEDS[0])
    begun_at = process_time()
    for seed in SEEDS:
        act(seed)
    return len(SEEDS) / (process_time() - begun_at)
