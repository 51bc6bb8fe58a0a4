"""What a person sees while a job runs: lines that change on a terminal, notes in a file."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from mpijob.api.new_job import NewJob, manifest
from mpijob.cli.watching import Lines, Notes, Silence, watching

MPIJOB = Path(sys.executable).with_name("mpijob")


def _seen(descriptor: int) -> str:
    """Return what a terminal was sent, until nobody holds its other end."""
    pieces = []
    while True:
        try:
            piece = os.read(descriptor, 1 << 14)
        except OSError:
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(descriptor)
    return b"".join(pieces).decode()


@pytest.fixture
def on_a_terminal(home):
    """Return what runs mpijob with a terminal for stderr: what it printed, and what was seen."""

    def run(*words: str) -> tuple[str, str]:
        seer, terminal = pty.openpty()
        with subprocess.Popen([MPIJOB, *words], stdout=subprocess.PIPE, stderr=terminal) as running:
            os.close(terminal)
            seen = _seen(seer)
            out, _ = running.communicate(timeout=60)
        return out.decode(), seen

    return run


def test_a_terminal_shows_the_job_coming_along(on_a_terminal, tmp_path):
    job = manifest(NewJob(name="pi", command=()))
    launcher = job["spec"]["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]["containers"][0]
    launcher["command"] = ["echo", "hi"]
    (tmp_path / "job.json").write_text(json.dumps(job))
    out, seen = on_a_terminal("run", "--pods", "plain", str(tmp_path / "job.json"))
    assert (out, "pi-worker-0" in seen, "pi succeeded in" in seen) == ("hi\n", True, True)


def test_a_dry_run_has_nothing_to_show(on_a_terminal):
    out, seen = on_a_terminal("run", "--dry-run", "--", "echo", "hi")
    assert (out.startswith("apiVersion"), seen) == (True, "")


def test_a_file_gets_notes(capfd):
    assert isinstance(watching(quiet=False), Notes)


def test_who_wants_silence_gets_it():
    assert isinstance(watching(quiet=True), Silence)


def test_lines_that_were_never_shown_can_be_stopped():
    lines = Lines()
    lines.stop()
    assert lines.tick_s is None
