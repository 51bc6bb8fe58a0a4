"""Calls in a row leave no process, thread, file descriptor or folder behind."""

import os
import threading
from pathlib import Path

import pytest

from mpijob.sdk import MPIJob, task

pytestmark = pytest.mark.mpi


@task(task_config=MPIJob(num_workers=2, num_launcher_replicas=1))
def summed(number: int) -> int:
    """Return what two ranks add up."""
    from mpi4py import MPI

    return MPI.COMM_WORLD.allreduce(number)


def left(home):
    """Return what of this process, and in its home, could pile up."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    folders = {str(path.relative_to(home.path)) for path in home.path.rglob("*") if path.is_dir()}
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "children": children,
        "threads": threading.active_count(),
        "folders": folders,
    }


def after(home, calls):
    """Return what is left after so many calls, each of which did what it was to."""
    assert [summed(number) for number in range(calls)] == [2 * number for number in range(calls)]
    return left(home)


@pytest.mark.slow
def test_three_calls_leave_what_one_does(home):
    # Each starts an mpirun with two ranks.
    assert after(home, 1) == after(home, 3)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_calls_leave_what_one_does(home):
    assert after(home, 1) == after(home, 200)
