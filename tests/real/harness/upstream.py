"""Other operators' own files at releases that we answer to: fetched, and never kept by us."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.binaries import go_command
from harness.unavailable import Unavailable


@dataclass(frozen=True, slots=True)
class Release:
    """A release of an operator, as a Go module.

    Args:
        module: The module and its version.
        sum: What Go's own checksum of it is: nobody can give us another.
        definition: Where in it MPIJobs are defined.
        examples: Where its examples are.

    """

    module: str
    sum: str
    definition: str
    examples: str = "examples"


_KUBEFLOW = "github.com/kubeflow"
#: The release that we answer to, and those that had the older versions.
NEWEST = Release(
    f"{_KUBEFLOW}/mpi-operator@v0.8.2",
    "h1:7PVtV31iX3LSVW0BqRQ64w/NYNfAgP86Bmua2OEi5lg=",
    "manifests/base/kubeflow.org_mpijobs.yaml",
    "examples/v2beta1",
)
WITH_ALL = Release(
    f"{_KUBEFLOW}/mpi-operator@v0.3.0",
    "h1:XF4K66K8+X2KE7cZGU1LIcjW1qiiFjlZiM53CrSF+Lc=",
    "manifests/base/crd.yaml",
)
OLDEST = Release(
    f"{_KUBEFLOW}/mpi-operator@v0.2.1",
    "h1:0dX6GKaxrulTJWvptXeCpBvr0IjSW877ooTzhm7+C7A=",
    "deploy/crd/crd-v1alpha2.yaml",
)
TRAINING = Release(
    f"{_KUBEFLOW}/training-operator@v1.9.4",
    "h1:MjYXzeaHGBmF47BlhCo6+Mb7ypHrVfO6vsys1ZHF56A=",
    "manifests/base/crds/kubeflow.org_mpijobs.yaml",
    "examples/mpi",
)


@cache
def folder(release: Release = NEWEST) -> Path:
    """Return where Go keeps the unpacked module.

    Raises:
        Unavailable: There is no Go, it cannot fetch the module, or that is not the one we know.
    """
    words = [str(go_command()), "mod", "download", "-json", release.module]
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(
            words, cwd=nowhere, capture_output=True, text=True, check=False, timeout=300
        )
    told = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    if told.get("Sum") != release.sum:
        reason = told.get("Error") or done.stderr.strip() or f"its sum is {told.get('Sum')}"
        raise Unavailable(f"{release.module} cannot be had: {reason}")
    return Path(told["Dir"])


def definition(release: Release = NEWEST) -> dict[str, Any]:
    """Return a release's definition of MPIJobs."""
    return _read(folder(release) / release.definition)[0]


def examples(release: Release = NEWEST) -> list[Path]:
    """Return the files of a release's examples."""
    return sorted((folder(release) / release.examples).rglob("*.yaml"))


def _read(path: Path) -> list[dict[str, Any]]:
    return list(yaml.load_all(path.read_text(), yaml.CSafeLoader))
