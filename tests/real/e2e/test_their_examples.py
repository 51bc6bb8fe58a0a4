"""mpi-operator's own examples on real nodes, their images being ours under the names they call.

What they ask of a node's processors, no node of a test has; that alone is made smaller. Its example
of TensorFlow's digits is not here: it wants an image of which we have none.
"""

import pytest
import yaml

from harness import upstream
from harness.unavailable import Unavailable

pytestmark = [
    pytest.mark.slow,  # Two ranks of the benchmark go through a hundred batches.
    pytest.mark.root,  # Containers are made.
]

#: What they call an image, and the recipe of ours.
IMAGES = {
    "mpioperator/mpi-pi:openmpi": "pi-openmpi",
    "mpioperator/mpi-pi:intel": "pi-intel",
    "mpioperator/mpi-pi:mpich": "pi-mpich",
    "mpioperator/tensorflow-benchmarks:latest": "tensorflow-benchmarks",
}
PI = ("pi", "pi-intel", "pi-mpich")
CPU = "200m"


def _example(name):
    [path] = [path for path in upstream.examples() if path.stem == name]
    job = yaml.safe_load(path.read_text())
    for role in job["spec"]["mpiReplicaSpecs"].values():
        [container] = role["template"]["spec"]["containers"]
        if "cpu" in (limits := container.get("resources", {}).get("limits", {})):
            limits["cpu"] = CPU
    return job


@pytest.fixture(scope="module")
def ended(site, images, builder):
    """What became of each, every one in a namespace of its own: three of them are called pi."""
    try:
        jobs = {name: _example(name) for name in (*PI, "tensorflow-benchmarks")}
    except Unavailable as lacking:
        pytest.skip(f"no examples of theirs: {lacking}")
    for theirs, ours in IMAGES.items():
        builder.push(images[ours], site.cluster.registry, theirs)
    found = {}
    for name, job in jobs.items():
        with site.space() as space:
            site.submit(space, job)
            found[name] = site.ended(space, job["metadata"]["name"], limit_s=600)
    return found


@pytest.mark.parametrize("name", PI)
def test_pi_is_estimated_by_a_rank_on_each_worker(ended, name):
    run = ended[name]
    assert (run.end, run.output.splitlines()[-3:]) == (
        "Succeeded",
        ["rank 0 of 2 on pi-worker-0", "rank 1 of 2 on pi-worker-1", "pi is about 3.1415926536"],
    )


def test_the_benchmark_tells_how_fast_its_two_ranks_were(ended):
    run = ended["tensorflow-benchmarks"]
    last = [line for line in run.output.splitlines() if line.startswith("100\timages/sec:")]
    assert (run.end, len(last), "total images/sec:" in run.output) == ("Succeeded", 2, True)
