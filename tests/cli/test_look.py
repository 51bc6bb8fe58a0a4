"""`describe`, `events`, `why`: what can be seen of a job."""

import json

import pytest

from mpijob.api.events import event
from mpijob.cli import describe, events, exits, why
from mpijob.core.job import Identity, Key
from mpijob.core.plan import Announce

MODULES = (describe, events, why)


@pytest.fixture
def job(store):
    """A job that was told of twice, without a pod."""
    store.job("pi")
    store.told("pi", ("Created", "MPIJobCreated"))
    identity = Identity(Key("default", "pi"), "u1", "7")
    from datetime import UTC, datetime

    for minute, reason in ((1, "MPIJobCreated"), (2, "MPIJobRunning")):
        told = Announce(reason, f"because {reason}")
        store.create(event(identity, told, datetime(2026, 1, 1, 12, minute, tzinfo=UTC)))


def test_events_come_in_order(mpijob, job):
    rows = [line.split() for line in mpijob("events", "pi").out.splitlines()]
    assert [row[2] for row in rows] == ["TYPE", "MPIJobCreated", "MPIJobRunning"]


def test_events_for_programs(mpijob, job):
    assert len(json.loads(mpijob("events", "-o", "json").out)["items"]) == 2


def test_no_events_is_no_failure(mpijob):
    answer = mpijob("events")
    assert (answer.code, answer.out, answer.err) == (0, "", "No events.\n")


def test_a_description_has_its_sections(mpijob, job):
    lines = mpijob("describe", "pi").out.splitlines()
    assert [line for line in lines if line.endswith(":")] == ["Conditions:", "Why:", "Events:"]


def test_a_description_of_every_job(mpijob, store):
    store.job("pi")
    store.job("train")
    lines = mpijob("describe").out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("Name:")] == ["pi", "train"]


def test_why_says_what_is_missing(mpijob, job):
    assert mpijob("why", "pi").out == (
        "waiting: 2 of 2 workers (pi-worker-0 … pi-worker-1) not created yet\n"
        "waiting: launcher not created yet\n"
    )


def test_why_says_what_is_wrong(mpijob, store):
    store.job("pi", slots=-1)
    found = json.loads(mpijob("why", "pi", "-o", "json").out)
    assert [(fact["weight"], fact["what"].split(":")[0]) for fact in found] == [
        ("cause", "spec.slotsPerWorker")
    ]


@pytest.mark.parametrize("name", ["describe", "events", "why"])
def test_a_job_that_is_not_there(mpijob, name):
    assert mpijob(name, "pi").code == exits.NOT_FOUND
