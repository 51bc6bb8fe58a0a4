"""What this machine is: its CPUs, memory and GPUs as far as this process may use them, its user."""

import fcntl
import os
import pwd
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

#: Overrides the count of GPUs, for machines whose GPUs are not NVIDIA's, and for tests.
GPUS_VARIABLE = "MPIJOB_GPUS"
_ANSWER_MAX_S = 20.0
_SIOCGIFFLAGS = 0x8913
_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8
_CGROUPS = Path("/sys/fs/cgroup")
_DRIVER = Path("/proc/driver/nvidia/gpus")


class Machine(Struct, frozen=True):
    """The facts that a scheduler and `mpijob doctor` need."""

    #: CPUs that this process may use, in thousandths: its affinity, less a cgroup's quota.
    cpu_milli: int
    #: Memory that this process may use, in bytes.
    memory_bytes: int
    #: What names each GPU in CUDA_VISIBLE_DEVICES.
    gpus: tuple[str, ...]
    hostname: str
    user: str
    is_root: bool
    #: An interface besides loopback is up. Open MPI 5's daemons do not speak without one.
    has_network: bool = True

    @property
    def cpu_count(self) -> int:
        """Return how many ranks can run at a time; at least 1."""
        return max(1, self.cpu_milli // 1000)


def machine(environ: Mapping[str, str]) -> Machine:
    """Return the facts about this machine, as far as this process may use it."""
    own = _own_cgroups()
    return Machine(
        cpu_milli=_cpu_milli(own),
        memory_bytes=_memory_bytes(own),
        gpus=_gpus(environ),
        hostname=os.uname().nodename,
        user=_user(),
        is_root=os.geteuid() == 0,
        has_network=_has_network(),
    )


def namespaces_refusal() -> str:
    """Return why pods cannot have namespaces of their own here; "" where they can.

    Really tries it, in a process of its own, which takes some 30 ms.
    """
    source = str(Path(__file__).parents[2])
    program = (
        f"import sys; sys.path.append({source!r}); from mpijob.local import kernel, sandbox; "
        "kernel.become_subreaper(); print(sandbox.refusal())"
    )
    try:
        asked = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program],
            capture_output=True,
            timeout=_ANSWER_MAX_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        return str(failed)
    said = asked.stdout if asked.returncode == 0 else asked.stderr
    return said.decode(errors="replace").strip().rpartition("\n")[2]


def _own_cgroups() -> tuple[Path, ...]:
    """Return this process's cgroups and all above them, of version 2 and of version 1."""
    found: list[Path] = []
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        roots = [_CGROUPS / name for name in controllers.split(",") if name] or [_CGROUPS]
        for root in roots:
            # In a container the path may be the host's; its own limits then stand at the root.
            below = root / path.lstrip("/")
            found += [place for place in (below, *below.parents) if place.is_relative_to(root)]
    return tuple(dict.fromkeys(found))


def _cpu_milli(cgroups: tuple[Path, ...]) -> int:
    limits = [1000 * len(os.sched_getaffinity(0))]
    for place in cgroups:
        quota, period = [*_words(place / "cpu.max"), "max", "100000"][:2]
        if quota == "max":
            quota = (_words(place / "cpu.cfs_quota_us") or ["-1"])[0]
            period = (_words(place / "cpu.cfs_period_us") or ["100000"])[0]
        if quota.isdigit() and int(period) > 0:
            limits.append(1000 * int(quota) // int(period))
    return max(1, min(limits))


def _memory_bytes(cgroups: tuple[Path, ...]) -> int:
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for place in cgroups:
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += [int(word) for word in _words(place / name) if word.isdigit()]
    return min(limits)


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _gpus(environ: Mapping[str, str]) -> tuple[str, ...]:
    counted = environ.get(GPUS_VARIABLE, "")
    if counted.isdigit():
        return tuple(str(index) for index in range(int(counted)))
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        named = [name.strip() for name in visible.split(",")]
        return tuple(name for name in named if name and not name.startswith("-"))
    return tuple(str(index) for index in range(_nvidia_count()))


def _nvidia_count() -> int:
    """Return how many GPUs NVIDIA's driver shows; its own tool knows those of a container best."""
    tool = shutil.which("nvidia-smi")
    if tool is not None:
        try:
            asked = subprocess.run(
                [tool, "-L"], capture_output=True, timeout=_ANSWER_MAX_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return 0
        if asked.returncode == 0:
            return sum(line.startswith(b"GPU ") for line in asked.stdout.splitlines())
    try:
        return len(list(_DRIVER.iterdir()))
    except OSError:
        return 0


def _has_network() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            question = struct.pack("16s24x", name.encode())
            try:
                answer = fcntl.ioctl(asking, _SIOCGIFFLAGS, question)
            except OSError:
                continue
            (flags,) = struct.unpack_from("H", answer, 16)
            if flags & _IFF_UP and not flags & _IFF_LOOPBACK:
                return True
    return False


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
