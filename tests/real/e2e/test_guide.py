"""What docs/guide/on-a-cluster.md tells a person to type does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.recipes import TOP

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

_GUIDE = (TOP / "docs" / "guide" / "on-a-cluster.md").read_text()


@pytest.mark.timeout(600, func_only=True)
def test_a_person_who_types_what_stands_there(site, images, tmp_path):
    programs = [Path(sys.executable).parent, Path(site.cluster.binaries["kubectl"]).parent]
    environment = {
        "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        "HOME": str(tmp_path),
        "KUBECONFIG": site.cluster.kubeconfig,
        "OPERATOR": images["operator"],
        "DELIVERY": images["kubectl-delivery"],
        "IMAGE": images["user"],
    }
    failed = []
    for line in re.findall(r"^\$ (.*)$", _GUIDE, flags=re.MULTILINE):
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode != 0:
            failed.append((line, done.returncode, done.stdout[-500:], done.stderr[-500:]))
    assert failed == []
