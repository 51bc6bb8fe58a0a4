"""The benchmarks write what their readers expect."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_benchmark_writes_its_figure_beside_its_floor(root, tmp_path):
    # It runs `mpijob version` sixteen times, which takes a second; whether it was quick enough is
    # for `make bench` to say.
    output = tmp_path / "results.json"
    subprocess.run(
        [sys.executable, root / "bench" / "run.py", "--output", output, "cli/version"],
        capture_output=True,
        check=False,
        timeout=100,
    )
    [result] = json.loads(output.read_text())
    numbers = ("ours", "floor", "ratio")
    shape = {key: type(value) for key, value in result.items()}
    assert shape == {"name": str, "unit": str, **dict.fromkeys(numbers, float)}
