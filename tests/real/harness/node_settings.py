"""What the parts of a real node are told: containerd, its network plugin, kubelet, kube-proxy."""

import json
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

from harness.authority import Pair

#: Holds a pod's network open.
PAUSE = "mpijob.test/pause:1"
#: A shell and its tools: what every node has from the start.
BUSYBOX = "mpijob.test/busybox:1"
SOCKET = "/run/containerd/containerd.sock"
DOMAIN = "cluster.local"


@dataclass(frozen=True, slots=True)
class Settings:
    """One node: where its files are, its addresses, and whom it speaks to."""

    folder: Path
    name: str
    address: str
    pods: IPv4Network
    switch: str
    registry: str
    plugins: Path
    snapshotter: str
    authority: Path
    serving: Pair


def containerd(node: Settings) -> str:
    """Return the configuration of containerd: all images come from the cluster's registry."""
    return f"""version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # A process may not make itself less likely to be killed than this one is.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{node.snapshotter}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{node.plugins}"
    conf_dir = "{node.folder / "cni"}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{node.folder / "registries"}"
"""


def registries(node: Settings) -> str:
    """Return where images of all names are pulled from."""
    return f'[host."http://{node.registry}"]\n  capabilities = ["pull", "resolve"]\n'


def network(node: Settings) -> str:
    """Return the chain of plugins that gives a pod its address."""
    ranges = [[{"subnet": str(node.pods)}]]
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]},
    }
    return json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]})


def kubelet(node: Settings) -> str:
    """Return the configuration of the kubelet of a node that shares its machine."""
    document: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(node.authority)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(node.serving.certificate),
        "tlsPrivateKeyFile": str(node.serving.key),
        "clusterDNS": [node.switch],
        "clusterDomain": DOMAIN,
        "resolvConf": str(node.folder / "resolv.conf"),
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 500,
        "kubeAPIBurst": 1000,
        "maxPods": 250,
        # How soon a change is seen, and how soon a node that is lost is missed.
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "4s",
        "nodeLeaseDurationSeconds": 16,
    }
    return yaml.safe_dump(document)


def kube_proxy(node: Settings, kubeconfig: Path) -> str:
    """Return the configuration of kube-proxy."""
    document = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "mode": "nftables",
        "clusterCIDR": str(node.pods),
        "hostnameOverride": node.name,
        "bindAddress": node.address,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # The machine's limits on connections are its own.
        "conntrack": {"maxPerCore": 0, "min": 0},
    }
    return yaml.safe_dump(document)
