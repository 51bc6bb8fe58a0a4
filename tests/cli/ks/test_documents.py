"""The documents' commands, as printed, as far as they ask no cluster: typed into a shell."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import yaml

MPI_JOB = """\
ks init lab && cd lab
ks pkg install kubeflow/mpi-job@master
ks generate mpi-operator mpi-operator
ks generate mpi-job-simple tensorflow-benchmark-16 --gpus 16
ks show default
"""

OPENMPI = """\
NAMESPACE=kubeflow
VERSION=master
APP_NAME=openmpi
ks init ${APP_NAME}
cd ${APP_NAME}
ks env set default --namespace ${NAMESPACE}
ks registry add kubeflow github.com/kubeflow/kubeflow/tree/${VERSION}/kubeflow
ks pkg install kubeflow/openmpi@${VERSION}
ks prototype describe openmpi > described
"""
#: Typed once for each EXEC, in the application that the above has made.
COMPONENT = """\
cd openmpi
SECRET=openmpi-secret
COMPONENT=openmpi
IMAGE=YOUR_IMAGE_HERE
WORKERS=4
GPU=0
"""
GENERATE = """\
ks generate openmpi ${COMPONENT} --image ${IMAGE} --secret ${SECRET} --workers ${WORKERS} \
--gpu ${GPU} --exec "${EXEC}" \n\
ks show default
"""
_MPIEXEC = (
    "mpiexec -n {n} --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root "
    "--display-map --tag-output --timestamp-output sh -c "
)
_STUBS = "/usr/local/cuda-9.0/targets/x86_64-linux/lib/stubs python /examples/tensorflow_mnist.py"
#: What the documents print, and what arrives where LD_LIBRARY_PATH is /lib: the shell that it is
#: typed into puts that in, unless the dollar is escaped.
EXECS = {
    "hello world": ("'echo hello world'", "'echo hello world'"),
    "Horovod": ("'python /examples/tensorflow_mnist.py'",) * 2,
    "Horovod with stubs": (
        f"'LD_LIBRARY_PATH=$LD_LIBRARY_PATH:{_STUBS}'",
        f"'LD_LIBRARY_PATH=/lib:{_STUBS}'",
    ),
    "Horovod with stubs, escaped": (
        f"'LD_LIBRARY_PATH=\\$LD_LIBRARY_PATH:{_STUBS}'",
        f"'LD_LIBRARY_PATH=$LD_LIBRARY_PATH:{_STUBS}'",
    ),
}


@pytest.fixture
def typed(ks, tmp_path):
    """Return what types lines into a shell that knows `ks`, and reads what they print as YAML."""
    assert ks("script", str(tmp_path)).code == 0
    return partial(_typed, tmp_path)


def _typed(folder, lines):
    """Type lines into a shell in a folder that has `ks`, and read what they print as YAML."""
    commands = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euc", lines],
        cwd=folder,
        env={
            "PATH": f"{folder}:{commands}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LD_LIBRARY_PATH": "/lib",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """Return the folder in which the documents' application was made, for all that use it."""
    folder = tmp_path_factory.mktemp("documents")
    _typed(folder, f"mpijob ks script {folder} > script\n{OPENMPI}")
    return folder


@pytest.mark.slow
def test_the_quickstart_of_mpi_job_makes_an_operator_and_a_job(typed):
    # Each command is a process.
    *operator, job = typed(MPI_JOB)
    names = [one["metadata"]["name"] for one in operator if one["kind"] == "Deployment"]
    assert (names, job["metadata"]["name"], job["spec"]["gpus"]) == (
        ["mpi-operator"],
        "tensorflow-benchmark-16",
        16,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("printed", "arrives"), EXECS.values(), ids=EXECS)
def test_the_quickstart_of_openmpi_makes_a_master_that_runs_that_command(
    application, tmp_path, printed, arrives
):
    # Each command is a process.
    shutil.copytree(application, tmp_path, dirs_exist_ok=True)
    line = f'EXEC="{_MPIEXEC.format(n="${WORKERS}")}{printed}"\n'
    made = _typed(tmp_path, COMPONENT + line + GENERATE)
    pods = {one["metadata"]["name"]: one for one in made if one["kind"] == "Pod"}
    [container] = pods["openmpi-master"]["spec"]["containers"]
    wanted = _MPIEXEC.format(n=4) + arrives
    spaces = {one["metadata"].get("namespace", "none") for one in made}
    assert (list(pods), wanted in container["command"], spaces) == (
        ["openmpi-master", *(f"openmpi-worker-{index}" for index in range(4))],
        True,
        {"kubeflow", "none"},
    )


@pytest.mark.parametrize("name", ["mpi-operator", "mpi-job-simple", "mpi-job-custom"])
def test_the_documents_placeholder_is_asked_to_be_filled_in(ks, monkeypatch, name):
    ks("init", "lab")
    monkeypatch.chdir("lab")
    answer = ks("generate", name, "YOUR_NAME_HERE")
    assert "“YOUR_NAME_HERE” is no name for an object" in answer.err
