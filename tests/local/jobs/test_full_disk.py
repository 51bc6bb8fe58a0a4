"""A disk that fills up while a job runs is told plainly, and the job's end is not lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "on_small_disk.py"


@pytest.mark.root  # It mounts a small disk, in a mount namespace of its own.
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
@pytest.mark.slow  # What could not be written is tried again after a second.
def test_a_job_whose_end_could_not_be_written_down_says_it_when_there_is_room(tmp_path):
    (tmp_path / "disk").mkdir()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path / "disk")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split("\n")) == (0, ["disk full", "Succeeded", ""])
