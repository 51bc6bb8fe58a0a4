"""Announcements on the wire."""

from mpijob.api.events import event
from mpijob.core.job import Identity, Key
from mpijob.core.plan import Announce
from mpijob.testing.worlds import NOON, seconds_later

JOB = Identity(Key("default", "pi"), "pi-uid", "7")
NEWS = Announce("MPIJobRunning", "MPIJob default/pi is running")


def test_clients_find_the_events_of_a_job_by_these_fields():
    made = event(JOB, NEWS, NOON)
    about = made["involvedObject"]
    assert (about["kind"], about["name"], about["uid"], made["type"], made["source"]) == (
        "MPIJob",
        "pi",
        "pi-uid",
        "Normal",
        {"component": "mpi-job-controller"},
    )


def test_news_of_another_second_is_another_event():
    names = {event(JOB, NEWS, at)["metadata"]["name"] for at in (NOON, NOON, seconds_later(1))}
    assert len(names) == 2
