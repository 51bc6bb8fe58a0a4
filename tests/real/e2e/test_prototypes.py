"""The job of the old document's quickstart on real nodes, which say that they have 16 GPUs each.

It says no command: its ranks are those of its image's own.
"""

import pytest

from mpijob.core.version import Version
from mpijob.generate.mpi_job import GPUS_PER_NODE, SIMPLE
from mpijob.generate.prototype import Setting

pytestmark = [
    pytest.mark.slow,  # 16 ranks take their time on a few cores.
    pytest.mark.root,  # Containers are made.
]

NAME = "tensorflow-benchmark-16"


@pytest.fixture(scope="module")
def run(site, space, images, every_version):
    """What became of it."""
    given = {"name": NAME, "gpus": "16", "image": images["tensorflow-benchmarks"]}
    [job] = SIMPLE.manifests(given, Setting(space, Version.V1ALPHA1))
    # As the operator of its package has it; the one here was installed without its prototype.
    job = {**job, "spec": {**job["spec"], "gpusPerNode": GPUS_PER_NODE}}
    site.submit(space, job)
    return site.ended(space, NAME, limit_s=900)


def test_the_job_succeeds(run):
    assert run.end == "Succeeded"


def test_each_of_sixteen_ranks_tells_of_its_last_batch(run):
    last = [line for line in run.output.splitlines() if line.startswith("100\timages/sec:")]
    assert len(last) == 16


def test_the_ranks_together_tell_how_fast_they_were(run):
    assert "total images/sec:" in run.output
