"""Functions that run as jobs on this machine, with real ranks."""

import os
import threading

import pytest

from mpijob.sdk import JobFailed, MPIJob, NoResult, NotShippable, RankFailed, Resources, task

pytestmark = pytest.mark.mpi

TWO_RANKS = MPIJob(num_workers=2, num_launcher_replicas=1, slots=1)
FACTOR = 3


def scaled(number):
    """Return a number as the ranks scale it; it goes with those that call it."""
    return number * FACTOR


@task(
    task_config=MPIJob(
        # number of worker to be spawned in the cluster for this job
        num_workers=2,
        # number of launcher replicas to be spawned in the cluster for this job
        # the launcher pod invokes mpirun and communicates with worker pods through MPI
        num_launcher_replicas=1,
        # number of slots per worker used in the hostfile
        # the available slots (GPUs) in each pod
        slots=1,
    ),
    requests=Resources(cpu='1', mem="3000Mi"),
    limits=Resources(cpu='2', mem="6000Mi"),
    retries=3,
    cache=True,
    cache_version="0.5",
)  # fmt: skip
def mpi_task(start: int) -> int:
    """Return the sum over all ranks."""
    from mpi4py import MPI

    rank = MPI.COMM_WORLD.Get_rank()
    print(f"rank {rank} adds {start + rank}")  # noqa: T201
    return MPI.COMM_WORLD.allreduce(start + rank)


def test_the_document_s_decorator_runs_real_ranks_and_returns_the_result_of_rank_0(home):
    assert mpi_task(5) == 11


def test_what_ranks_print_is_printed(home, capfdbinary):
    mpi_task(7)
    lines = capfdbinary.readouterr().out.splitlines()
    assert sorted(lines) == [b"rank 0 adds 7", b"rank 1 adds 8"]


def test_all_ranks_give_their_results_in_order(home):
    @task(task_config=TWO_RANKS)
    def place():
        from mpi4py import MPI

        return MPI.COMM_WORLD.Get_rank(), MPI.COMM_WORLD.Get_size()

    assert place.all_ranks() == [(0, 2), (1, 2)]


def test_every_slot_of_every_worker_has_a_rank(home):
    @task(task_config=MPIJob(num_workers=2, num_launcher_replicas=1, slots=2))
    def host():
        import os

        return os.environ["HOSTNAME"][-8:]

    assert host.all_ranks() == ["worker-0", "worker-0", "worker-1", "worker-1"]


def test_a_function_goes_with_its_closure_and_its_own_module(home):
    offset = 100

    @task(task_config=TWO_RANKS)
    def computed(*, number):
        return scaled(number) + offset

    assert computed(number=2) == 106


def test_a_task_that_a_rank_calls_just_runs(home):
    @task(task_config=TWO_RANKS)
    def inner():
        import os

        return os.getpid()

    @task(task_config=TWO_RANKS)
    def outer():
        import os

        return inner() == os.getpid()

    assert outer()


@task(task_config=TWO_RANKS)
def refuse(number: int) -> None:
    """Raise on rank 1, for which rank 0 waits for ever."""
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == 1:
        raise LookupError(f"no {number}")
    MPI.COMM_WORLD.Barrier()


@pytest.fixture(scope="module")
def refusal(tmp_path_factory):
    """Return what a call raises whose rank 1 raises."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPIJOB_HOME", str(tmp_path_factory.mktemp("home")))
        with pytest.raises(LookupError) as caught:
            refuse(4)
    return caught.value


def test_a_rank_s_exception_is_raised_in_the_caller(refusal):
    assert refusal.args == ("no 4",)


def test_its_cause_says_on_which_rank_and_host(refusal):
    place = refusal.__cause__
    assert (place.rank, place.host[-9:]) == (1, "-worker-1")


def test_its_cause_has_the_rank_s_traceback(refusal):
    assert 'raise LookupError(f"no {number}")' in str(refusal.__cause__)


def test_an_exception_that_cannot_be_brought_here_is_told(home):
    class Stubborn(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    @task(task_config=MPIJob(num_workers=1, num_launcher_replicas=1))
    def fail():
        raise Stubborn("a", "b")

    with pytest.raises(RankFailed, match="Stubborn: a and b"):
        fail()


def test_what_belongs_to_this_process_cannot_be_shipped(home):
    lock = threading.Lock()

    @task(task_config=TWO_RANKS)
    def locked():
        return lock

    with pytest.raises(NotShippable, match=r"locked, or what it uses.*make it inside"):
        locked()


def test_an_argument_that_cannot_be_shipped_is_named(home):
    @task(task_config=TWO_RANKS)
    def idle(given):
        return given

    with pytest.raises(NotShippable, match=r"argument 0 of .*idle cannot be taken to the ranks"):
        idle(threading.Lock())


def test_a_result_that_cannot_be_pickled_is_named(home):
    @task(task_config=TWO_RANKS)
    def lock():
        import threading

        return threading.Lock()

    with pytest.raises(JobFailed, match="what the function returned, a lock, cannot be pickled"):
        lock()


def test_a_result_that_cannot_be_unpickled_is_told(home):
    class Odd:
        def __reduce__(self):
            return int, ("odd",)

    @task(task_config=TWO_RANKS)
    def odd():
        return Odd()

    with pytest.raises(NotShippable, match="what rank 0 returned cannot be unpickled here"):
        odd()


def test_a_rank_that_leaves_without_a_result_is_named(home):
    @task(task_config=TWO_RANKS)
    def leave():
        import sys

        from mpi4py import MPI

        if MPI.COMM_WORLD.Get_rank() == 1:
            sys.exit(0)

    with pytest.raises(NoResult, match="rank 1 of 2 ended with exit code 0 before"):
        leave()


def test_a_killed_rank_is_told_in_the_job_s_words(home):
    @task(task_config=MPIJob(num_workers=1, num_launcher_replicas=1))
    def die():
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(JobFailed, match=r"job die-\w+ failed"):
        die()


def test_a_job_that_succeeded_leaves_no_folder(home):
    before = os.listdir(f"/proc/{os.getpid()}/fd")
    mpi_task(1)
    left = [str(path) for path in (*home.jobs.rglob("*-*"), *home.path.glob("calls/*"))]
    assert (left, os.listdir(f"/proc/{os.getpid()}/fd")) == ([], before)
