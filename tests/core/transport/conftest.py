"""Pods that run for real: an sshd, networks of their own, and the manifests as we build them."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from mpijob.core import build, names, transport
from mpijob.core.config import Config
from mpijob.core.job import Flavour, Identity, Key, MPIJob, Replica, RestartPolicy
from mpijob.core.plan import SecretContent
from mpijob.keys import DrawnKeys

ROOT = Path(__file__).parents[3]
NODE = Path(__file__).with_name("node.py")
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MPI = {
    "Open MPI 5": ROOT / ".venv/bin",
    "Open MPI 4": ROOT / ".mpi/openmpi4/bin",
    "MPICH": ROOT / ".mpi/mpich/bin",
}
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


@dataclass(frozen=True)
class Ran:
    """What the launcher's containers said, and how the last of them ended."""

    status: int
    output: str
    complaints: str

    @property
    def words(self):
        """What the job itself printed, sorted, since ranks speak in any order."""
        said = self.output.splitlines()
        return sorted(line for line in said if not line.startswith(("waiting for", "all ")))


#: Prints how many variables there are that are called VAR_ and a number, and a digest of them.
TELLS = """
import hashlib, os
found = sorted(item for item in os.environ.items() if item[0].startswith("VAR_"))
print(f"{len(found)}:{hashlib.sha256(repr(found).encode()).hexdigest()}")
"""


@dataclass(frozen=True)
class Many:
    """300 variables of any text; a program that tells of those that it has, and what it tells."""

    variables: Mapping[str, str]
    told: tuple[str, ...]
    digest: str


@pytest.fixture(scope="session")
def many():
    """Variables with blanks, quotes, equals signs, newlines and what shells read as theirs."""
    rows = {f"VAR_{n}": f'{n} it\'s "a" $b=`c`\\ \nVAR_X{n}=line two\n' for n in range(300)}
    digest = hashlib.sha256(repr(sorted(rows.items())).encode()).hexdigest()
    return Many(rows, ("python3", "-c", TELLS), f"300:{digest}")


@pytest.fixture(scope="session")
def image():
    """Where the image has its programs: this machine's, with the sshd that was brought for it."""
    needed = ("unshare", "setpriv", "ip", "mount", "ssh", "ssh-keyscan")
    missing = [program for program in needed if shutil.which(program) is None]
    if not (ROOT / ".mpi/sshd/bin/sshd").exists():
        missing.append("sshd (`make mpi` brings it)")
    if os.geteuid() != 0:
        missing.append("root, to make pods as a kubelet does")
    if missing:
        pytest.skip(f"this machine lacks {', '.join(missing)}")
    return f"{ROOT / '.mpi/sshd/bin'}:{SYSTEM}"


def a_job(
    which: str,
    command: list[str],
    workers: int,
    env: Mapping[str, str],
    worker_env=(),
    annotations=None,
    **fields,
):
    flavour = Flavour.MPICH if which == "MPICH" else Flavour.OPEN_MPI
    launcher = {
        "name": "mpi",
        "image": "this",
        "command": command,
        "env": [{"name": n, "value": v} for n, v in env.items()],
    }
    worker = {
        "name": "mpi",
        "image": "this",
        "env": [{"name": n, "value": v} for n, v in dict(worker_env).items()],
    }
    return MPIJob(
        identity=Identity(Key("default", "pi"), "uid", "1", annotations=annotations or {}),
        launcher=Replica(1, RestartPolicy.ON_FAILURE, {"spec": {"containers": [launcher]}}),
        worker=Replica(workers, RestartPolicy.NEVER, {"spec": {"containers": [worker]}}),
        flavour=flavour,
        **fields,
    )


@pytest.fixture
def ran(image):
    """Run a job's pods as they are built, and return what came of its launcher."""

    def run(which, command, workers=2, uid=0, env=(), nodes=(), **fields) -> Ran:
        if not (MPI[which] / "mpirun").exists():
            pytest.skip(f"there is no {which} here: `make mpi` says why")
        job = a_job(which, command, workers, {**AS_ROOT, **dict(env)}, **fields)
        if nodes:
            job = _on_host(job)
        told = {
            "pods": _pods(job, nodes),
            "objects": asyncio.run(_objects(job)),
            "uid": uid,
            "path": f"{MPI[which]}:{image}",
            "domain": f"{job.name}.{job.namespace}.svc",
        }
        isolated = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
        done = subprocess.run(
            ["unshare", *isolated, sys.executable, str(NODE)],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def _on_host(job):
    """Return the job with both its roles on their nodes' network."""
    roles = {
        name: replace(role, template={"spec": {**role.template["spec"], "hostNetwork": True}})
        for name, role in (("launcher", job.launcher), ("worker", job.worker))
    }
    return replace(job, **roles)


def _pods(job, nodes):
    """Return the pods' specs, the launcher's first; on `nodes`, in that order, where some are."""
    setup = transport.setup(job, Config(), None)
    launcher = build.launcher(job, Config(), setup, suspended=False)["spec"]["template"]["spec"]
    workers = (build.worker(job, i, Config(), setup)["spec"] for i in range(job.worker_count))
    pods = [launcher, *workers]
    placed = zip(pods, nodes, strict=True) if nodes else ()
    return [{**pod, "nodeName": node} for pod, node in placed] or pods


async def _objects(job):
    drawn = DrawnKeys()
    contents = {
        names.secret(job.name): SecretContent.USER_KEYS,
        names.host_keys(job.name): SecretContent.HOST_KEYS,
    }
    config = build.config(job, (), Config(), transport.setup(job, Config(), None))
    objects = {f"ConfigMap/{config['metadata']['name']}": config["data"]}
    for name, content in contents.items():
        data = await drawn.draw(content, Config().key_type, job.key)
        objects[f"Secret/{name}"] = {key: value.decode() for key, value in data.items()}
    return objects
