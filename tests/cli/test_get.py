"""`mpijob get`."""

import json

import pytest
import yaml

from mpijob.api.new_job import NewJob, manifest
from mpijob.cli import exits


@pytest.fixture
def jobs(store):
    """Three jobs: one new, one running, one that has failed."""
    for name in ("fresh", "pi", "train"):
        store.job(name)
    store.told(
        "pi", ("Created", "MPIJobCreated"), ("Running", "MPIJobRunning"),
        replicaStatuses={"Launcher": {"active": 1}, "Worker": {"active": 2}},
    )  # fmt: skip
    store.told("train", ("Created", "MPIJobCreated"), ("Failed", "BackoffLimitExceeded"))


def _words(text: str) -> list[list[str]]:
    return [line.split()[:4] for line in text.splitlines()]


def test_jobs_are_listed_in_order_of_their_names(mpijob, jobs):
    assert _words(mpijob("get").out) == [
        ["NAME", "STATE", "READY", "RESTARTS"],
        ["fresh", "Pending", "0/2", "0"],
        ["pi", "Running", "2/2", "0"],
        ["train", "Failed", "0/2", "0"],
    ]


def test_only_those_that_are_named(mpijob, jobs):
    assert [row[0] for row in _words(mpijob("get", "pi", "train").out)] == ["NAME", "pi", "train"]


def test_the_wide_table_says_why(mpijob, jobs):
    assert mpijob("get", "train", "-o", "wide").out.split()[-1] == "BackoffLimitExceeded"


def test_all_namespaces_have_a_column(mpijob, jobs):
    assert mpijob("get", "-A").out.split()[:2] == ["NAMESPACE", "NAME"]


def test_names_for_programs(mpijob, jobs):
    assert mpijob("get", "-o", "name", "pi").out == "mpijob.kubeflow.org/pi\n"


def test_one_named_job_is_itself(mpijob, jobs):
    assert json.loads(mpijob("get", "pi", "-o", "json").out)["kind"] == "MPIJob"


def test_several_jobs_are_a_list(mpijob, jobs):
    found = yaml.safe_load(mpijob("get", "-o", "yaml").out)
    assert (found["kind"], len(found["items"])) == ("List", 3)


def test_labels_select(mpijob, store):
    store.job("pi")
    blue = manifest(NewJob(name="blue", namespace="default", command=("./pi",)))
    blue["metadata"]["labels"] = {"colour": "blue"}
    store.create(blue)
    assert mpijob("get", "-l", "colour in (blue, green)", "-o", "name").out.split() == [
        "mpijob.kubeflow.org/blue"
    ]


def test_no_jobs_is_no_failure(mpijob):
    answer = mpijob("get")
    assert (answer.code, answer.out, answer.err) == (
        exits.OK,
        "",
        "No jobs found in namespace default.\n",
    )


MISSING = {
    "a name near another": (("get", "trian"), "did you mean “train”?"),
    "a name near none": (("get", "xyzzy"), "`mpijob get -A` lists all jobs"),
    "a name of another namespace": (
        ("get", "pi", "-n", "other"),
        "there is one in namespace default: add -n default",
    ),
}


@pytest.mark.parametrize(("words", "hint"), MISSING.values(), ids=MISSING)
def test_a_job_that_is_not_there_gets_a_hint(mpijob, jobs, words, hint):
    answer = mpijob(*words)
    assert (answer.code, answer.err.splitlines()[1]) == (exits.NOT_FOUND, f"hint: {hint}")


WRONG = {
    "a selector that is none": ("get", "-l", "a=b=c"),
    "a name in every namespace": ("get", "pi", "-A"),
    "a format that is none": ("get", "-o", "xml"),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_wrong_input(mpijob, words):
    assert mpijob(*words).code == exits.INVALID
