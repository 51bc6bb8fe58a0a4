"""A task of Flyte's on real nodes: the job that its backend makes, until it has its outputs."""

import struct
from pathlib import Path

import pytest

from mpijob.api import flyte
from mpijob.api.flyte import FlytePhase
from mpijob.flyte import translate
from mpijob.flyte.serialize import Said, template
from mpijob.flyte.template import Execution, Paths, read
from mpijob.sdk import MPIJob, Resources

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

NAME, SHORT = "f1-n0-0", "f2-n0-0"
GIVEN = {"pictures": 2000, "epochs": 1}
#: What the document's decorator says, beside what keeps results, which is Flyte's own affair.
CONFIG = MPIJob(num_workers=2, num_launcher_replicas=1, slots=1)
REQUESTS = Resources(cpu="1", mem="3000Mi")
LIMITS = Resources(cpu="2", mem="6000Mi")


def mpi_task(pictures: int, epochs: int) -> float:
    """The task of examples/flyte, by its name and types."""
    raise NotImplementedError


def _field(number, content):
    """Return a field of a protobuf message whose value has a length."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value):
    rest = [value >> 7 * index & 127 for index in range(10) if value >> 7 * index]
    return bytes([*(byte | 128 for byte in rest[:-1]), *rest[-1:]]) if rest else b"\0"


def _inputs(given):
    """Return flyteidl's LiteralMap of integers."""
    rows = []
    for name, value in given.items():
        primitive = b"\x08" + _varint(value)
        literal = _field(1, _field(1, primitive))
        rows.append(_field(1, _field(1, name.encode()) + _field(2, literal)))
    return b"".join(rows)


def _float(outputs):
    """Return the one float of a LiteralMap."""
    assert b"o0" in outputs
    return struct.unpack("<d", outputs.partition(b"\x11")[2][:8])[0]


@pytest.fixture(scope="module")
def job(images, space, told):
    """The job that Flyte's backend makes of the task, which has a template of its whole pod."""
    mpi_task.__module__ = "train"
    image = images["flyte"]
    made = template(mpi_task, CONFIG, Said(image, requests=REQUESTS, limits=LIMITS))
    container = {
        "name": "primary",
        "image": image,
        "args": made["container"]["args"],
        # The nodes have not a CPU for each of three pods, which is what the document asks for.
        "resources": {
            "requests": {"cpu": "100m", "memory": "300Mi"},
            "limits": {"cpu": "2", "memory": "6000Mi"},
        },
        "volumeMounts": [{"name": "told", "mountPath": "/told"}],
    }
    volumes = [{"name": "told", "hostPath": {"path": str(told)}}]
    made |= {
        "container": None,
        "k8sPod": {"podSpec": {"containers": [container], "volumes": volumes}},
        "config": {"primary_container_name": "primary"},
    }
    (told / "inputs.pb").write_bytes(_inputs(GIVEN))
    paths = Paths("/told/inputs.pb", "/told", "/told", "/told/raw")
    return translate.job(read(made), Execution(NAME, space, id=("f1", "p", "d"), paths=paths))


def _short(job):
    """The same job, but that its launcher is done at once."""
    launcher = job["spec"]["mpiReplicaSpecs"]["Launcher"]
    spec = launcher["template"]["spec"]
    container = {**spec["containers"][0], "command": ["true"], "args": []}
    template = {**launcher["template"], "spec": {**spec, "containers": [container]}}
    roles = {**job["spec"]["mpiReplicaSpecs"], "Launcher": {**launcher, "template": template}}
    return {
        **job,
        "metadata": {**job["metadata"], "name": SHORT},
        "spec": {**job["spec"], "mpiReplicaSpecs": roles},
    }


@pytest.fixture(scope="module")
def runs(every_version, site, space, job):
    return {**site.run(space, job), **site.run(space, _short(job))}


def test_two_ranks_learn_on_two_workers(runs):
    lines = [line.split() for line in runs[NAME].output.splitlines() if "pictures" in line]
    assert [line[:4] for line in lines] == [["ranks", "2", "pictures", "2000"]]


def test_what_they_return_is_where_flyte_looks_for_it(runs, told):
    accuracy = float(runs[NAME].output.split("accuracy ")[1].split()[0])
    found = _float((Path(told) / "outputs.pb").read_bytes())
    assert found == pytest.approx(accuracy, abs=0.0001)


@pytest.mark.parametrize("name", [NAME, SHORT])
def test_flyte_reads_that_it_has_ended_well(runs, name):
    status = runs[name].job["status"]
    assert (flyte.phase(status), "startTime" in status) == (FlytePhase.SUCCEEDED, True)


def test_workers_idle_in_pods_that_flyte_links(runs):
    workers = {
        pod["metadata"]["name"]: pod["spec"]["containers"][0] for pod in runs[NAME].role("worker")
    }
    assert {
        name: (container["name"], "mpirun" in str(container.get("command", ())))
        for name, container in workers.items()
    } == {f"{NAME}-worker-{index}": ("mpi", False) for index in range(2)}
