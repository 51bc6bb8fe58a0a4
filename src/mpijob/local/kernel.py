"""The Linux system calls that Python 3.11 does not have: namespaces, mounts, process control."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SLAVE = 0x80000
MNT_DETACH = 0x2

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "ppc64le": 203, "s390x": 217, "riscv64": 41}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)
_libc.prctl.argtypes = (ctypes.c_int,) + (ctypes.c_ulong,) * 4


def _checked(result: int, what: str) -> None:
    """Raise OSError with `what` as its subject where a call of the C library failed."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags`; a new pid namespace begins with the next child."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount `source` on `target`, which must be there."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() or None,
        flags,
        data.encode() or None,
    )
    _checked(result, f"mount {source} on {target}")


def unmount(target: str) -> None:
    """Take a mount away, at once for the eye and in fact when its last user is gone."""
    _checked(_libc.umount2(os.fsencode(target), MNT_DETACH), f"unmount {target}")


def change_root(folder: str) -> None:
    """Make `folder`, a mount point, the root of this mount namespace; the old root is gone."""
    number = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(38, f"pivot_root is not known on {os.uname().machine}", folder)
    os.chdir(folder)
    _checked(_libc.syscall(number, b".", b"."), f"pivot_root {folder}")
    unmount(".")
    os.chdir("/")


def set_hostname(name: str) -> None:
    """Give this UTS namespace its host name."""
    encoded = name.encode()
    _checked(_libc.sethostname(encoded, len(encoded)), f"sethostname {name}")


def become_subreaper() -> None:
    """Make this process the parent of every descendant that loses its own."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process `signal_number` when its parent is gone.

    A parent that is gone already sends nothing: compare `os.getppid()` afterwards. A change of
    user forgets the setting, so it comes after that.
    """
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl")


def set_name(name: str) -> None:
    """Show this process as `name` (15 bytes) in `ps` and `top`."""
    text = ctypes.create_string_buffer(name.encode()[:15])
    _checked(_libc.prctl(_PR_SET_NAME, ctypes.addressof(text), 0, 0, 0), "prctl")
