"""The pods of the openmpi package, tried: real sshd, real MPIs, pods with networks of their own.

A stand-in is beside each worker in place of the controller. Each takes some seconds, most of it in
mpirun and in sshd's handshakes.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mpijob.generate.openmpi.objects import PROTOTYPE
from mpijob.generate.prototype import Setting
from mpijob.keys import openssh_secret

pytestmark = [pytest.mark.mpi, pytest.mark.root]

ROOT = Path(__file__).parents[3]
NODE = ROOT / "tests/core/transport/node.py"
SSHD = ROOT / ".mpi/sshd/bin"
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MPI = {"Open MPI 5": ROOT / ".venv/bin", "Open MPI 4": ROOT / ".mpi/openmpi4/bin"}
SOMEONE = 4322
NEEDED = ("unshare", "setpriv", "ip", "mount", "ssh", "ssh-keygen")
# As the document has it, and as the master's shell is to expand it.
HELLO = (
    "mpiexec -n 4 --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root --display-map "
    "--tag-output --timestamp-output sh -c 'echo hello world'"
)
STUBS = (
    "mpiexec -n 2 --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root "
    "sh -c 'LD_LIBRARY_PATH=$LD_LIBRARY_PATH:/stubs; echo \"$LD_LIBRARY_PATH on $(hostname)\"'"
)
QUIET = "mpiexec -n 2 --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root"
#: What plays the controller beside a worker: here the worker may begin, or may not.
MAY_BEGIN = "mkdir .openmpi-controller; touch .openmpi-controller/SIGCONT; exec sleep 60"
MAY_NOT = "exec sleep 60"


def lacking():
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if not (SSHD / "sshd").exists():
        missing.append("sshd (`make mpi` brings it)")
    if os.geteuid() != 0:
        missing.append("root, to make pods as a kubelet does")
    return ", ".join(missing)


@pytest.fixture
def ran():
    """Run the package's pods, and return what came of the master's."""

    def run(which, command, controller=MAY_BEGIN, env=(), **given):
        if missing := lacking():
            pytest.skip(f"this machine lacks {missing}")
        if not (MPI[which] / "mpirun").exists():
            pytest.skip(f"there is no {which} here: `make mpi` says why")
        given = {"name": "hello", "image": "this", "secret": "keys", "exec": command, **given}
        made = PROTOTYPE.manifests(given, Setting("ns"))
        [assets] = [m for m in made if m["kind"] == "ConfigMap"]
        pods = [m["spec"] for m in made if m["kind"] == "Pod"]
        for pod in pods:
            pod["containers"][0]["env"] = [{"name": n, "value": v} for n, v in dict(env).items()]
            for container in pod["containers"][1:]:
                container["command"] = ["sh", "-c", controller]
        keys = {name: key.decode() for name, key in openssh_secret().items()}
        told = {
            "pods": pods,
            "objects": {"ConfigMap/hello-assets": assets["data"], "Secret/keys": keys},
            "uid": 0,
            "path": f"{MPI[which]}:{SSHD}:{SYSTEM}",
            "domain": "hello.ns",
        }
        isolated = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
        return subprocess.run(
            ["unshare", *isolated, sys.executable, str(NODE)],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.parametrize("which", MPI)
def test_the_documents_command_greets_from_every_worker(ran, which):
    done = ran(which, HELLO)
    said = [line for line in done.stdout.splitlines() if line.endswith("hello world")]
    assert (done.returncode, len(said)) == (0, 4), done.stderr


@pytest.mark.parametrize("which", MPI)
def test_ranks_are_on_the_workers_one_on_each(ran, which):
    done = ran(which, f"{QUIET} hostname", workers="2")
    assert sorted(done.stdout.split()) == ["hello-worker-0", "hello-worker-1"], done.stderr


@pytest.mark.parametrize("which", MPI)
def test_what_the_command_leaves_to_the_ranks_they_expand_in_their_workers_environment(ran, which):
    done = ran(which, STUBS, workers="2", env={"LD_LIBRARY_PATH": "/lib/of/the/image"})
    # Before it stands where Open MPI has found itself.
    said = sorted(line.partition("/lib/of")[2] for line in done.stdout.splitlines())
    assert said == [f"/the/image:/stubs on hello-worker-{n}" for n in range(2)], done.stderr


@pytest.mark.parametrize("which", MPI)
def test_ranks_have_their_workers_environment(ran, which):
    done = ran(which, f"{QUIET} printenv MODEL", workers="2", env={"MODEL": "a 'b'; $c"})
    assert done.stdout.splitlines() == ["a 'b'; $c"] * 2, done.stderr


@pytest.mark.parametrize("which", MPI)
def test_another_user_than_root_runs_them_too(ran, which):
    users = {"runAsUser": SOMEONE, "runAsGroup": SOMEONE}
    done = ran(which, f"{QUIET} id -u", workers="2", **users)
    assert done.stdout.split() == [str(SOMEONE)] * 2, done.stderr


def test_a_user_whose_group_may_not_read_the_secret_is_told_so(ran):
    done = ran("Open MPI 5", "true", workers="2", runAsUser=SOMEONE)
    assert (done.returncode, "say --runAsGroup beside --runAsUser" in done.stderr) == (1, True)


@pytest.mark.parametrize("which", MPI)
def test_the_master_exits_as_its_ranks_do(ran, which):
    done = ran(which, f"{QUIET} sh -c 'exit 7'", workers="2")
    assert done.returncode == 7, done.stderr


def test_a_master_whose_workers_may_not_begin_gives_up_in_time(ran):
    done = ran("Open MPI 5", "true", MAY_NOT, workers="2", initTimeout="1")
    assert (done.returncode, "2 of 2 workers did not let the master in" in done.stderr) == (
        124,
        True,
    ), done.stderr
