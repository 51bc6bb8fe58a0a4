"""A real node: containerd, kubelet and kube-proxy in namespaces of their own on this machine."""

import contextlib
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

from harness import cgroups, node_settings
from harness.archives import layer, write_image
from harness.binaries import REAL_NODES, provided
from harness.control_plane import ControlPlane
from harness.enclosure import node, run
from harness.fake_nodes import is_ready
from harness.network import Network
from harness.node_settings import Settings
from harness.packages import Unpacked, unpacked
from harness.processes import Process

PACKAGES = ("containerd", "runc", "containernetworking-plugins", "nftables", "busybox-static")
_READY_S = 60


class RealNode:
    """One node of a cluster. It is ready, and part of the network, once `start` is done."""

    def __init__(self, plane: ControlPlane, network: Network, index: int, registry: str) -> None:
        """Start nothing yet. `registry` is where all images come from, as HOST:PORT."""
        self.name = f"node-{index}"
        self._plane, self._network, self._index = plane, network, index
        self._folder = plane.folder / self.name
        self._packages = unpacked(PACKAGES)
        self._binaries = provided(REAL_NODES)
        self._group = f"{network.name}-{index}"
        self._running = ExitStack()
        self._settings = self._settled(registry)

    def start(self) -> None:
        """Bring the node up, and wait until the cluster counts on it."""
        self._running.callback(self._remove_files)
        self._write()
        self.enclosure = node(self._folder, self.name, self._group, self._log("node"))
        self._running.callback(self.enclosure.stop)
        self._network.attach(self._index, self.enclosure)
        self.containerd = self._start_containerd()
        self.load(busybox_image(self._packages, self._folder / "busybox.tar"))
        self.kube_proxy = self._start_kube_proxy()
        self.kubelet = self._start_kubelet()
        # A node that is lost when its cluster goes: what is frozen would not end.
        self._running.callback(cgroups.freeze, self._group, frozen=False)

    def stop(self) -> None:
        """End the node at once, with all that runs on it, and remove what it wrote."""
        self._running.close()

    def load(self, archive: Path) -> None:
        """Give the node's containerd the images of an archive."""
        self._ctr("-n", "k8s.io", "images", "import", "--digests", str(archive))

    def _ctr(self, *words: str) -> str:
        ctr = self._packages.program("ctr")
        inside = ("-a", node_settings.SOCKET, *words)
        return self.enclosure.run(ctr, *inside, environment=self._environment)

    # How it starts.

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self._packages.environment}

    def _log(self, part: str) -> Path:
        return self._plane.folder / f"{self.name}-{part}.log"

    def _settled(self, registry: str) -> Settings:
        address = self._network.node(self._index)
        serving = self._plane.authority.issue(
            f"{self.name}-server", hosts=(address, self.name), file=f"{self.name}-server"
        )
        return Settings(
            folder=self._folder,
            name=self.name,
            address=address,
            pods=self._network.pods(self._index),
            switch=self._network.switch,
            registry=registry,
            plugins=_plugins(self._packages),
            snapshotter=_snapshotter(self._plane.folder),
            authority=self._plane.authority.certificate,
            serving=serving,
        )

    def _write(self) -> None:
        settings, folder = self._settings, self._folder
        for path in (folder / "cni", folder / "registries" / "_default"):
            path.mkdir(parents=True)
        files = {
            "containerd.toml": node_settings.containerd(settings),
            "registries/_default/hosts.toml": node_settings.registries(settings),
            "cni/10-pods.conflist": node_settings.network(settings),
            "kubelet.yaml": node_settings.kubelet(settings),
            "kube-proxy.yaml": node_settings.kube_proxy(
                settings, self._plane.kubeconfig("system:kube-proxy")
            ),
            "resolv.conf": f"nameserver {settings.switch}\n",
        }
        for name, text in files.items():
            (folder / name).write_text(text)

    def _start(self, part: str, words: list[str | Path]) -> Process:
        process = self.enclosure.start(part, words, self._log(part), self._environment)
        self._running.callback(process.stop)
        return process

    def _start_containerd(self) -> Process:
        words: list[str | Path] = [
            self._packages.program("containerd"),
            "-c",
            self._folder / "containerd.toml",
        ]
        process = self._start("containerd", words)

        def answers() -> bool:
            with contextlib.suppress(Exception):
                return bool(self._ctr("version"))
            return False

        process.wait_until(answers)
        return process

    def _start_kube_proxy(self) -> Process:
        words: list[str | Path] = [
            self._binaries["kube-proxy"],
            f"--config={self._folder / 'kube-proxy.yaml'}",
        ]
        return self._start("kube-proxy", words)

    def _start_kubelet(self) -> Process:
        kubeconfig = self._plane.kubeconfig(f"system:node:{self.name}", ["system:nodes"])
        words: list[str | Path] = [
            self._binaries["kubelet"],
            f"--config={self._folder / 'kubelet.yaml'}",
            f"--kubeconfig={kubeconfig}",
            f"--hostname-override={self.name}",
            f"--node-ip={self._settings.address}",
            "--root-dir=/var/lib/kubelet",
        ]
        process = self._start("kubelet", words)
        query = {"fieldSelector": f"metadata.name={self.name}"}
        with self._plane.cluster.api("harness") as api:
            process.wait_until(
                lambda: any(map(is_ready, api.read("/api/v1/nodes", **query)["items"])), _READY_S
            )
        return process

    def _remove_files(self) -> None:
        cgroups.remove(self._group)
        shutil.rmtree(self._folder, ignore_errors=True)


def busybox_image(packages: Unpacked, path: Path) -> Path:
    """Write the image that holds pods' networks open, and in which tests find a shell."""
    busybox = packages.program("busybox")
    # Busybox does what the name says by which it is called.
    links = {f"bin/{name}": "busybox" for name in run(busybox, "--list").split()}
    links.pop("bin/busybox", None)
    files = layer({"bin/busybox": busybox}, links)
    tags = (node_settings.PAUSE, node_settings.BUSYBOX)
    return write_image(path, tags, [files], Cmd=["/bin/sleep", "2147483647"], Env=["PATH=/bin"])


def _plugins(packages: Unpacked) -> Path:
    """Return the folder of the network plugins: unpacked, or the machine's own."""
    own = packages.root / "usr/lib/cni"
    return own if own.is_dir() else Path("/usr/lib/cni")


def _snapshotter(folder: Path) -> str:
    """Return how layers are put on each other: an overlay does not lie on an overlay."""
    return "native" if run("stat", "-f", "-c", "%T", folder).strip() == "overlayfs" else "overlayfs"
