"""Functions that are called here and run on a cluster, their results by a volume that both see."""

from pathlib import Path

import pytest

from mpijob.sdk import Client, JobFailed, MPIJob, Resources, TimedOut, task

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

TWO_RANKS = MPIJob(num_workers=2, num_launcher_replicas=1)
LARGE = 64 << 20


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


@pytest.fixture
def on_cluster(calls, images, tmp_path, monkeypatch):
    """Return what sends a task there, in the image with Python."""
    from msgspec.structs import replace

    from mpijob.sdk import Task

    monkeypatch.setenv("MPIJOB_HOME", str(tmp_path))

    def sent(wanted):
        terms = replace(wanted.terms, container_image=images["python"], where=calls)
        return Task(wanted.function, terms)

    return sent


def test_the_document_s_decorator_runs_on_real_nodes(on_cluster):
    assert mpi_task.function.__name__ == "mpi_task"
    assert on_cluster(mpi_task)(5) == 11


def test_what_ranks_print_there_is_printed_here(on_cluster, capfdbinary):
    on_cluster(mpi_task)(7)
    lines = capfdbinary.readouterr().out.splitlines()
    assert {b"rank 0 adds 7", b"rank 1 adds 8"} <= set(lines)


def test_ranks_are_on_their_workers(on_cluster):
    @on_cluster
    @task(task_config=TWO_RANKS)
    def host():
        import socket

        return socket.gethostname()[-9:]

    assert host.all_ranks() == ["-worker-0", "-worker-1"]


def test_an_exception_there_is_raised_here_with_its_place(on_cluster):
    @on_cluster
    @task(task_config=TWO_RANKS)
    def refuse():
        from mpi4py import MPI

        if MPI.COMM_WORLD.Get_rank() == 1:
            raise LookupError("not today")
        MPI.COMM_WORLD.Barrier()

    with pytest.raises(LookupError, match="not today") as caught:
        refuse()
    place = caught.value.__cause__
    told = place.rank, place.host[-9:], 'raise LookupError("not today")' in place.traceback
    assert told == (1, "-worker-1", True)


def test_arguments_and_results_may_be_large(on_cluster):
    @on_cluster
    @task(task_config=TWO_RANKS)
    def turned(content):
        return content[::-1]

    assert turned(b"a" + b"b" * LARGE) == b"b" * LARGE + b"a"


def test_a_function_without_its_python_is_told(on_cluster):
    @on_cluster
    @task(task_config=TWO_RANKS, packages_to_install=["no-such-package-of-anybody"])
    def idle():
        return 1

    with pytest.raises(JobFailed, match=r"pip|no-such-package"):
        idle()


def test_an_image_without_mpi4py_is_told(calls, images):
    @task(task_config=TWO_RANKS, container_image=images["examples-4"], where=calls)
    def idle():
        return 1

    with pytest.raises(JobFailed, match=r"mpi4py cannot be imported by .*packages_to_install"):
        idle()


def test_a_submitted_task_s_result_is_fetched_later(on_cluster, calls):
    client = Client(calls)
    name = client.submit(on_cluster(mpi_task), 9).name
    result = client.result(name)
    log = "".join(client.logs(name))
    client.delete(name)
    names = [state.name for state in client.list()]
    assert (result, "rank 0 adds 9" in log, name in names) == (19, True, False)


def test_calls_leave_nothing_in_their_storage(on_cluster, calls):
    on_cluster(mpi_task)(3)
    failed = [path for path in Path(calls.storage).iterdir() if (path / "returned-0").exists()]
    assert failed == []


def test_modules_of_the_user_go_with_the_function(on_cluster, tmp_path, monkeypatch):
    (tmp_path / "own_module.py").write_text("def doubled(number):\n    return 2 * number\n")
    monkeypatch.syspath_prepend(tmp_path)

    @on_cluster
    @task(task_config=TWO_RANKS)
    def twice(number):
        from own_module import doubled

        return doubled(number)

    assert twice.all_ranks(4) == [8, 8]


def test_an_image_that_is_not_there_is_told(calls, capfd):
    @task(
        task_config=TWO_RANKS,
        container_image="mpijob.test/absent:1",
        timeout=30,
        where=calls,
    )
    def idle():
        return 1

    with pytest.raises(TimedOut):
        idle()
    assert "mpijob.test/absent:1" in capfd.readouterr().err
