"""A task of Flyte's on real nodes: the job that its backend makes, until it has its outputs."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from harness.flyte_jobs import inputs, returned, translated
from harness.recipes import TOP
from mpijob.api import flyte
from mpijob.api.flyte import FlytePhase
from mpijob.flyte import serialize
from mpijob.flyte.serialize import Said, template
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


@pytest.fixture(scope="module")
def job(images, space, told):
    """The job that Flyte's backend makes of the task."""
    mpi_task.__module__ = "train"
    made = template(mpi_task, CONFIG, Said(images["flyte"], requests=REQUESTS, limits=LIMITS))
    (told / "inputs.pb").write_bytes(inputs(GIVEN))
    return translated(made, (space, NAME), (told, told))


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
    found = returned((Path(told) / "outputs.pb").read_bytes())
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


def test_the_images_own_sshd_lets_root_in_on_port_22(site, space, images):
    """As the document has it, for jobs of mpi-operator's."""
    commands = {"Launcher": ["mpirun", "-n", "2", "hostname"], "Worker": ["/usr/sbin/sshd", "-De"]}
    roles = {}
    for role, command in commands.items():
        container = {"name": "mpi", "image": images["flyte"], "command": command}
        pod = {"spec": {"containers": [container]}}
        roles[role] = {"replicas": 2 if role == "Worker" else 1, "template": pod}
    job = {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": "ssh"},
        "spec": {"mpiReplicaSpecs": roles},
    }
    run = site.run(space, job)["ssh"]
    logs = [site.log(pod) for pod in run.role("worker")]
    listening = ["listening on 0.0.0.0 port 22." in log for log in logs]
    assert (run.end, run.hosts, listening) == (
        "Succeeded",
        ["ssh-worker-0", "ssh-worker-1"],
        [True, True],
    )


#: One file, run by the SDK and by flytekit, here and on the nodes.
POINTS = Path(__file__).parent / "tasks" / "points.py"
BLOCKS = 200
CALLED = f"from points import mpi_task; print(mpi_task(blocks={BLOCKS}))"
SENT = f"""
import json, sys
from msgspec.structs import replace
from mpijob.sdk import Cluster, Task
from points import mpi_task
where = Cluster(**json.loads(sys.argv[1]))
terms = replace(mpi_task.terms, where=where, container_image=sys.argv[2])
print(Task(mpi_task.function, terms)(blocks={BLOCKS}))
"""


@pytest.fixture
def by_the_sdk(tmp_path):
    """Return what runs a script in which mpijob is, and flytekit is not."""

    def run(script, *words):
        home = tmp_path / str(len(script))  # What is cached of one is not the other's.
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "MPIJOB_HOME": str(home), "PYTHONPATH": str(POINTS.parent)},
        )
        return done.stdout

    return run


@pytest.fixture
def by_flytekit(flytekit, tmp_path):
    """Return what calls the task in flytekit's Python."""

    def run(**environment):
        home = tmp_path / "-".join(["flyte", *environment])
        home.mkdir()
        places = {"HOME": str(home), "PYTHONPATH": f"{TOP / 'src'}:{POINTS.parent}"}
        return flytekit("-c", CALLED, **places, **environment)

    return run


@pytest.fixture
def by_the_operator(every_version, site, space, told, images):
    """Return what runs the task as a job that Flyte's backend makes of it."""

    def run():
        folder = told / "points"
        folder.mkdir()
        (folder / "points.py").write_text(POINTS.read_text())
        (folder / "inputs.pb").write_bytes(inputs({"blocks": BLOCKS}))
        spec = importlib.util.spec_from_file_location("points", POINTS)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        made = serialize.of(module.mpi_task, images["flyte"])
        # The image's own PYTHONPATH is where its project is.
        variables = {"PYTHONPATH": "/told/points"}
        job = translated(made, (space, "f3-n0-0"), (told, folder), variables)
        output = site.run(space, job)["f3-n0-0"].output
        return f"{output}\n{returned((folder / 'outputs.pb').read_bytes())}\n"

    return run


def _ranks_and_result(said):
    """Return on how many ranks the task ran, and what it returned."""
    return int(re.findall(r"ranks (\d+)", said)[-1]), float(said.split()[-1])


@pytest.mark.timeout(400, func_only=True)  # Five runs, one after the other.
def test_the_documents_decorator_has_one_result_however_it_is_run(
    by_the_sdk, by_flytekit, by_the_operator, calls, images
):
    where = json.dumps(msgspec.to_builtins(calls))
    said = {
        "by the SDK, here": by_the_sdk(CALLED),
        "by the SDK, on real nodes": by_the_sdk(SENT, where, images["flyte"]),
        "by flytekit, in its own process": by_flytekit(),
        "by flytekit, on ranks here": by_flytekit(MPIJOB_FLYTE="here"),
        "by the translator and the operator": by_the_operator(),
    }
    results = {way: _ranks_and_result(text) for way, text in said.items()}
    _, result = results["by the SDK, here"]
    assert (abs(result - 3.1416) < 0.02, results) == (
        True,
        {way: (1 if "in its own process" in way else 2, result) for way in said},
    )
