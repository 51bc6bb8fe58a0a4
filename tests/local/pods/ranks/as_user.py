"""Run a command as a user, as root sees that one: `as_user.py USER PATHS COMMAND...`.

PATHS, separated by colons, are what the command needs to see of the machine. Where one lies below
a folder that is root's alone (as /root is), a private mount namespace shows it all the same, and
nothing else of that folder; the machine itself stays as it is.
"""

import os
import pwd
import sys

from mpijob.local import kernel


def closed_ancestor(path):
    """Return the topmost folder above `path` that others may not enter, or None."""
    folder = "/"
    for part in os.path.realpath(path).split("/")[1:]:
        if not os.stat(folder).st_mode & 0o001:
            return folder
        folder = os.path.join(folder, part)
    return None


def show(folder, paths):
    """Put an open folder in the place of a closed one, with `paths` in it and nothing else."""
    handles = {path: os.open(path, os.O_PATH) for path in paths}
    kernel.mount("tmpfs", folder, "tmpfs", 0, "mode=755")
    for path, handle in sorted(handles.items()):
        # What lies below a path that is shown already is shown with it.
        if os.path.exists(path):
            continue
        os.makedirs(path)
        kernel.mount(f"/proc/self/fd/{handle}", path, "", kernel.MS_BIND | kernel.MS_REC)


def main():
    user = pwd.getpwnam(sys.argv[1])
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_SLAVE)
    below = {}
    for path in sys.argv[2].split(":"):
        below.setdefault(closed_ancestor(path), []).append(os.path.realpath(path))
    for folder, paths in below.items():
        if folder is not None:
            show(folder, paths)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.chdir("/")
    os.execvp(sys.argv[3], sys.argv[3:])


if __name__ == "__main__":
    main()
