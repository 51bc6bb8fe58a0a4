"""The MPIs of this machine: where they are, their family and version, and their library."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

#: Names prefixes, or their bin folders, to look in first; separated by colons.
PATH_VARIABLE = "MPIJOB_MPI_PATH"
_LAUNCHERS = ("mpirun", "mpirun.openmpi", "mpirun.mpich", "mpiexec.hydra", "mpiexec")
#: Where distributions put an MPI that is in nobody's PATH until a module is loaded.
_KNOWN_PREFIXES = (
    "/usr/lib64/openmpi",
    "/usr/lib64/mpich",
    "/usr/local",
    "/usr/lib64/mpi/gcc/openmpi4",
    "/opt/openmpi",
    "/opt/intel/oneapi/mpi/latest",
)
_ANSWER_MAX_S = 10.0


class Family(StrEnum):
    """Whose dialect a launcher speaks."""

    OPENMPI = "openmpi"
    MPICH = "mpich"
    INTEL = "intel"


_TITLES = {Family.OPENMPI: "Open MPI", Family.MPICH: "MPICH", Family.INTEL: "Intel MPI"}
_VERSIONS = (
    (Family.OPENMPI, re.compile(r"\((?:Open MPI|OpenRTE)\) (\d+(?:\.\d+)*)")),
    (Family.INTEL, re.compile(r"Intel\(R\) MPI Library.*Version (\d+(?:\.\d+)*)")),
    (Family.MPICH, re.compile(r"HYDRA build details:\s+Version:\s+(\d+(?:\.\d+)*)")),
)
_LIBRARIES = {
    Family.OPENMPI: ("libmpi.so.40", "libmpi.so.80"),
    Family.MPICH: ("libmpi.so.12", "libmpich.so.12"),
    Family.INTEL: ("libmpi.so.12",),
}


class Mpi(Struct, frozen=True):
    """An MPI that is installed here."""

    family: Family
    #: As it says itself, for example "5.0.11".
    version: str
    #: The folder that holds its bin and lib.
    prefix: str
    #: The launcher's path.
    mpirun: str
    #: The path of its libmpi; "" where it was not found.
    library: str

    @property
    def title(self) -> str:
        """Return its name and version as people say them."""
        return f"{_TITLES[self.family]} {self.version}"

    @property
    def major(self) -> int:
        """Return the first number of its version."""
        return int(self.version.partition(".")[0])


def installed(environ: Mapping[str, str], *, cache: Path | None = None) -> tuple[Mpi, ...]:
    """Return the MPIs found here, the preferred ones first.

    That is: those that MPIJOB_MPI_PATH names, that of this interpreter's own environment (the
    wheels), those in PATH, and those where distributions put them. What a launcher answered to
    `--version` is remembered in the file `cache` until the launcher changes.
    """
    remembered = _remembered(cache)
    answers: dict[str, str] = {}
    found: dict[str, Mpi] = {}
    for launcher in _launchers(environ):
        stamp = _stamp(launcher)
        answer = remembered.get(stamp)
        answers[stamp] = _answer(launcher, environ) if answer is None else answer
        mpi = described(launcher, answers[stamp])
        if mpi is not None:
            found.setdefault(f"{mpi.family} {mpi.version} {mpi.prefix}", mpi)
    if cache is not None and answers != remembered:
        _remember(cache, answers)
    return tuple(found.values())


def preferred(mpis: Iterable[Mpi], family: Family) -> Mpi | None:
    """Return the first of `mpis` that is of `family`, or None.

    Where there is none, MPICH and Intel MPI stand in for each other: they share their launcher's
    settings, their hostfile and their binary interface.
    """
    found = list(mpis)
    kin = {Family.MPICH: Family.INTEL, Family.INTEL: Family.MPICH}
    for wanted in (family, kin.get(family)):
        for mpi in found:
            if mpi.family == wanted:
                return mpi
    return None


def described(launcher: str, answer: str) -> Mpi | None:
    """Return the MPI whose launcher gave `answer` to `--version`; None where it is none we know."""
    for family, pattern in _VERSIONS:
        match = pattern.search(answer)
        if match:
            prefix = os.path.dirname(os.path.dirname(launcher))
            return Mpi(family, match[1], prefix, launcher, _library(family, prefix))
    return None


def as_json(mpi: Mpi) -> dict[str, str]:
    """Return `mpi` as plain strings, for `mpijob doctor -o json`."""
    return {name: str(value) for name, value in asdict(mpi).items()}


def _launchers(environ: Mapping[str, str]) -> list[str]:
    """Return the paths of all programs that may be an MPI's launcher, each once."""
    named = [folder for folder in environ.get(PATH_VARIABLE, "").split(":") if folder]
    folders = [
        *(path for folder in named for path in (folder, f"{folder}/bin")),
        f"{sys.prefix}/bin",
        *(folder for folder in environ.get("PATH", "").split(":") if folder),
        *(f"{prefix}/bin" for prefix in _KNOWN_PREFIXES),
    ]
    found: dict[str, str] = {}
    for folder in dict.fromkeys(os.path.abspath(folder) for folder in folders):
        for name in _LAUNCHERS:
            path = shutil.which(name, path=folder)
            if path is not None:
                found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _answer(launcher: str, environ: Mapping[str, str]) -> str:
    folder = os.path.dirname(launcher)
    # Intel's mpirun finds its mpiexec.hydra in PATH alone.
    env = {**environ, "PATH": f"{folder}:{environ.get('PATH', os.defpath)}"}
    try:
        asked = subprocess.run(
            [launcher, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_MAX_S,
            env=env,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.decode(errors="replace")[:4096]


def _library(family: Family, prefix: str) -> str:
    """Return the path of the libmpi that belongs to a launcher in `prefix`/bin."""
    machine = os.uname().machine
    places = ("lib", "lib64", f"lib/{machine}-linux-gnu", "lib/release")
    for place in places:
        for name in _LIBRARIES[family]:
            path = f"{prefix}/{place}/{name}"
            if os.path.exists(path):
                return path
    return ""


def _stamp(launcher: str) -> str:
    status = os.stat(launcher)
    return f"{launcher} {status.st_mtime_ns} {status.st_size}"


def _remembered(cache: Path | None) -> dict[str, str]:
    if cache is None:
        return {}
    try:
        answers = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(answers, dict):
        return {}
    return {str(stamp): str(answer) for stamp, answer in answers.items()}


def _remember(cache: Path, answers: Mapping[str, str]) -> None:
    """Write the answers down; a full disk or a foreign folder costs the next caller some time."""
    draft = cache.with_name(f"{cache.name}.{os.getpid()}")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(answers))
        draft.replace(cache)
    except OSError:
        draft.unlink(missing_ok=True)
