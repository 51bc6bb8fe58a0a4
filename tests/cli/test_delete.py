"""`mpijob delete`."""

import pytest

from mpijob.cli import exits
from mpijob.ports import NotFound


def test_a_deleted_job_is_gone(mpijob, store):
    store.job("pi")
    answer = mpijob("delete", "pi")
    with pytest.raises(NotFound):
        store.get("pi")
    assert (answer.code, answer.out) == (0, "mpijob.kubeflow.org/pi deleted\n")


def test_all_jobs_of_a_namespace(mpijob, store):
    store.job("pi")
    store.job("train")
    mpijob("delete", "--all")
    assert mpijob("get", "-o", "name").out == ""


def test_a_job_that_is_not_there(mpijob):
    assert mpijob("delete", "pi").code == exits.NOT_FOUND


def test_a_job_that_is_not_there_may_be_as_good(mpijob):
    assert mpijob("delete", "pi", "--ignore-not-found").code == exits.OK


def test_no_job_named_is_wrong_input(mpijob):
    assert mpijob("delete").code == exits.INVALID
