"""Names that are derived from a job's."""

import pytest

from mpijob.core.names import host_of_rank
from mpijob.testing.worlds import job

RANKS = {
    "the first": (job(2, slots_per_worker=2), 0, "pi-worker-0"),
    "the last of a host": (job(2, slots_per_worker=2), 1, "pi-worker-0"),
    "the first of the next host": (job(2, slots_per_worker=2), 2, "pi-worker-1"),
    "one for which there is no slot": (job(2, slots_per_worker=2), 4, None),
    "the first, where the launcher is a host": (
        job(1, run_launcher_as_worker=True),
        0,
        "pi-launcher",
    ),
    "the second, where the launcher is a host": (
        job(1, run_launcher_as_worker=True),
        1,
        "pi-worker-0",
    ),
}


@pytest.mark.parametrize(("of", "rank", "host"), RANKS.values(), ids=RANKS)
def test_the_host_that_a_rank_is_on(of, rank, host):
    assert host_of_rank(of, rank) == host
