"""`mpijob sim`: what it prints, and how it exits."""

import gc
import logging

import pytest
from click.testing import CliRunner

from mpijob.cli.sim import command
from mpijob.core import reconcile


@pytest.fixture(autouse=True)
def _quiet_no_longer_than_the_test():
    """Undo what `mpijob sim` does to its process, which here is the process of all tests."""
    logger, thresholds = logging.getLogger("mpijob"), gc.get_threshold()
    level = logger.level
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    logger.setLevel(level)


def run(*words):
    # Not the group: that one ends the process.
    return CliRunner().invoke(command, words, standalone_mode=False)


def test_histories_that_go_well_are_summed_up():
    done = run("--seeds", "3", "--from", "10")
    assert (done.return_value, done.output.partition(" (")[0]) == (
        0,
        "3 histories, seeds 10 to 12, broke no property",
    )


def test_one_history_that_goes_well_says_so():
    done = run("--seed", "3")
    assert (done.return_value, done.output) == (0, "seed 3: no property is broken\n")


def test_a_trace_begins_with_what_was_drawn():
    lines = run("--seed", "3", "--trace").output.splitlines()
    assert [line.partition(":")[0] for line in lines[:5]] == [
        "weather",
        "operator",
        "version",
        "program",
        "job",
    ]


@pytest.fixture
def _idle(monkeypatch):
    """An operator that never has anything to do, and so never starts a job."""
    monkeypatch.setattr(reconcile, "_acts", lambda *_: ())


@pytest.mark.usefixtures("_idle")
def test_a_history_that_goes_wrong_exits_1():
    assert run("--seeds", "5").return_value == 1


@pytest.mark.usefixtures("_idle")
def test_a_history_that_goes_wrong_names_the_command_that_plays_it_again():
    lines = run("--seeds", "5").output.splitlines()
    broken = next(line for line in lines if line.startswith("seed "))
    seed = broken.split(":")[0].removeprefix("seed ")
    assert f"    mpijob sim --seed {seed} --shrink --trace" in lines


@pytest.mark.usefixtures("_idle")
def test_a_shrunk_history_ends_with_what_broke():
    done = run("--seed", "3", "--shrink", "--trace")
    assert (done.return_value, done.output.splitlines()[-1].startswith("seed 3: ")) == (1, True)


def test_a_trace_is_of_one_history():
    assert "--seed" in str(run("--trace").exception)
