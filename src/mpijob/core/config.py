"""What the person who runs the operator has chosen for every job."""

from enum import StrEnum

from msgspec import Struct

from mpijob.core.allocation import UnitDefaults


class Transport(StrEnum):
    """How a launcher starts ranks on another host."""

    SSH = "ssh"
    RSH = "rsh"


class Gang(StrEnum):
    """Whose PodGroups a gang scheduler reads."""

    VOLCANO = "volcano"
    SCHEDULER_PLUGINS = "scheduler-plugins"


class KeyType(StrEnum):
    """The kinds of ssh key that the operator draws."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"


class Config(Struct, frozen=True):
    """The operator's settings, the same for every job that it looks after.

    Args:
        cluster_domain: What follows `.svc` in hostfiles; "" leaves the short form, which every
            cluster resolves.
        gang: Whose PodGroups to make; None for no gang scheduling.
        scheduler_name: The `schedulerName` that gang-scheduled pods get.
        transport: How launchers start ranks: ssh on a cluster, our own agent on one machine.
        key_type: Which ssh keys to draw.
        service_mesh: Whether Istio and Linkerd may put their proxies into jobs' pods.
        shared_memory: Whether pods that run ranks get a /dev/shm as large as their memory.
        kubectl_delivery_image: What brings kubectl to launchers that start ranks by exec; "" where
            none may, and ssh is used.
        units: What v1alpha1's jobs mean where they say nothing of processing units.

    """

    cluster_domain: str = ""
    gang: Gang | None = None
    scheduler_name: str = ""
    transport: Transport = Transport.SSH
    key_type: KeyType = KeyType.ED25519
    service_mesh: bool = False
    shared_memory: bool = True
    kubectl_delivery_image: str = ""
    units: UnitDefaults = UnitDefaults()
