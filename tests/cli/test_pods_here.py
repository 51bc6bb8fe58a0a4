"""The openmpi package's pods on this machine, by the command line: each takes some seconds."""

import pytest

from mpijob.cli import exits

pytestmark = pytest.mark.slow
GENERATE = ("generate", "openmpi", "hello", "-p", "image=this", "-p", "secret=none")


def applied(mpijob, command, *words):
    return mpijob(*GENERATE, "-p", "workers=1", "-p", f"exec={command}", "--apply", *words)


def test_who_waits_sees_the_masters_output_and_gets_its_exit_code(mpijob):
    answer = applied(mpijob, "echo hello; exit 3", "--wait")
    assert (answer.code, answer.out) == (3, "hello\n"), answer.err


def test_the_log_stays_until_the_pods_are_deleted(mpijob):
    applied(mpijob, "echo hello", "--wait")
    logs = mpijob("logs", "hello-master")
    gone = mpijob("delete", "hello")
    after = mpijob("logs", "hello-master")
    assert (logs.out, gone.out, after.code) == (
        "hello\n",
        "pods of hello deleted\n",
        exits.NOT_FOUND,
    )


def test_pods_that_have_ended_make_room_for_those_that_come(mpijob):
    applied(mpijob, "echo one", "--wait")
    assert applied(mpijob, "echo two", "--wait").out == "two\n"


def test_pods_that_run_by_themselves_can_be_followed_and_deleted(mpijob):
    made = applied(mpijob, "echo hello; sleep 60")
    followed = mpijob("delete", "hello")
    assert (made.code, "mpijob logs -f hello-master" in made.err, followed.code) == (
        exits.OK,
        True,
        exits.OK,
    )
