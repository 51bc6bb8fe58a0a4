"""`mpijob wait`."""

import subprocess
import sys
from pathlib import Path

import pytest

from mpijob.cli import exits, periods, wait

MPIJOB = Path(sys.executable).with_name("mpijob")
MODULES = (periods, wait)

ENDS = {
    "finished, well": (("Succeeded",), (), exits.OK),
    "finished, badly": (("Failed",), ("--for", "finished"), exits.OK),
    "a condition that is met": (("Succeeded",), ("--for", "condition=Succeeded"), exits.OK),
    "a condition in small letters": (("Running",), ("--for", "condition=running"), exits.OK),
    "a condition that is to be false": (
        ("Running",),
        ("--for", "condition=Running=false", "--timeout", "0"),
        exits.TIMED_OUT,
    ),
    "the other end": (("Failed",), ("--for", "condition=Succeeded"), exits.FAILED),
    "an invalid job": (("Invalid",), (), exits.INVALID),
    "the time is over": (("Created",), ("--timeout", "0"), exits.TIMED_OUT),
}


@pytest.mark.parametrize(("told", "words", "code"), ENDS.values(), ids=ENDS)
def test_waiting_ends(mpijob, store, told, words, code):
    store.job("pi")
    store.told("pi", *((type_, f"MPIJob{type_}") for type_ in told))
    assert mpijob("wait", "pi", *words).code == code


def test_it_says_how_the_job_ended(mpijob, store):
    store.job("pi")
    store.told("pi", ("Failed", "BackoffLimitExceeded"))
    assert mpijob("wait", "pi", "--for", "condition=Succeeded").err == (
        "error: mpijob.kubeflow.org/pi is Failed (BackoffLimitExceeded)\n"
    )


def test_a_job_that_is_gone_is_deleted(mpijob):
    assert mpijob("wait", "pi", "--for", "delete").code == exits.OK


def test_a_job_that_is_not_there_will_not_finish(mpijob):
    assert mpijob("wait", "pi").code == exits.NOT_FOUND


def test_a_deletion_is_waited_for(mpijob, store):
    store.job("pi")
    command = [MPIJOB, "wait", "pi", "--for", "delete"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        mpijob("delete", "pi")
        out, _ = waiting.communicate(timeout=60)
    assert (waiting.returncode, out in ("", "mpijob.kubeflow.org/pi deleted\n")) == (0, True)


PERIODS = {
    "bare seconds": ("90", 90.0),
    "seconds": ("1.5s", 1.5),
    "minutes": ("5m", 300.0),
    "all of them": ("1h30m5s", 5405.0),
}


@pytest.mark.parametrize(("text", "want"), PERIODS.values(), ids=PERIODS)
def test_a_period(text, want):
    assert periods.Period().convert(text, None, None) == want


WRONG = {
    "a period that is none": ("wait", "pi", "--timeout", "soon"),
    "an empty period": ("wait", "pi", "--timeout", ""),
    "nothing to wait for": ("wait", "pi", "--for", "condition=Done"),
    "no job": ("wait",),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_wrong_input(mpijob, words):
    assert mpijob(*words).code == exits.INVALID
