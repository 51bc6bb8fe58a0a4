"""Namespaces held open by a process: what runs in them ends with it, and leaves nothing behind."""

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import cgroups
from harness.processes import Broken, Process
from harness.unavailable import Unavailable

_END_LIMIT_S = 30
_INIT = Path(__file__).with_name("node_init.py")


class Enclosure:
    """A set of namespaces, and the process that holds them open."""

    def __init__(self, holder: Process, kinds: str, group: str = "") -> None:
        """Use what `holder`, an `unshare`, made; `kinds` are flags of nsenter.

        What runs inside belongs to the control groups named `group`, if any.
        """
        self._holder = holder
        self._kinds = kinds
        self._group = group

    @property
    def pid(self) -> int:
        """The first process inside, as the machine numbers it."""
        found = child_of(self._holder.pid)
        return self._holder.pid if found is None else found

    def words(self, words: Sequence[str | Path]) -> list[str]:
        """Return the words that run a program inside."""
        entered = ["nsenter", "-t", str(self.pid), *self._kinds.split(), "--", *map(str, words)]
        return [*cgroups.joining(self._group), *entered] if self._group else entered

    def run(self, *words: str | Path, environment: Mapping[str, str] | None = None) -> str:
        """Run a program inside to its end and return what it printed. Raises Broken."""
        return run(*self.words(words), environment=environment)

    def start(
        self,
        name: str,
        words: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a program inside that is started again whenever it ends, as a service is."""
        again: list[str | Path] = ["/bin/sh", "-c", 'while :; do "$@"; sleep 1; done', name, *words]
        return Process(name, self.words(again), log, environment=environment)

    def stop(self) -> None:
        """End everything inside at once, and wait until it is gone."""
        first = os.pidfd_open(self.pid)
        self._holder.kill()
        # The first process of a namespace ends after all others in it.
        select.select([first], [], [], _END_LIMIT_S)
        os.close(first)


def require_namespaces() -> None:
    """Raise Unavailable where this process may not make what a real node needs."""
    if os.geteuid() != 0:
        raise Unavailable("a real node needs root, for its network and its mounts")
    words = ["unshare", "--net", "--mount", "--pid", "--cgroup", "--uts", "--fork", "true"]
    try:
        run(*words)
        run("ip", "link", "show", "lo")
    except Broken as refused:
        raise Unavailable(f"a real node needs namespaces of its own: {refused}") from None


def network_only(log: Path) -> Enclosure:
    """Return a network of its own, with nothing in it."""
    holder = Process("network", ["unshare", "--net", "sleep", "infinity"], log)
    own = Path("/proc/self/ns/net").readlink()
    namespace = Path(f"/proc/{holder.pid}/ns/net")
    holder.wait_until(lambda: namespace.readlink() != own, 10)
    return Enclosure(holder, "-n")


def node(state: Path, name: str, group: str, log: Path) -> Enclosure:
    """Return the namespaces of a node: mounts, network, processes and a host name of its own.

    `group` is the name of the control groups that it sees as the machine's only ones.
    """
    cgroups.make(group)
    kinds = ["net", "mount", "pid", "uts", "ipc", "cgroup", "fork", "kill-child", "mount-proc"]
    shared = ["unshare", *(f"--{kind}" for kind in kinds)]
    first: list[str | Path] = [sys.executable, "-IS", _INIT, state, name, group]
    holder = Process(name, [*cgroups.joining(group), *shared, *first], log)
    holder.wait_until((state / "prepared").exists, 10)
    cgroups.settle(group)
    return Enclosure(holder, "-n -m -p -u -i -C", group)


def child_of(pid: int) -> int | None:
    """Return the first child of a process, or None."""
    numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(numbers[0]) if numbers else None


def run(*words: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        Broken: It said that it failed.
    """
    program = shutil.which(str(words[0]))
    if program is None:
        raise Unavailable(f"there is no {words[0]} here")
    done = subprocess.run(
        [program, *map(str, words[1:])],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=None if environment is None else dict(environment),
    )
    if done.returncode != 0:
        shown = " ".join(map(str, words))
        raise Broken(f"{shown}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
