"""Who runs a job is a lock that the kernel frees, and a note of who held it last."""

import os
import subprocess
import sys

import pytest

from mpijob.local import backend, claim


@pytest.fixture
def path(tmp_path):
    return tmp_path / "supervisor"


def test_a_job_is_claimed_once(path):
    held = claim.claimed(path)
    assert claim.claimed(path) is None
    held.release()


def test_a_released_job_may_be_claimed_again(path):
    claim.claimed(path).release()
    again = claim.claimed(path)
    assert again is not None
    again.release()


def test_a_claim_goes_with_its_process_and_leaves_its_name(path):
    script = (
        "import sys; from pathlib import Path; from mpijob.local import claim; "
        "claim.claimed(Path(sys.argv[1])).sign(); print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        while_alive = claim.claimed(path)
        process.kill()
    after = claim.claimed(path)
    assert (while_alive, claim.owner(path).pid) == (None, process.pid)
    after.release()


def test_a_claim_can_be_handed_on_to_a_child(path):
    held = claim.claimed(path)
    descriptor = held.descriptor
    script = (
        "import sys; from pathlib import Path; from mpijob.local import claim; "
        "claim.inherited(Path(sys.argv[1]), int(sys.argv[2])); print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(path), str(descriptor)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[descriptor]
    ) as process:
        process.stdout.readline()
        held.release()
        assert claim.claimed(path) is None
        process.kill()


def test_nobody_ever_ran_a_job_without_a_note(path):
    assert claim.owner(path) is None
    path.write_text("")
    assert claim.owner(path) is None


@pytest.mark.parametrize(
    ("boot", "want"),
    {
        "another": ("another", "the machine was restarted while the job ran (last seen at "),
        "this one": (None, f"mpijob (process {os.getpid()}) ended without having finished "),
    }.values(),
    ids=["another boot", "this boot"],
)
def test_the_next_command_says_what_became_of_the_supervisor(path, boot, want, monkeypatch):
    held = claim.claimed(path)
    if boot is not None:
        monkeypatch.setattr(claim, "_boot", lambda: boot)
    held.sign()
    monkeypatch.undo()
    assert backend._obituary(claim.owner(path)).startswith(want)
    held.release()
