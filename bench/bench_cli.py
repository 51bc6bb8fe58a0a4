"""The command line: how soon it answers."""

import sys
from pathlib import Path

from measure import benchmark, command, medians_s

MPIJOB = str(Path(sys.executable).with_name("mpijob"))


@benchmark("cli/version", "ms", "at most 150 ms", lambda ours, _: ours <= 150)
def version() -> tuple[float, float]:
    """Measure `mpijob version` beside a Python that does nothing."""
    ours, floor = medians_s(
        command([MPIJOB, "version"]), command([sys.executable, "-c", "pass"]), rounds=15
    )
    return ours * 1000, floor * 1000
