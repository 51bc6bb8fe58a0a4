"""Ports for servers that want to be told theirs."""

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_FIRST, _COUNT = 10_000, 10_000
_OF_CLIENTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port(address: str = LOOPBACK) -> int:
    """Return a port that nobody listens on at `address`, as far as one can know.

    The kernel gives it to nobody who connects, as it may do with one that it chose itself: between
    this call and the server's start there is time for that. Raises OSError where none is found.
    """
    first_of_clients = int(_OF_CLIENTS.read_text().split()[0])
    if first_of_clients < _FIRST + _COUNT:
        return _bound(address, 0)
    # Not of the tests' own seed, by which two processes would draw the same.
    for port in random.SystemRandom().sample(range(_FIRST, _FIRST + _COUNT), 100):
        try:
            return _bound(address, port)
        except OSError:
            continue
    raise OSError(f"no free port at {address} from {_FIRST} on")


def _bound(address: str, port: int) -> int:
    with socket.socket() as probe:
        probe.bind((address, port))
        return int(probe.getsockname()[1])
