"""The cluster's DNS: CoreDNS at the switch's address, which every pod is told to ask."""

from pathlib import Path

from harness.binaries import REAL_NODES, provided
from harness.control_plane import ControlPlane
from harness.network import Network
from harness.node_settings import DOMAIN
from harness.processes import Process


def serve_names(plane: ControlPlane, network: Network) -> Process:
    """Start CoreDNS for a cluster: services and the pods behind headless ones have names."""
    kubeconfig = plane.kubeconfig("mpijob:coredns", ["system:masters"])
    file = plane.folder / "Corefile"
    file.write_text(corefile(network.switch, kubeconfig))
    words: list[str | Path] = [provided(REAL_NODES)["coredns"], "-conf", file]
    log = plane.folder / "coredns.log"
    process = Process("coredns", network.hub.words(words), log)
    process.wait_until(lambda: "CoreDNS-" in process.log.read_text())
    return process


def corefile(address: str, kubeconfig: Path) -> str:
    """Return CoreDNS's configuration: what it does not know, nobody knows."""
    return f"""{DOMAIN}:53 {{
    bind {address}
    errors
    kubernetes {DOMAIN} {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 1
    }}
}}
.:53 {{
    bind {address}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
