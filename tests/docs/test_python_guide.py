"""What the guide has people write in Python does what it says."""

import os
import re
import subprocess
import sys

import pytest


@pytest.mark.mpi
def test_the_blocks_of_the_guide_are_one_script_that_runs(root, tmp_path):
    text = (root / "docs" / "guide" / "python.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    script = tmp_path / "guide.py"
    script.write_text("\n\n".join(blocks))
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env={**os.environ, "MPIJOB_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
