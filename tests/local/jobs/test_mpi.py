"""One job file on every MPI, in both ways that pods can run, as root and as an ordinary user."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mpijob.testing.mpis import NAMES

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
AS_USER = HERE.parent / "pods" / "ranks" / "as_user.py"
HELLO = HERE.parent / "pods" / "ranks" / "hello.py"
PYTHON = sys.executable
#: An ordinary user that every Linux has, and that owns nothing.
ORDINARY = "daemon"

pytestmark = pytest.mark.mpi


@pytest.fixture(params=NAMES)
def mpi(request, mpi_named):
    return mpi_named(request.param)


@pytest.fixture(params=["root", ORDINARY], ids=["as root", "as an ordinary user"])
def user(request):
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("these tests do not run as root, so they cannot show a job of root's")
    return request.param


@pytest.fixture
def played(place, mpi, user):
    """Runs a job some times as that user; returns what came of each run."""

    def played(manifest, times=1, **settings):
        with tempfile.TemporaryDirectory(prefix="jobs-") as folder:
            os.chmod(folder, 0o777)
            asked = {
                "home": f"{folder}/home",
                "manifest": manifest,
                "times": times,
                "settings": {"folder": folder, "mpi": mpi.mpirun, "pods": place.mode} | settings,
            }
            command = [PYTHON, str(HERE / "play.py"), json.dumps(asked)]
            if os.geteuid() == 0 and user == ORDINARY:
                needed = [REPOSITORY, sys.base_prefix, mpi.prefix, Path(PYTHON).resolve()]
                paths = ":".join(dict.fromkeys(map(str, needed)))
                command = [PYTHON, str(AS_USER), ORDINARY, paths, *command]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")
            return json.loads(done.stdout)

    return played


def test_the_ranks_of_a_job_are_on_its_hosts(played, place, mpi):
    manifest = place.mpijob(f"mpirun -n 4 {PYTHON} {HELLO}", 2, slotsPerWorker=2)
    [run] = played(manifest)
    lines = sorted(line.split(" (")[0] for line in run["log"].splitlines() if "rank" in line)
    wanted = [f"rank {rank} of 4 on pi-worker-{rank // 2}: 6" for rank in range(4)]
    assert (run["end"], lines) == ("Succeeded", wanted)


def test_the_code_of_a_failed_rank_is_the_jobs(played, place):
    [run] = played(place.mpijob("mpirun -n 2 sh -c 'exit 7'", 2))
    assert run["end"] == "Failed"
