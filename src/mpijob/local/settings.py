"""How a job is to run on this machine, as far as its manifest does not say: kept with the job."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import asdict

#: What a container has of the caller's environment: this machine stands in for its image, and
#: these say how to use the machine. Everything else is the job's to say, as on a cluster.
_INHERITED = frozenset(
    {
        "HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "MANPATH",
        "MODULEPATH",
        "MODULESHOME",
        "PATH",
        "PYTHONPATH",
        "REQUESTS_CA_BUNDLE",
        "SHELL",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TERM",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    }
)
_INHERITED_PREFIXES = ("CONDA_", "CUDA_HOME", "CUDA_PATH", "LC_", "LMOD_", "OPENBLAS_", "ROCM_")


class Settings(Struct, frozen=True):
    """One job's settings on this machine.

    Args:
        folder: Where containers start that name no working directory; absolute.
        environment: What containers have before anything that the job says.
        oversubscribe: Whether pods may ask for more CPUs and memory than there are.
        mpi: Which MPI to use: a family ("openmpi", "mpich", "intel"), a path to an mpirun or to
            its prefix; "" for one that fits the job.
        pods: How pods run: "auto", "namespaces" or "plain"; "" asks the environment.

    """

    folder: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    oversubscribe: bool = False
    mpi: str = ""
    pods: str = ""

    def write(self, path: Path) -> None:
        """Keep the settings in a file, readable by its user alone."""
        new = path.with_suffix(".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(self), file)
        new.rename(path)


def read(path: Path) -> Settings:
    """Return the settings that `Settings.write` kept; the defaults where it kept none."""
    try:
        return Settings(**json.loads(path.read_text()))
    except FileNotFoundError:
        return Settings(environment=inherited(os.environ))


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what containers have of the caller's environment.

    Where mpijob runs in a virtual environment, that one's programs come first: `python3` in a job
    is the Python that has what the job needs.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }
    folders = kept.get("PATH", os.defpath).split(os.pathsep)
    own = str(Path(sys.executable).parent)
    if sys.prefix != sys.base_prefix and own not in folders:
        folders.insert(0, own)
    return {**kept, "PATH": os.pathsep.join(folders)}
