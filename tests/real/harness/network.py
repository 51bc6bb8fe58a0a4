"""The network of a cluster's real nodes: a switch in a namespace, and one cable to the machine.

The machine sees one interface, at whose address the API server listens. It goes with the process
that holds the switch, and with it all routes: nothing of the machine's network is changed.
"""

import contextlib
import json
import secrets
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Self

from harness import cgroups
from harness.enclosure import Enclosure, network_only, run
from harness.processes import Broken

_PODS_BEGIN = 100
_PREFIX = "mpijob"


class Network:
    """Addresses 10.N.0.0/16 of a cluster: .0.1 the machine, .0.2 the switch, .0.10+i node i.

    Pods of node i have 10.N.(100+i).0/24.
    """

    def __init__(self, folder: Path) -> None:
        """Make nothing yet; logs go to `folder`."""
        self._folder = folder
        self._running = ExitStack()
        self.name = f"{_PREFIX}{secrets.token_hex(4)}"

    def __enter__(self) -> Self:
        self.block = _free_block()
        cgroups.remove_stale(_PREFIX, _has_an_interface)
        # Who looks for what is left of this cluster knows it by that.
        (self._folder / "network.json").write_text(json.dumps({"interface": self.name}))
        self._hub = network_only(self._folder / "network.log")
        self._running.callback(self._hub.stop)
        self._running.callback(self._unplug)
        try:
            self._wire()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.close()

    def _unplug(self) -> None:
        # It would go with the switch, but a moment later.
        with contextlib.suppress(Broken):
            run("ip", "link", "delete", self.name)

    @property
    def machine(self) -> str:
        """The machine's own address, where the API server and the registry listen."""
        return str(self.block[1])

    @property
    def switch(self) -> str:
        """The switch's address, where the cluster's names are served."""
        return str(self.block[2])

    @property
    def hub(self) -> Enclosure:
        """The namespace of the switch."""
        return self._hub

    def node(self, index: int) -> str:
        """Return the address of a node."""
        return str(self.block[10 + index])

    def pods(self, index: int) -> IPv4Network:
        """Return the addresses of a node's pods."""
        return list(self.block.subnets(new_prefix=24))[_PODS_BEGIN + index]

    def attach(self, index: int, node: Enclosure) -> None:
        """Give a node its cable, its address and its routes, and tell the others of its pods."""
        port = f"node{index}"
        self._hub.run("ip", "link", "add", port, "type", "veth", "peer", "name", "cable")
        self._hub.run("ip", "link", "set", "cable", "netns", str(node.pid))
        self._hub.run("ip", "link", "set", port, "master", "switch", "up")
        node.run("ip", "link", "set", "cable", "name", "eth0")
        node.run("ip", "address", "add", f"{self.node(index)}/24", "dev", "eth0")
        node.run("ip", "link", "set", "eth0", "up")
        # Other nodes' pods are reached by way of the switch, which knows them all.
        node.run("ip", "route", "add", "default", "via", self.switch)
        route = ("ip", "route", "replace", str(self.pods(index)), "via", self.node(index))
        self._hub.run(*route)
        run(*route, "dev", self.name)

    def _wire(self) -> None:
        run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "uplink")
        run("ip", "link", "set", "uplink", "netns", str(self._hub.pid))
        run("ip", "address", "add", f"{self.machine}/24", "dev", self.name)
        run("ip", "link", "set", self.name, "up")
        self._hub.run("ip", "link", "set", "lo", "up")
        self._hub.run("ip", "link", "add", "switch", "type", "bridge")
        self._hub.run("ip", "link", "set", "uplink", "master", "switch", "up")
        self._hub.run("ip", "address", "add", f"{self.switch}/24", "dev", "switch")
        self._hub.run("ip", "link", "set", "switch", "up")
        self._hub.run("sysctl", "-qw", "net.ipv4.ip_forward=1")


def _has_an_interface(group: str) -> bool:
    """Say whether the cluster that a node's control group is named after is still there."""
    return Path("/sys/class/net", group.partition("-")[0]).exists()


def _free_block() -> IPv4Network:
    """Return addresses that the machine has no route to but by default."""
    rows = [row.split()[0] for row in run("ip", "-4", "route", "show", "table", "all").splitlines()]
    taken = []
    for row in rows:
        try:
            taken.append(IPv4Network(row, strict=False))
        except ValueError:
            # "default", "local", "broadcast": what follows them is in the other rows.
            continue
    numbers = list(range(64, 96)) + list(range(128, 250))
    secrets.SystemRandom().shuffle(numbers)
    for number in numbers:
        block = IPv4Network((IPv4Address(f"10.{number}.0.0"), 16))
        if not any(block.overlaps(other) for other in taken):
            return block
    raise LookupError("every block of 10.0.0.0/8 that is tried is in use on this machine")
