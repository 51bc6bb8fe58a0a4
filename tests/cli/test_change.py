"""`suspend`, `resume`, `scale`: fields of jobs that stand."""

import pytest

from mpijob.cli import change, exits, resume, scale, suspend

COMMANDS = {"suspend": suspend, "resume": resume, "scale": scale, "change": change}

CHANGES = {
    "suspend": (("suspend", "pi"), "suspended", ("runPolicy", "suspend"), True),
    "resume": (("resume", "pi"), "resumed", ("runPolicy", "suspend"), False),
    "scale": (
        ("scale", "pi", "--replicas", "5"),
        "scaled to 5 workers",
        ("mpiReplicaSpecs", "Worker", "replicas"),
        5,
    ),
}


@pytest.mark.parametrize(("words", "said", "path", "want"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_said_and_done(mpijob, store, words, said, path, want):
    store.job("pi")
    answer = mpijob(*words)
    found = store.get("pi")["spec"]
    for key in path:
        found = found[key]
    assert (answer.out, found) == (f"mpijob.kubeflow.org/pi {said}\n", want)


def test_all_jobs_of_a_namespace(mpijob, store):
    store.job("pi")
    store.job("train")
    assert mpijob("suspend", "--all").out.split("\n")[:2] == [
        "mpijob.kubeflow.org/pi suspended",
        "mpijob.kubeflow.org/train suspended",
    ]


def test_a_finished_job_is_beyond_change(mpijob, store):
    store.job("pi")
    store.told("pi", ("Succeeded", "MPIJobSucceeded"))
    answer = mpijob("suspend", "pi")
    assert (answer.code, answer.err) == (
        exits.FAILED,
        "error: mpijob.kubeflow.org/pi has finished (Succeeded): it cannot be suspended\n",
    )


def test_all_jobs_leaves_finished_ones_alone(mpijob, store):
    store.job("pi")
    store.told("pi", ("Succeeded", "MPIJobSucceeded"))
    assert mpijob("suspend", "--all").code == exits.OK


WRONG = {
    "no job named": ("suspend",),
    "names and all": ("resume", "pi", "--all"),
    "no workers": ("scale", "pi", "--replicas", "0"),
    "no number of workers": ("scale", "pi"),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_wrong_input(mpijob, words):
    assert mpijob(*words).code == exits.INVALID


def test_a_job_that_is_not_there(mpijob):
    assert mpijob("suspend", "pi").code == exits.NOT_FOUND
