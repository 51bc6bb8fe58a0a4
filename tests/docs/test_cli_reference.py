"""The reference of the command line says what the commands say."""

import subprocess
import sys


def test_the_reference_is_what_the_tool_writes(root):
    tool = [sys.executable, str(root / "tools" / "cli_reference.py")]
    written = subprocess.run(tool, capture_output=True, text=True, check=True, timeout=60).stdout
    assert (root / "docs" / "reference" / "cli.md").read_text() == written
