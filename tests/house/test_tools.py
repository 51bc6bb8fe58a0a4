"""The tools behind `make` say plainly what a machine lacks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


def _run(*words, **environment):
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def _interpreter(folder, says):
    """Return a stand-in for an interpreter that refuses with these words."""
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    path.chmod(0o755)
    return str(path)


def test_an_interpreter_that_will_do_is_named_by_its_own_path():
    code, chosen, _ = _run(TOOLS / "choose-python", sys.executable)
    chosen = chosen.strip()
    assert (code, chosen) == (0, os.path.realpath(chosen))


def test_a_missing_interpreter_is_said_to_be_missing():
    _, _, complaint = _run(TOOLS / "choose-python", "no-such-python")
    assert complaint.startswith("mpijob: there is no 'no-such-python' here; install Python 3.11")


def test_an_interpreter_that_will_not_do_says_why_and_how_to_name_another(tmp_path):
    old = _interpreter(tmp_path, "python3 is Python 3.9; mpijob needs 3.11 or later")
    code, _, complaint = _run(TOOLS / "choose-python", old)
    assert (code, complaint.splitlines()) == (
        1,
        [
            "mpijob: python3 is Python 3.9; mpijob needs 3.11 or later",
            "mpijob: say which to use with make PYTHON=/path/to/python3",
        ],
    )


@pytest.mark.parametrize(
    ("ci", "code"), [("", 3), ("true", 1)], ids=["which a person may do without", "but not CI"]
)
@pytest.mark.parametrize(("tool", "what"), [("openmpi4", "Open MPI 4"), ("sshd", "sshd")])
def test_without_apt_there_is_nothing_to_unpack(tmp_path, tool, what, ci, code):
    for name in ("sh", "rm", "mkdir"):
        (tmp_path / name).symlink_to(shutil.which(name))
    found = _run(TOOLS / tool, tmp_path / tool, PATH=str(tmp_path), CI=ci)
    assert found == (code, "", f"no {what} for the tests: there is no apt here\n")
