"""mpi-operator's own files at the release that we answer to: fetched, and never kept by us."""

import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.binaries import go_command
from harness.unavailable import Unavailable

MODULE = "github.com/kubeflow/mpi-operator@v0.8.2"
#: What Go's own checksum of the module is: nobody can give us another.
SUM = "h1:7PVtV31iX3LSVW0BqRQ64w/NYNfAgP86Bmua2OEi5lg="


@cache
def folder() -> Path:
    """Return where Go keeps the unpacked module.

    Raises:
        Unavailable: There is no Go, it cannot fetch the module, or that is not the one we know.
    """
    words = [str(go_command()), "mod", "download", "-json", MODULE]
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(
            words, cwd=nowhere, capture_output=True, text=True, check=False, timeout=300
        )
    told = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    if told.get("Sum") != SUM:
        reason = told.get("Error") or done.stderr.strip() or f"its sum is {told.get('Sum')}"
        raise Unavailable(f"{MODULE} cannot be had: {reason}")
    return Path(told["Dir"])


def definition() -> dict[str, Any]:
    """Return mpi-operator's definition of MPIJobs."""
    return _read(folder() / "manifests" / "base" / "kubeflow.org_mpijobs.yaml")[0]


def examples() -> list[Path]:
    """Return the files of its examples for v2beta1."""
    return sorted((folder() / "examples" / "v2beta1").rglob("*.yaml"))


def _read(path: Path) -> list[dict[str, Any]]:
    return list(yaml.load_all(path.read_text(), yaml.CSafeLoader))
