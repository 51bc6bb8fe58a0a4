"""A real mpirun over hosts that are pods of this machine: each MPI, each way, root and not."""

import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from mpijob.local.mpi import Family
from mpijob.testing.mpis import MPIS, NAMES

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
RANKS = HERE / "ranks"
PYTHON = sys.executable
#: An ordinary user that every Linux has, and that owns nothing.
ORDINARY = "daemon"

HELLO = ("mpirun", "-np", "4", PYTHON, "{hello}")
#: Runs in a row of the test that looks for rare crashes. Forty take some two minutes.
RUNS = int(os.environ.get("MPIJOB_TEST_RUNS", "2"))

pytestmark = pytest.mark.mpi


@pytest.fixture(params=NAMES)
def mpi(request, mpi_named):
    return mpi_named(request.param)


@pytest.fixture(params=[name for name in NAMES if name.startswith("openmpi")])
def open_mpi(request, mpi_named):
    return mpi_named(request.param)


@pytest.fixture(params=["as root", "as an ordinary user"])
def user(request):
    """Whether a job runs as root; a test run of an ordinary user skips root's half and says so."""
    if request.param == "as root" and os.geteuid() != 0:
        pytest.skip("these tests do not run as root, so they cannot show a job of root's")
    return "root" if request.param == "as root" else ORDINARY


@pytest.fixture
def scratch():
    with tempfile.TemporaryDirectory(prefix="ranks-") as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@pytest.fixture
def job(scratch):
    """Run a job and return its runs; see ranks/job.py for what may be set."""

    def ran(mpi, user="", **settings):
        asked = {
            # What every machine has, where a test is not of both ways.
            "mode": "plain",
            "mpirun": mpi.mpirun,
            "worker_count": 2,
            "slots": 2,
            "command": HELLO,
            "folder": str(scratch / "job"),
        }
        command = [PYTHON, str(RANKS / "job.py"), json.dumps(asked | settings)]
        if os.geteuid() == 0 and user == ORDINARY:
            needed = [REPOSITORY, sys.base_prefix, mpi.prefix, Path(PYTHON).resolve()]
            paths = ":".join(dict.fromkeys(map(str, needed)))
            command = [PYTHON, str(RANKS / "as_user.py"), ORDINARY, paths, *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ran


def hosts_of(run):
    """Return how many ranks said that they ran where, if all of them talked to each other."""
    lines = [line for line in run["output"].splitlines() if line.startswith("rank ")]
    total = sum(range(len(lines)))
    assert all(f": {total} (" in line for line in lines), run["output"]
    return Counter(line.split(" on ")[1].split(":")[0] for line in lines)


def outcome(run):
    """Return what matters of a run; with its output where that is not what is hoped for."""
    hosts = hosts_of(run)
    return run["code"], dict(hosts), run["left"], run["code"] and run["output"]


WELL = (0, {"w-0": 2, "w-1": 2}, 0, 0)


def test_ranks_run_on_every_host_and_the_machine_stays_as_it_was(mpi, user, mode, job):
    before = machine_listing()
    (run,) = job(mpi, user, mode=mode)
    assert (outcome(run), machine_listing() == before, run["folders"]) == (WELL, True, [])


def machine_listing():
    """Return what no job may change: all of /etc, and what the homes hold."""
    etc = hashlib.sha256()
    for folder, _, files in sorted(os.walk("/etc")):
        for name in sorted(files):
            status = os.lstat(os.path.join(folder, name))
            etc.update(f"{folder}/{name} {status.st_mtime_ns} {status.st_size}\n".encode())
    homes = {"/home", "/root", pwd.getpwuid(os.geteuid()).pw_dir, pwd.getpwnam(ORDINARY).pw_dir}
    entries = [sorted(os.listdir(home)) for home in sorted(homes) if os.access(home, os.R_OK)]
    return etc.hexdigest(), entries


def test_a_compiled_program_runs_as_one_in_python_does(mpi, mode, job, scratch):
    if mpi.family == Family.OPENMPI and mpi.major == 4:
        program = compiled(MPIS["openmpi-5"], scratch) if "openmpi-5" in MPIS else None
    else:
        program = compiled(mpi, scratch)
    if program is None:
        pytest.skip("this machine has no C compiler, or the MPI no mpicc")
    (run,) = job(mpi, mode=mode, command=("mpirun", "-np", "4", program))
    assert outcome(run) == WELL


def compiled(mpi, folder):
    """Return hello.c compiled with the compiler of `mpi`, or None where that cannot be.

    Open MPI 4 and 5 share their binary interface, so a program of 5's compiler runs on 4.
    """
    wrapper = shutil.which("mpicc", path=os.path.dirname(mpi.mpirun))
    if wrapper is None or shutil.which("cc") is None:
        return None
    program = str(folder / "hello")
    command = [wrapper, "-o", program, str(RANKS / "hello.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return program if done.returncode == 0 else None


def test_more_ranks_than_cpus_run(mpi, mode, job):
    (run,) = job(mpi, mode=mode, slots=4, command=("mpirun", "-np", "8", PYTHON, "{hello}"))
    assert outcome(run) == (0, {"w-0": 4, "w-1": 4}, 0, 0)


def test_open_mpi_refuses_more_ranks_than_slots_as_on_a_cluster(open_mpi, job):
    (run,) = job(open_mpi, command=("mpirun", "-np", "5", "hostname"))
    assert (run["code"] != 0, "not enough slots" in run["output"]) == (True, True)


MAPPINGS = {
    "one a host": (("-np", "2", "--map-by", "node"), {"w-0": 1, "w-1": 1}),
    "so many a host": (("-npernode", "1"), {"w-0": 1, "w-1": 1}),
    "a host by its name": (("--host", "w-1:2", "-np", "2"), {"w-1": 2}),
    "two programs": (
        ("-np", "1", PYTHON, "{hello}", ":", "-np", "3"),
        {"w-0": 2, "w-1": 2},
    ),
    "bound to cores, which the hosts share": (
        ("-np", "2", "--map-by", "node", "--bind-to", "core"),
        {"w-0": 1, "w-1": 1},
    ),
}


@pytest.mark.parametrize(("options", "hosts"), MAPPINGS.values(), ids=MAPPINGS)
def test_open_mpi_places(options, hosts, open_mpi, job):
    (run,) = job(open_mpi, command=("mpirun", *options, PYTHON, "{hello}"))
    assert outcome(run) == (0, hosts, 0, 0)


def test_a_users_own_variable_wins(mpi, job):
    agents = {"OMPI_MCA_plm_rsh_agent", "PRTE_MCA_plm_ssh_agent", "HYDRA_LAUNCHER_EXEC"}
    agents.add("I_MPI_HYDRA_BOOTSTRAP_EXEC")
    (run,) = job(mpi, env=dict.fromkeys(agents, "/no/such/agent"))
    assert run["code"] != 0


def test_the_exit_code_of_a_rank_reaches_the_launcher(mpi, job):
    (run,) = job(mpi, command=("mpirun", "-np", "4", "sh", "-c", "exit 3"))
    assert (run["code"], run["left"]) == (3, 0)


def test_a_rank_that_crashes_ends_the_job_and_leaves_nothing(mpi, job):
    crash = "from mpi4py import MPI; import os; MPI.COMM_WORLD.rank == 3 and os.abort()"
    wait = "MPI.COMM_WORLD.barrier()"
    (run,) = job(mpi, command=("mpirun", "-np", "4", PYTHON, "-c", f"{crash}; {wait}"))
    assert (run["code"] != 0, run["left"]) == (True, 0)


@pytest.mark.slow
def test_sixty_four_hosts_run_a_job_of_nothing(mpi, job):
    # 64 hosts are 65 pods and 64 daemons on two cores.
    (run,) = job(mpi, worker_count=64, slots=1, command=("mpirun", "-np", "64", "true"))
    assert (run["code"], run["output"], run["left"]) == (0, "", 0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_many_runs_in_a_row_end_well(mpi, mode, job):
    # Rare crashes are what makes several hosts on one machine hard; see docs/decisions/0012.
    runs = job(mpi, mode=mode, runs=RUNS)
    assert [outcome(run) for run in runs if outcome(run) != WELL] == []
