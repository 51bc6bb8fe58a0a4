"""The openmpi package's pods as one machine runs them: as they are, but for what an image has.

Ranks reach the hosts by the machine's own agent, so there are no keys; the controller is this
Python, and watches the machine's journal.
"""

from collections.abc import Sequence
from typing import Any

from mpijob.core import names
from mpijob.core.job import Manifest, Role
from mpijob.generate.openmpi.objects import CONTROLLER, CONTROLLER_COMMAND

_KINDS = ("ConfigMap", "Service", "Pod")
_SECRETS, _DATA = "openmpi-secrets", "openmpi-data"
_ROLES = {"master": Role.LAUNCHER, "worker": Role.WORKER}
_PROGRAM = "mpijob.sidecar.program"


def on_one_machine(manifests: Sequence[Manifest], python: str, home: str) -> list[Manifest]:
    """Return the package's objects as one machine runs them.

    Args:
        manifests: As the prototype makes them.
        python: The interpreter that has mpijob.
        home: The folder of the journal that the pods' states are in.

    """
    return [
        _pod(manifest, python, home) if manifest["kind"] == "Pod" else manifest
        for manifest in manifests
        if manifest["kind"] in _KINDS
    ]


def _pod(pod: Manifest, python: str, home: str) -> Manifest:
    metadata, spec = pod["metadata"], pod["spec"]
    role = _ROLES[metadata["labels"]["role"]]
    labels = {**metadata["labels"], names.ROLE_TYPE_LABEL: role.value}
    volumes = [_volume(each) for each in spec["volumes"] if each["name"] != _SECRETS]
    containers = [_container(each, python, home) for each in spec["containers"]]
    return {
        **pod,
        "metadata": {**metadata, "labels": labels},
        "spec": {**spec, "volumes": volumes, "containers": containers},
    }


def _volume(volume: Manifest) -> Manifest:
    return volume if len(volume) > 1 else {**volume, "emptyDir": {}}


def _container(container: Manifest, python: str, home: str) -> Manifest:
    mounts = [each for each in container["volumeMounts"] if each["name"] != _SECRETS]
    made: dict[str, Any] = {**container, "volumeMounts": mounts}
    if container["name"] == CONTROLLER:
        words = container["command"][len(CONTROLLER_COMMAND) :]
        made["command"] = [python, "-m", _PROGRAM, *words, "--home", home]
    return made
