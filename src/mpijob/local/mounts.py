"""A pod's own view of the file tree, built by its first process in its own mount namespace.

A mount point that the machine does not have is never made on the machine. The folder that would
hold it is covered by a skeleton instead: a folder of the pod's own in which everything that was
there before is bound back, and in which the mount point can be made. What the pod's programs
write to files that were there reaches those files; what they make anew right in the covered
folder is gone with the pod.
"""

from __future__ import annotations

import contextlib
import os
import stat

from mpijob.local import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mpijob.local.messages import MountMessage

_BIND = kernel.MS_BIND | kernel.MS_REC
_MS_UNBINDABLE = 0x20000
_MS_PRIVATE = 0x40000
#: Flags that a namespace without real privileges may not take off a mount it was given.
_KEPT_FLAGS = {
    os.ST_NOSUID: kernel.MS_NOSUID,
    os.ST_NODEV: kernel.MS_NODEV,
    os.ST_NOEXEC: kernel.MS_NOEXEC,
    os.ST_NOATIME: 1 << 10,
    os.ST_NODIRATIME: 1 << 11,
    os.ST_RELATIME: 1 << 21,
}


class View:
    """The file tree as one pod sees it; made step by step by `add`."""

    def __init__(self, folder: str, keep: list[str]) -> None:
        """Begin with the machine's own tree, cut off from later changes by this process.

        Args:
            folder: An empty folder of the pod's own; skeletons are laid in it.
            keep: Paths that must stay where they are whatever is mounted above them: the
                interpreter, the MPI, the job's own folders.
        """
        self._folder = folder
        self._keep = sorted({os.path.realpath(path) for path in [*keep, folder]})
        self._skeleton_count = 0
        #: Whether mount points may be made in a folder, for every point where that changes.
        self._private = {"/": False, folder: True}
        kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_SLAVE)
        kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)

    def add(self, mount: MountMessage) -> None:
        """Mount a volume, file or tmpfs where the pod wants it.

        Raises OSError where that cannot be, with the target as its file name.
        """
        target = os.path.realpath(mount["target"])
        is_folder = mount["tmpfs"] or os.path.isdir(mount["source"])
        if not mount["tmpfs"] and not os.path.lexists(mount["source"]):
            raise FileNotFoundError(2, "the volume's source is not there", mount["source"])
        self._make_point(target, is_folder=is_folder)
        with contextlib.ExitStack() as opened:
            hidden = self._hidden_by(target, opened)
            if mount["tmpfs"]:
                size = mount["size_bytes"]
                data = "mode=1777" + (f",size={size}" if size is not None else "")
                flags = kernel.MS_NOSUID | kernel.MS_NODEV
                kernel.mount("tmpfs", target, "tmpfs", flags, data)
            else:
                kernel.mount(mount["source"], target, "", _BIND)
            self._private[target] = mount["tmpfs"] or mount["private"]
            for path, original in hidden:
                self._put_back(path, original)
        if mount["read_only"]:
            _make_read_only(target)

    def _hidden_by(self, target: str, opened: contextlib.ExitStack) -> list[tuple[str, str]]:
        """Return the kept paths below `target`, each with a handle to what is there now."""
        below = target.rstrip("/") + "/"
        return [
            (path, _opened(path, opened))
            for path in self._keep
            if path.startswith(below) and os.path.lexists(path)
        ]

    def _put_back(self, path: str, original: str) -> None:
        """Bind a kept path back where a mount above has just hidden it."""
        if os.path.lexists(path) and os.path.samefile(path, original):
            return
        self._make_point(path, is_folder=os.path.isdir(original))
        kernel.mount(original, path, "", _BIND)
        self._private[path] = False

    def _make_point(self, target: str, *, is_folder: bool) -> None:
        """See to it that `target` is there to be mounted on, and nothing is written for it."""
        if os.path.lexists(target):
            if os.path.isdir(target) != is_folder:
                kind = "folder" if is_folder else "file"
                raise OSError(20, f"what is there already is no {kind}", target)
            return
        parent = os.path.dirname(target)
        while not os.path.lexists(parent):
            parent = os.path.dirname(parent)
        if not os.path.isdir(parent):
            raise NotADirectoryError(20, "a file is in the way", parent)
        if not self._is_private(parent):
            self._cover(parent)
        if is_folder:
            os.makedirs(target)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))

    def _is_private(self, folder: str) -> bool:
        while folder not in self._private:
            folder = os.path.dirname(folder)
        return self._private[folder]

    def _cover(self, folder: str) -> None:
        """Lay a skeleton over `folder`: the same content, and room for mount points."""
        skeleton = f"{self._folder}/{self._skeleton_count}"
        self._skeleton_count += 1
        os.mkdir(skeleton)
        os.chmod(skeleton, stat.S_IMODE(os.stat(folder).st_mode) | 0o700)
        with contextlib.ExitStack() as opened:
            original = _opened(folder, opened)
            top = skeleton if folder == "/" else folder
            kernel.mount(skeleton, top, "", _BIND)
            # Otherwise binding what holds the skeleton would copy all that is bound in it so far.
            kernel.mount("none", top, "", _MS_UNBINDABLE)
            self._private[folder] = True
            for name in _names(original):
                self._bind_back(f"{original}/{name}", f"{top}/{name}")
                self._private.setdefault(os.path.join(folder, name), False)
            kernel.mount("none", top, "", _MS_PRIVATE)
        if folder == "/":
            kernel.change_root(skeleton)

    def _bind_back(self, original: str, point: str) -> None:
        """Show one entry of a covered folder at its old place."""
        # What vanishes meanwhile, or may not be looked at, is left out as if it were not there.
        with contextlib.suppress(OSError):
            mode = os.lstat(original).st_mode
            if stat.S_ISLNK(mode):
                os.symlink(os.readlink(original), point)
                return
            if stat.S_ISDIR(mode):
                os.mkdir(point)
            else:
                os.close(os.open(point, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            kernel.mount(original, point, "", _BIND)


def _opened(path: str, opened: contextlib.ExitStack) -> str:
    """Return a path to what is at `path` now, good until `opened` closes, whatever covers it."""
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    opened.callback(os.close, handle)
    return f"/proc/self/fd/{handle}"


def _names(folder: str) -> list[str]:
    """Return the entries of a folder; none where this user may not read it."""
    try:
        return os.listdir(folder)
    except PermissionError:
        return []


def _make_read_only(target: str) -> None:
    present = os.statvfs(target).f_flag
    kept = sum(flag for seen, flag in _KEPT_FLAGS.items() if present & seen)
    flags = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kept
    kernel.mount("none", target, "", flags)
