"""What Flyte's own plugin makes of a task, and what we make of it, over drawn tasks.

Its side runs in an environment of its own, `.mpi/flyte`: see drawn.py.
"""

import fcntl
import json
import os
import runpy
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from mpijob.flyte import serialize
from mpijob.flyte.serialize import Said
from mpijob.sdk import task_config
from mpijob.sdk.task_config import Resources

# `make mpi` brings flytekit; importing it takes seconds.
pytestmark = [pytest.mark.mpi, pytest.mark.slow, pytest.mark.timeout(400)]
DRAWN = Path(__file__).with_name("drawn.py")
draws = SimpleNamespace(**runpy.run_path(str(DRAWN)))
COUNT = 1200
TASKS = [draws.drawn(seed) for seed in range(COUNT)]
#: Which software registered the task, and under which name it found the function.
WHO = ("id", "runtime", "generatesDeck", "metadata")


@pytest.fixture(scope="module")
def theirs(flytekit, tmp_path_factory):
    """What flytekit makes of every drawn task; asked once, whichever process of the tests asks."""
    of_this_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    kept = tmp_path_factory.getbasetemp().parent / f"flyte-{of_this_run}.json"
    with open(kept, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not kept.stat().st_size:
            file.write(flytekit(str(DRAWN), stdin=json.dumps(TASKS)))
        file.seek(0)
        return json.load(file)


@cache
def ours(seed):
    """What we make of the task of a seed, or what is wrong with it."""
    task = TASKS[seed]
    try:
        config = draws.config(task, task_config)
        task_config.check(config)
        base = task_config.base_command(draws.MODULE, draws.FUNCTION)
        return {
            "command": task_config.get_command(config, base),
            "custom": task_config.get_custom(config),
            "template": serialize.template(function(), config, said(task)),
        }
    except ValueError as error:
        return {"error": str(error)}


def function():
    """The function of every drawn task, by the name of its module on the other side."""
    draws.train.__module__ = draws.MODULE
    return draws.train


def said(task):
    amounts = {kind: task[kind] and Resources(**task[kind]) for kind in ("requests", "limits")}
    words = ("image", "retries", "timeout_s", "environment", "cache_version")
    return Said(**amounts, **{word: task[word] for word in words})


def is_empty(task):
    """Say whether a task has no worker, of which flytekit finds out nothing."""
    return not (task["config"].get("num_workers") or task["config"]["worker"]["replicas"])


def pairs(theirs, part):
    """Yield what we make and what they make of each drawn task that is sound for them."""
    for seed, answer in enumerate(theirs):
        if part in answer and not is_empty(TASKS[seed]):
            yield ours(seed)[part], answer[part]


def test_a_thousand_tasks_are_sound_and_some_are_not(theirs):
    wrong = [answer for answer in theirs if "error" in answer]
    assert (len(theirs) - len(wrong) > 1000, len(wrong) > 20) == (True, True)


@pytest.mark.parametrize("part", ["command", "custom"])
def test_of_every_task_is_made_what_flytes_plugin_makes(theirs, part):
    assert [pair for pair in pairs(theirs, part) if pair[0] != pair[1]] == []


def test_of_every_task_is_serialised_what_flytekit_serialises(theirs):
    for one, other in pairs(theirs, "template"):
        assert unsigned(one) == unsigned(other)


def unsigned(template):
    """Return a template without what tells who wrote it, or in which order it lists amounts."""
    about = {name: value for name, value in template["metadata"].items() if name not in WHO}
    rest = {name: value for name, value in template.items() if name not in WHO}
    container = {**template["container"], "resources": by_name(template["container"]["resources"])}
    return {**rest, "metadata": about, "container": container}


def by_name(resources):
    return {
        kind: {entry["name"]: entry["value"] for entry in entries}
        for kind, entries in resources.items()
    }


def test_what_flytes_plugin_refuses_is_refused(theirs):
    wrong = [seed for seed, answer in enumerate(theirs) if "error" in answer]
    assert [TASKS[seed] for seed in wrong if "error" not in ours(seed)] == []


def test_a_task_without_workers_is_refused_here_and_later_there():
    empty = [seed for seed, task in enumerate(TASKS) if is_empty(task)]
    assert [TASKS[seed] for seed in empty if "error" not in ours(seed)] == []
