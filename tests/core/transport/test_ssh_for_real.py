"""The ssh set-up of ours, tried: real sshd, real mpirun, pods with networks of their own.

Each takes a second or two, most of it in mpirun and in sshd's handshakes.
"""

import pytest

pytestmark = [pytest.mark.mpi, pytest.mark.root]

UNKNOWN = 4321
# A host starts two others at most, so that hosts beyond the first few are reached from workers, as
# happens of itself beyond 64 hosts.
RADIX_2 = {
    "OMPI_MCA_routed_radix": "2",
    "PRTE_MCA_routed_radix": "2",
    "PRTE_MCA_prte_routed_radix": "2",
}
CASES = {
    "Open MPI 5 as root": ("Open MPI 5", 2, 0, {}),
    "Open MPI 5, workers start workers, a uid the image does not know": (
        ("Open MPI 5", 5, UNKNOWN, RADIX_2)
    ),
    "Open MPI 4, workers start workers, a uid the image does not know": (
        ("Open MPI 4", 5, UNKNOWN, RADIX_2)
    ),
    "Open MPI 4 as root": ("Open MPI 4", 2, 0, {}),
    "MPICH as root": ("MPICH", 2, 0, {}),
    "MPICH, a uid the image does not know": ("MPICH", 3, UNKNOWN, {}),
}


@pytest.mark.parametrize(("which", "workers", "uid", "env"), CASES.values(), ids=CASES)
def test_every_worker_runs_its_rank(ran, which, workers, uid, env):
    done = ran(which, ["mpirun", "-n", str(workers), "hostname"], workers, uid, env)
    assert done.words == [f"pi-worker-{index}" for index in range(workers)], done.complaints


@pytest.mark.parametrize("which", ["Open MPI 4", "Open MPI 5"])
def test_ranks_have_their_workers_environment_defect_20(ran, which):
    """mpi-operator v0.8.2 leaves it to the image's sshd, which starts its sessions without."""
    command = ["mpirun", "-n", "2", "printenv", "MODEL"]
    done = ran(which, command, worker_env={"MODEL": "a 'big' one; $HOME"})
    assert done.words == ["a 'big' one; $HOME"] * 2, done.complaints


@pytest.mark.parametrize("which", ["Open MPI 4", "Open MPI 5", "MPICH"])
@pytest.mark.parametrize("whose", ["env", "worker_env"])
def test_300_variables_of_any_text_arrive_at_the_ranks(ran, many, which, whose):
    done = ran(which, ["mpirun", "-n", "2", *many.told], **{whose: many.variables})
    assert done.words == [many.digest] * 2, done.complaints


@pytest.mark.parametrize("which", ["Open MPI 4", "Open MPI 5"])
def test_ranks_on_hosts_that_workers_start_get_the_environment_too(ran, many, which):
    command = ["mpirun", "-n", "5", *many.told]
    done = ran(which, command, 5, UNKNOWN, {**many.variables, **RADIX_2})
    assert done.words == [many.digest] * 5, done.complaints


SCRIPT = "export LATE='by the script'; mpirun -n 2 sh -c 'echo \"$LATE, $K_MPI_JOB_ROLE\"'"


@pytest.mark.parametrize("which", ["Open MPI 4", "Open MPI 5"])
def test_what_the_launchers_script_exports_arrives_and_each_pod_keeps_its_own(ran, which):
    done = ran(which, ["sh", "-c", SCRIPT])
    assert done.words == ["by the script, worker"] * 2, done.complaints


def test_a_job_may_hand_on_nothing(ran):
    off = {"mpijob.dev/environment": "none"}
    command = ["mpirun", "-n", "2", "sh", "-c", "echo ${MODEL-nothing}"]
    done = ran("Open MPI 5", command, env={"MODEL": "big"}, annotations=off)
    assert done.words == ["nothing"] * 2, done.complaints


def test_a_launcher_that_runs_ranks_is_not_waited_for(ran):
    command = ["mpirun", "-n", "3", "hostname"]
    done = ran("Open MPI 5", command, run_launcher_as_worker=True)
    assert done.words == ["pi-launcher", "pi-worker-0", "pi-worker-1"], done.complaints


def test_nothing_is_said_but_what_the_job_says(ran):
    done = ran("Open MPI 5", ["mpirun", "-n", "2", "true"], uid=UNKNOWN)
    assert (done.status, done.words) == (0, [])


#: Says where a rank is. Hydra hands on the launcher's environment: a file tells which pod it is.
ON_A_WORKER = "[ -e /etc/mpijob/keys/ssh_host_key ]"
WHERE = ["sh", "-c", f"{ON_A_WORKER} && echo worker on $(hostname) || echo no"]
#: Hydra hands on the end of its input, too, and dies of SIGPIPE where the rank beside it has ended
#: by then, as one does that has nothing to do: so that rank waits for it. Open MPI 5 hands on none.
WHERE_AT_LAST = ["sh", "-c", f"{ON_A_WORKER} || cat; {WHERE[-1]}"]
APART = {
    "a node each": ("n0", "n1", "n2"),
    "the launcher beside a worker": ("n1", "n1", "n2"),
}


@pytest.mark.parametrize("which", ["Open MPI 4", "Open MPI 5", "MPICH"])
@pytest.mark.parametrize("nodes", APART.values(), ids=APART)
def test_on_the_nodes_network_every_worker_runs_its_rank(ran, which, nodes):
    done = ran(which, ["mpirun", "-n", "2", *WHERE], nodes=nodes)
    assert done.words == ["worker on n1", "worker on n2"], done.complaints


@pytest.mark.parametrize("which", ["Open MPI 4", "Open MPI 5", "MPICH"])
def test_on_the_nodes_network_a_launcher_may_run_ranks_itself(ran, which):
    job = {"nodes": ("n0", "n1", "n2"), "run_launcher_as_worker": True}
    where = WHERE_AT_LAST if which == "MPICH" else WHERE
    done = ran(which, ["mpirun", "-n", "3", *where], **job)
    assert done.words == ["no", "worker on n1", "worker on n2"], done
