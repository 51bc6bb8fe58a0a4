"""What `doctor` looks at: this machine, its MPIs, and the folder that remembers the jobs."""

import importlib.util
import os
import platform
import resource
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from mpijob.cli.render.checks import Check, Health
from mpijob.core.plan import Kind
from mpijob.local.home import Home, HomeUnusable, home_path, opened
from mpijob.local.journal import Journal, JournalBroken
from mpijob.local.machine import Machine, machine, namespaces_refusal
from mpijob.local.mpi import installed

_GIB = 1 << 30
_MIB = 1 << 20
#: What a rank's shared-memory segment takes in Open MPI, and so what a few ranks need.
_SHARED_MEMORY_MIN = 64 * _MIB
#: How many open files mpirun and a supervisor want for some hundred ranks.
_OPEN_FILES_MIN = 1024
_FREE_MIN = 100 * _MIB


def checkup() -> Iterator[Check]:
    """Yield what was found, each thing once, in the order in which a person asks."""
    here = machine(os.environ)
    yield _system()
    yield from _mpis()
    yield _mpi4py()
    yield _compiler()
    yield _namespaces()
    yield from _resources(here)
    yield _shared_memory()
    yield _open_files()
    yield from _home()


def _system() -> Check:
    found = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    found += f" in {sys.prefix}" if sys.prefix != sys.base_prefix else ""
    if platform.system() == "Linux":
        return Check("system", Health.WELL, found)
    advice = "jobs on one machine need Linux; elsewhere, run mpijob in a container"
    return Check("system", Health.BROKEN, found, advice)


def _mpis() -> Iterator[Check]:
    found = installed(os.environ)
    for mpi in found:
        yield Check("mpi", Health.WELL, f"{mpi.title}, {mpi.mpirun}")
    if not found:
        advice = 'pip install "mpijob[local]", or install your distribution\'s Open MPI or MPICH'
        yield Check("mpi", Health.BROKEN, "no mpirun was found", advice)


def _mpi4py() -> Check:
    if importlib.util.find_spec("mpi4py") is not None:
        return Check("mpi4py", Health.WELL, "installed beside mpijob")
    advice = "MPI programs in Python need it: pip install mpi4py"
    return Check("mpi4py", Health.POOR, "not installed beside mpijob", advice)


def _compiler() -> Check:
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler:
        return Check("compiler", Health.WELL, compiler)
    advice = "an MPI's mpicc calls one: install gcc, if your programs are in C"
    return Check("compiler", Health.POOR, "no C compiler", advice)


def _namespaces() -> Check:
    refusal = namespaces_refusal()
    if not refusal:
        found = "allowed: each pod has its own host name, mounts and processes"
        return Check("namespaces", Health.WELL, found)
    found = f"not allowed ({refusal}): paths in pods are rewritten into their folders instead"
    return Check("namespaces", Health.POOR, found, _allowing_namespaces())


def _allowing_namespaces() -> str:
    """Return which switch of the kernel keeps ordinary users from making namespaces."""
    switches = {
        "kernel/unprivileged_userns_clone": ("0", "sysctl kernel.unprivileged_userns_clone=1"),
        "kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        "user/max_user_namespaces": ("0", "sysctl user.max_user_namespaces=10000"),
    }
    for name, (off, command) in switches.items():
        path = Path("/proc/sys", name)
        if path.exists() and path.read_text().strip() == off:
            return f"an administrator can allow them: {command}"
    return "jobs run all the same; a container runtime may have to allow unshare(2)"


def _resources(here: Machine) -> Iterator[Check]:
    yield Check("cpus", Health.WELL, f"{here.cpu_milli / 1000:g} may be used")
    yield Check("memory", Health.WELL, f"{here.memory_bytes / _GIB:.1f} GiB may be used")
    if here.gpus:
        yield Check("gpus", Health.WELL, f"{len(here.gpus)}: {', '.join(here.gpus)}")
    else:
        yield Check("gpus", Health.WELL, "none; jobs that ask for nvidia.com/gpu will wait")


def _shared_memory() -> Check:
    try:
        size = shutil.disk_usage("/dev/shm").total
    except OSError as error:
        return Check("shm", Health.POOR, f"/dev/shm: {error.strerror}", "mount a tmpfs there")
    found = f"/dev/shm has {size / _MIB:.0f} MiB"
    if size >= _SHARED_MEMORY_MIN:
        return Check("shm", Health.WELL, found)
    advice = "ranks of one host share memory there: enlarge it (docker run --shm-size=1g)"
    return Check("shm", Health.POOR, found, advice)


def _open_files() -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _OPEN_FILES_MIN:
        return Check("open files", Health.WELL, f"{soft} may be open at once")
    advice = "many workers need more: ulimit -n 4096"
    return Check("open files", Health.POOR, f"only {soft} may be open at once", advice)


def _home() -> Iterator[Check]:
    path = home_path(os.environ, socket.gethostname())
    try:
        home = opened(path)
    except HomeUnusable as unusable:
        yield Check("home", Health.BROKEN, str(unusable))
        return
    free = shutil.disk_usage(path).free
    found = f"{path}, {free / _GIB:.1f} GiB free"
    if free < _FREE_MIN:
        yield Check("home", Health.BROKEN, found, "make room, or set MPIJOB_HOME to another folder")
    else:
        yield Check("home", Health.WELL, found)
    yield _journal(home)


def _journal(home: Home) -> Check:
    try:
        journal = Journal(home)
    except JournalBroken as broken:
        return Check("journal", Health.BROKEN, str(broken))
    try:
        count = len(journal.store.list(Kind.MPI_JOB))
    finally:
        journal.close()
    size = home.journal.stat().st_size / _MIB
    jobs = "1 job" if count == 1 else f"{count} jobs"
    return Check("journal", Health.WELL, f"{jobs}, {size:.1f} MiB")
