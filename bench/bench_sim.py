"""The simulator: how many histories are played in a second."""

import sys

from measure import benchmark, command, medians_s
from mpijob.sim.history import failures
from mpijob.sim.process import prepare

SEEDS = range(20_000, 20_600)
#: What one core is measured by: enough of them for a mean that does not jump.
SOME = SEEDS[:200]


@benchmark("sim/histories", "1/s", "at least 100/s", lambda ours, _: ours >= 100)
def histories() -> tuple[float, float]:
    """Count the histories that `mpijob sim` plays in a second, beside those that one core plays.

    The command takes all cores, and is timed from its start to its end. The core is timed by its
    own time, which others that load the machine take nothing of.
    """
    prepare()
    words = f"sim --seeds {len(SEEDS)} --from {SEEDS[0]}".split()
    play = command([sys.executable, "-c", "from mpijob.cli import main; main()", *words])
    took_s, core_s = medians_s(play, _play_some, rounds=1)
    return len(SEEDS) / took_s, len(SOME) / core_s


def _play_some() -> None:
    failures(SOME)
