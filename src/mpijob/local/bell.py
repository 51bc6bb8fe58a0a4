"""Tells the processes that watch a journal that it has grown: a byte on a socket, no polling.

Expected flow: a watching process hangs up a bell, a datagram socket in the home's `bells` folder.
Whoever has written to the journal rings all bells. The byte says nothing but "look".

Guarantees: a write that was committed before a ring is there when the bell's owner looks. A ring
that finds no room is not lost, since then one is waiting already.

Caveats: the bell of a killed process stays behind until the next ring takes it down.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Self


class Bell:
    """One process's bell, hung up in a folder until it is closed."""

    def __init__(self, folder: Path) -> None:
        """Hang the bell up; from here on it is heard."""
        self._folder = os.open(folder, os.O_DIRECTORY | os.O_CLOEXEC)
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._loop: asyncio.AbstractEventLoop | None = None
        # A socket's name is made before it can be reached, and a ring in between would take it
        # for a dead one: so it comes under its public name only when it is bound.
        self._socket.bind(_short(self._folder, f".{self._name}"))
        os.rename(f".{self._name}", self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def listen(self, heard: Callable[[], None]) -> Self:
        """Call `heard` on the running loop whenever others have rung."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._hear, heard)
        return self

    def ring(self) -> None:
        """Ring the bells of all others."""
        for name in os.listdir(self._folder):
            if name != self._name and not name.startswith("."):
                self._ring(name)

    def _ring(self, name: str) -> None:
        try:
            self._socket.sendto(b".", _short(self._folder, name))
        except (BlockingIOError, FileNotFoundError):
            return  # It has a ring waiting already, or was just taken down.
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._folder)

    def close(self) -> None:
        """Take the bell down."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
        with contextlib.suppress(OSError):
            os.unlink(self._name, dir_fd=self._folder)
        self._socket.close()
        os.close(self._folder)

    def _hear(self, heard: Callable[[], None]) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(64)
        heard()


def _short(folder: int, name: str) -> str:
    """Return an address of a socket in an open folder: unix addresses end at 107 bytes."""
    return f"/proc/self/fd/{folder}/{name}"
