"""What a transport adds to a pod."""

from msgspec import Struct

from mpijob.core.job import Manifest


class Preparation(Struct, frozen=True):
    """An init container of the pod's own image, run as the pod's first container would be.

    Args:
        name: The container's name; another one where the template has a container so named.
        command: What it runs.
        mounts: Volume mounts beside those that it shares with the first container.

    """

    name: str
    command: tuple[str, ...]
    mounts: tuple[Manifest, ...] = ()


class Parts(Struct, frozen=True):
    """What one role's pods get of a transport, beside what their template says.

    Args:
        command: What the first container runs where the template gives neither command nor
            args; empty to leave that open.
        volumes: Added to the pod's.
        mounts: Added to the first container, and shared with the preparation.
        own_mounts: Added to the first container alone, except where it has something there.
        preparation: Run before the first container starts; None where there is nothing to prepare.
        port: Where the first container listens (TCP). A pod on its node's network declares it, so
            that the scheduler gives it a node where nobody else does. None for nowhere we know.
        init_containers: Run before the first container starts, after the template's own.
        config_scripts: Keys of the ConfigMap that are shown beside the hostfile, to be run.
        service_account: Whose token the pod has, where its template names no other; "" for none.

    """

    command: tuple[str, ...] = ()
    volumes: tuple[Manifest, ...] = ()
    mounts: tuple[Manifest, ...] = ()
    own_mounts: tuple[Manifest, ...] = ()
    preparation: Preparation | None = None
    port: int | None = None
    init_containers: tuple[Manifest, ...] = ()
    config_scripts: tuple[str, ...] = ()
    service_account: str = ""
