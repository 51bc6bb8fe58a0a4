"""Functions that run as jobs on this machine, with real ranks."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mpijob.sdk import (
    Client,
    Here,
    JobFailed,
    MPIJob,
    NoResult,
    NotShippable,
    RankFailed,
    RanksDisagree,
    Resources,
    TimedOut,
    task,
)
from mpijob.testing.mpis import EXPECTED

pytestmark = pytest.mark.mpi

TWO_RANKS = MPIJob(num_workers=2, num_launcher_replicas=1, slots=1)
ONE_RANK = MPIJob(num_workers=1, num_launcher_replicas=1)
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

    @task(task_config=ONE_RANK)
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
    @task(task_config=ONE_RANK)
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


def jobs(home):
    """Return the names of the jobs of which something is kept."""
    return sorted(path.name.rpartition("-")[0] for path in home.jobs.glob("*/*"))


def failing(times, **terms):
    """Return a task that fails so many times and then returns the number of its attempt."""

    @task(task_config=ONE_RANK, **terms)
    def attempt():
        import os

        number = int(os.environ["MPIJOB_ATTEMPT"])
        if number < times:
            raise LookupError(f"attempt {number}")
        return number

    return attempt


def test_a_task_is_tried_again_as_a_new_job(home):
    attempt = failing(3, retries=3)
    assert (attempt(), len(jobs(home))) == (3, 3)  # The fourth succeeded, so it is cleared away.


def test_a_task_fails_with_its_last_attempt(home):
    attempt = failing(4, retries=3)
    with pytest.raises(LookupError, match="attempt 3"):
        attempt()
    assert len(jobs(home)) == 4


def counting(folder, version="1"):
    """Return a task that is kept, and leaves a file in a folder each time it really runs."""

    @task(task_config=ONE_RANK, cache=True, cache_version=version)
    def counted(number, *, fails=False):
        import tempfile

        tempfile.mkstemp(dir=folder)
        if fails:
            raise LookupError(number)
        return {"number": number}

    return counted


def test_a_kept_result_runs_no_job(home, tmp_path):
    counted = counting(str(tmp_path), "a")
    first = counted(1)
    runs = len(list(tmp_path.iterdir()))
    assert (counted(number=1, fails=False), len(list(tmp_path.iterdir()))) == (first, runs)


def runs_of(folder, *calls):
    """Return how many of these calls really ran."""
    for counted, argument in calls:
        counted(argument)
    return len([path for path in folder.iterdir() if path.is_file()])


def test_another_version_runs_anew(home, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    calls = [(counting(str(folder), version), 1) for version in ("a", "b")]
    assert runs_of(folder, *calls) == 2


def test_other_inputs_run_anew(home, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    counted = counting(str(folder))
    assert runs_of(folder, (counted, 1), (counted, 2), (counted, 1)) == 2


def test_a_failure_is_not_kept(home, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    counted = counting(str(folder))
    for _ in range(2):
        with pytest.raises(LookupError):
            counted(1, fails=True)
    assert len(list(folder.iterdir())) == 2


def test_fifty_who_ask_at_the_same_time_run_one_job(home, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    counted = counting(str(folder))
    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(counted, [7] * 50))
    assert (results, len(list(folder.iterdir()))) == ([{"number": 7}] * 50, 1)


def test_a_task_that_takes_too_long_is_ended(home):
    @task(task_config=ONE_RANK, timeout=1)
    def forever():
        import threading

        threading.Event().wait()

    with pytest.raises(TimedOut, match=r"job forever-\w+ took longer than it may"):
        forever()


def test_ranks_have_the_task_s_variables(home):
    @task(task_config=TWO_RANKS, environment={"COLOUR": "a red = one"})
    def colour():
        import os

        return os.environ["COLOUR"]

    assert colour.all_ranks() == ["a red = one"] * 2


def test_code_with_a_loop_of_its_own_may_call_a_task_plainly(home):
    async def whole():
        return mpi_task(2)

    assert asyncio.run(whole()) == 5


def test_code_with_a_loop_of_its_own_may_await_a_task(home):
    async def whole():
        return await asyncio.gather(mpi_task.run(3), mpi_task.run(4))

    assert asyncio.run(whole()) == [7, 9]


ENDLESS = """
import signal, threading
from mpijob.sdk import MPIJob, task

# A shell has what it runs in the background ignore Ctrl-C, and these tests may be run so.
signal.signal(signal.SIGINT, signal.default_int_handler)

@task(task_config=MPIJob(num_workers=2, num_launcher_replicas=1))
def endless():
    print("begun")
    threading.Event().wait()

endless()
"""


def test_ctrl_c_ends_the_job_and_clears_it_away(home, tmp_path):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as python:
        assert python.stdout.readline() == "begun\n"
        python.send_signal(signal.SIGINT)
        _, told = python.communicate(timeout=60)
    assert (told.splitlines()[-1], jobs(home)) == ("KeyboardInterrupt", [])


def test_a_submitted_task_s_result_is_fetched_later(home):
    client = Client()
    name = client.submit(mpi_task, start=6).name
    assert client.result(name) == 13


def test_a_submitted_task_s_exception_is_raised_where_its_result_is_asked_for(home):
    client = Client()
    name = client.submit(refuse, 4).name
    with pytest.raises(LookupError, match="no 4") as caught:
        client.result(name)
    assert caught.value.__cause__.rank == 1


def test_a_submitted_task_that_is_deleted_leaves_no_folder_of_its_call(home):
    client = Client()
    name = client.submit(mpi_task, start=6).name
    client.wait(name)
    client.delete(name)
    assert list(home.path.glob("calls/*")) == []


def test_a_client_runs_a_task_as_a_call_does(home):
    assert Client().run(mpi_task, 8) == 17


def test_a_function_may_go_as_its_source(home):
    @task(task_config=TWO_RANKS, as_source=True)
    def rank():
        from mpi4py import MPI

        return MPI.COMM_WORLD.Get_rank()

    assert rank.all_ranks() == [0, 1]


def test_mpi4py_that_is_missing_is_told_with_what_to_do(home, tmp_path):
    (tmp_path / "mpi4py.py").write_text("raise ImportError('it is not here')")

    @task(task_config=ONE_RANK, environment={"PYTHONPATH": str(tmp_path)})
    def idle():
        return 1

    with pytest.raises(JobFailed, match=r"mpi4py cannot be imported by .*packages_to_install"):
        idle()


@pytest.mark.slow
def test_packages_are_there_before_the_function_is_called(home, wheel):
    # pip takes its second.
    @task(task_config=TWO_RANKS, packages_to_install=[wheel("mpijob_example")])
    def name():
        import mpijob_example

        return mpijob_example.NAME

    assert name.all_ranks() == ["mpijob_example"] * 2


@pytest.mark.parametrize("name", EXPECTED)
def test_a_task_runs_on_every_mpi(home, mpi_named, name):
    @task(task_config=TWO_RANKS, where=Here(mpi=mpi_named(name).mpirun))
    def library():
        from mpi4py import MPI

        return MPI.COMM_WORLD.Get_size(), MPI.Get_library_version().partition(" ")[0]

    kind = "MPICH" if name.startswith("mpich") else "Open"
    assert library.all_ranks() == [(2, kind)] * 2


def test_ranks_on_another_mpi_than_their_mpirun_s_are_told(home, mpi_named):
    another = f"{mpi_named('openmpi-5').prefix}/lib"

    @task(
        task_config=TWO_RANKS,
        where=Here(mpi=mpi_named("mpich-5").mpirun),
        environment={"MPI4PY_LIBMPI": another},
    )
    def idle():
        return 1

    with pytest.raises(RanksDisagree, match=r"a rank sees 1 rank, and the job has 2: .* on Open"):
        idle()
