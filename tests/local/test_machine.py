"""What a machine is, as far as a process may use it."""

import os

import pytest

from mpijob.local.machine import machine


def test_there_are_as_many_cpus_as_this_process_may_use():
    assert 1 <= machine({}).cpu_milli <= 1000 * len(os.sched_getaffinity(0))


def test_fewer_cpus_are_told_of_where_fewer_are_allowed():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert machine({}).cpu_count == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_the_memory_is_at_most_what_is_built_in():
    built_in = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < machine({}).memory_bytes <= built_in


GPUS = {
    "those that the person says there are": ({"MPIJOB_GPUS": "2"}, ("0", "1")),
    "none, if the person says so": ({"MPIJOB_GPUS": "0", "CUDA_VISIBLE_DEVICES": "0"}, ()),
    "those that are left visible": ({"CUDA_VISIBLE_DEVICES": "3, GPU-1a2b"}, ("3", "GPU-1a2b")),
    "none, where all are hidden": ({"CUDA_VISIBLE_DEVICES": ""}, ()),
    "none, where all are hidden by an old habit": ({"CUDA_VISIBLE_DEVICES": "-1"}, ()),
}


@pytest.mark.parametrize(("environ", "want"), GPUS.values(), ids=GPUS)
def test_the_gpus_are(environ, want):
    assert machine(environ).gpus == want


def test_the_user_and_the_machine_are_named():
    told = machine({})
    assert (told.is_root, told.hostname, bool(told.user)) == (
        os.geteuid() == 0,
        os.uname().nodename,
        True,
    )


def test_a_network_is_told_of_as_a_fact():
    assert machine({}).has_network in {True, False}
