"""The first process of a node: makes the machine's folders its own, and buries the dead.

Runs in namespaces of its own: mounts, network, processes, name. All that it mounts and all that
runs under it go when it does, however it ends. Usage: node_init.py STATE NAME GROUP
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

#: What a node writes to beside the machine's own files. None of it reaches the machine.
OVERLAID = ("/var", "/etc")
#: What is too large for memory, or cannot lie on an overlay: kept in the node's folder.
KEPT = ("/var/lib/containerd", "/var/lib/kubelet", "/var/log/pods")


def main(state: Path, name: str, group: str) -> None:
    """Prepare the node, say so, and wait until told to end."""
    _run("mount", "--make-rshared", "/")
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    _bound(state, Path("/run/state"))
    for folder in OVERLAID:
        parts = {part: Path("/run/overlay") / folder.strip("/") / part for part in ("up", "work")}
        for path in parts.values():
            path.mkdir(parents=True)
        options = f"lowerdir={folder},upperdir={parts['up']},workdir={parts['work']}"
        _run("mount", "-t", "overlay", "-o", options, "overlay", folder)
        if state.is_relative_to(folder):
            _bound(Path("/run/state"), state)
    for folder in KEPT:
        kept = state / Path(folder).name
        kept.mkdir(exist_ok=True)
        _bound(kept, Path(folder))
    _see_only(group)
    # The namespace's own: no other network forwards anything.
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _run("hostname", name)
    _run("ip", "link", "set", "lo", "up")
    (state / "prepared").touch()
    _bury_the_dead()


def _see_only(group: str) -> None:
    """Put this node's control groups in the place of the machine's."""
    root = Path("/sys/fs/cgroup")
    hierarchies = list(root.iterdir()) if not (root / "cgroup.controllers").exists() else [root]
    for hierarchy in hierarchies:
        if hierarchy.is_dir() and not hierarchy.is_symlink():
            _run("mount", "--bind", str(hierarchy / group), str(hierarchy))


def _bury_the_dead() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
    while signal.sigwait({signal.SIGCHLD, signal.SIGTERM}) == signal.SIGCHLD:
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            continue


def _bound(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _run("mount", "--bind", str(source), str(target))


def _run(*words: str) -> None:
    subprocess.run(words, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
