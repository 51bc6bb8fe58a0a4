"""What Flyte hands to a task's ranks and reads of them, and the jobs that its backend makes."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.api import Object
from mpijob.flyte import translate
from mpijob.flyte.template import Execution, Paths, read

#: Where the pods of a job see the folder of its inputs and outputs.
_TOLD = Path("/told")
_NO_MORE: Mapping[str, str] = {}


def inputs(given: Mapping[str, int]) -> bytes:
    """Return a file of inputs: flyteidl's LiteralMap of integers."""
    rows = []
    for name, value in given.items():
        primitive = b"\x08" + _varint(value)
        literal = _field(1, _field(1, primitive))
        rows.append(_field(1, _field(1, name.encode()) + _field(2, literal)))
    return b"".join(rows)


def returned(outputs: bytes) -> float:
    """Return the one float of a file of outputs, which is a LiteralMap."""
    assert b"o0" in outputs
    return float(struct.unpack("<d", outputs.partition(b"\x11")[2][:8])[0])


def translated(
    template: Mapping[str, Any],
    key: tuple[str, str],
    folders: tuple[Path, Path],
    environment: Mapping[str, str] = _NO_MORE,
    annotations: Mapping[str, str] = _NO_MORE,
) -> Object:
    """Return the job that Flyte's backend makes of a template that has that of its whole pod.

    Args:
        template: That of a task with a container.
        key: The job's namespace and name.
        folders: One that pods see as /told, and that of the inputs and outputs, in it.
        environment: Variables of the execution.
        annotations: Those of the execution.

    """
    told, folder = folders
    said = template["container"]
    container = {
        "name": "primary",
        "image": said["image"],
        "args": said["args"],
        # The nodes have not a CPU for each of three pods, which is what the document asks for.
        "resources": {
            "requests": {"cpu": "100m", "memory": "300Mi"},
            "limits": {"cpu": "2", "memory": "6000Mi"},
        },
        "volumeMounts": [{"name": "told", "mountPath": str(_TOLD)}],
    }
    volumes = [{"name": "told", "hostPath": {"path": str(told)}}]
    of_pod = {
        **template,
        "container": None,
        "k8sPod": {"podSpec": {"containers": [container], "volumes": volumes}},
        "config": {"primary_container_name": "primary"},
    }
    seen = str(_TOLD / folder.relative_to(told))
    namespace, name = key
    execution = Execution(
        name,
        namespace,
        annotations=annotations,
        environment=environment,
        id=("f1", "p", "d"),
        paths=Paths(f"{seen}/inputs.pb", seen, seen, f"{seen}/raw"),
    )
    return translate.job(read(of_pod), execution)


def _field(number: int, content: bytes) -> bytes:
    """Return a field of a protobuf message whose value has a length."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    rest = [value >> 7 * index & 127 for index in range(10) if value >> 7 * index]
    return bytes([*(byte | 128 for byte in rest[:-1]), *rest[-1:]]) if rest else b"\0"
