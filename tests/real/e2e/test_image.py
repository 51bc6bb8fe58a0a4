"""The Containerfile that `mpijob image` writes, built, and a function that runs on it."""

import pytest
from msgspec.structs import replace

from harness.recipes import OWN, Pantry, Recipe
from mpijob.sdk import MPIJob, Task, task

# An image is built once, and containers are made.
pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.timeout(600)]

MODULE = "def host():\n    import socket\n\n    return socket.gethostname()\n"
KINDS = {
    "a user's": ("user", ()),
    "root's": ("root", ("--user", "root", "--venv", "/opt/own", "--workdir", "/srv/project")),
}


@task(task_config=MPIJob(num_workers=2, num_launcher_replicas=1))
def found():
    """Return who runs this, from which folder's Python, with what of the project, and where."""
    import getpass
    import sys

    import packaging  # Of the requirements.
    from mpi4py import MPI
    from project import host

    own = packaging.__file__.startswith(sys.prefix)
    return getpass.getuser(), sys.prefix, own, MPI.COMM_WORLD.size, host()[-9:]


@pytest.fixture
def project(tmp_path):
    """Return a person's project: a module, and what it requires."""
    (tmp_path / "project.py").write_text(MODULE)
    (tmp_path / "requirements.txt").write_text("packaging\n")
    return tmp_path


@pytest.fixture
def built(site, project, tmp_path):
    """Return what builds the image that `mpijob image` writes with some options."""

    def image(name, *options):
        file = tmp_path / "Containerfile"
        site.mpijob("image", str(project), "--file", str(file), *options)
        parts = (project / "project.py", project / "requirements.txt")
        recipe = Recipe(file, files={path.name: path for path in parts})
        return Pantry({**OWN, f"image-{name}": recipe})[f"image-{name}"]

    return image


@pytest.mark.parametrize(("name", "options"), KINDS.values(), ids=KINDS)
def test_a_function_runs_on_an_image_that_is(built, calls, name, options):
    image = built(name, *options)
    folder = "/srv/project" if options else "/app"
    environment = {"PYTHONPATH": folder}
    terms = replace(found.terms, container_image=image, where=calls, environment=environment)
    ranks = Task(found.function, terms).all_ranks()
    user, venv = ("root", "/opt/own") if options else ("mpiuser", "/opt/venv")
    assert ranks == [(user, venv, True, 2, f"-worker-{index}") for index in range(2)]


def test_a_job_runs_on_an_image_with_mpich(built, site, space):
    imports = "from mpi4py import MPI; from project import host"
    program = f"{imports}; MPI.COMM_WORLD.Barrier(); print(host())"
    image = built("mpich", "--mpi", "mpich")
    launcher = {"command": ["mpirun", "-n", "2", "python3", "-c", program]}
    roles = {
        role: {
            "replicas": replicas,
            "template": {"spec": {"containers": [{"name": "mpi", "image": image, **more}]}},
        }
        for role, replicas, more in (("Launcher", 1, launcher), ("Worker", 2, {}))
    }
    job = {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": "mpich"},
        "spec": {"mpiImplementation": "MPICH", "mpiReplicaSpecs": roles},
    }
    run = site.run(space, job)["mpich"]
    assert (run.end, run.hosts) == ("Succeeded", ["mpich-worker-0", "mpich-worker-1"])
