"""Processes that end with the one that started them, each with its output in a file."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.unavailable import Unavailable

# Asked for before the parent is looked at, so that no end of the parent goes unseen.
_WITH_PARENT = ("--pdeathsig", "KILL", "--", "/bin/sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"')
#: What a process has to end by itself before it is killed, in seconds.
GRACE_S = 10
_PAUSE_S = 0.05


class Broken(Exception):
    """A part of the cluster ended by itself, or did not come up: its last lines are told."""


class Process:
    """One running program. It dies with its parent, however that ends."""

    def __init__(
        self,
        name: str,
        words: Sequence[str | Path],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the program in a session of its own, so that ^C reaches its parent alone."""
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise Unavailable("there is no setpriv here; it is part of util-linux")
        self.name = name
        self.log = log
        with log.open("ab") as file:
            self._popen = subprocess.Popen(
                [setpriv, *_WITH_PARENT, str(os.getpid()), *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._popen.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is no more."""
        return self._popen.poll() is not None

    def wait_until(self, is_ready: Callable[[], bool], limit_s: float = 60) -> None:
        """Ask `is_ready` until it says yes; each time is waited for the process's end in between.

        Raises:
            Broken: It ended, or was not ready after `limit_s` seconds.
        """
        for _ in range(int(limit_s / _PAUSE_S)):
            if is_ready():
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(_PAUSE_S)
                raise Broken(f"{self.name} ended by itself:\n{self.last_lines()}")
        raise Broken(f"{self.name} is not ready after {limit_s:.0f} s:\n{self.last_lines()}")

    def ended(self, limit_s: float = 60) -> int:
        """Wait until the process has ended by itself, and return its exit code.

        Raises:
            Broken: It had not after `limit_s` seconds.
        """
        try:
            return self._popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            told = f"{self.name} goes on after {limit_s:.0f} s:\n{self.last_lines()}"
            raise Broken(told) from None

    def last_lines(self, count: int = 15) -> str:
        """Return the end of what the process wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def ask_to_end(self) -> None:
        """Send SIGTERM; what has ended already is left alone."""
        if not self.has_ended:
            self._popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._popen.kill()
        self._popen.wait()

    def stop(self, grace_s: float = GRACE_S) -> None:
        """End the process and wait until it is gone."""
        self.ask_to_end()
        try:
            self._popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
