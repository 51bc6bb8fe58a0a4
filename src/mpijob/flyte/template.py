"""What Flyte says of a task and of one execution of it, as far as an MPI job is made of it.

A task's template is protobuf on Flyte's wire, and JSON here: `MessageToDict` of flyteidl's
`core.TaskTemplate`, whose `custom` is the payload of the plugin for the task's type.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from mpijob.core.job import Manifest

T = TypeVar("T", bound=Struct)


class BadTaskSpecification(ValueError):
    """A task of which no job can be made; Flyte fails it for good, and says what this says."""


class Entry(Struct):
    """One amount: of what (`CPU`, `MEMORY`, `GPU`, `EPHEMERAL_STORAGE`), and how much."""

    name: str = ""
    value: str = ""


class ResourcesWire(Struct):
    """What is asked for, and what is the most."""

    requests: list[Entry] = field(default_factory=list)
    limits: list[Entry] = field(default_factory=list)


class Pair(Struct):
    """One variable of a container."""

    key: str = ""
    value: str = ""


class ContainerWire(Struct):
    """The container of a task."""

    image: str = ""
    command: list[str] = field(default_factory=list)
    args: list[str] = field(default_factory=list)
    env: list[Pair] = field(default_factory=list)
    resources: ResourcesWire | None = None


class PodMetadataWire(Struct):
    """Labels and annotations of a task's pod."""

    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


class PodWire(Struct, rename="camel"):
    """The pod of a task that was given a whole template of one."""

    metadata: PodMetadataWire = field(default_factory=PodMetadataWire)
    pod_spec: dict[str, Any] | None = None


class AcceleratorWire(Struct, rename="camel"):
    """Which GPUs are meant."""

    device: str = ""
    partition_size: str | None = None
    unpartitioned: bool | None = None


class ExtendedWire(Struct, rename="camel"):
    """What a task asks for beyond amounts."""

    gpu_accelerator: AcceleratorWire | None = None


class TaskMetadataWire(Struct, rename="camel"):
    """What a task says of itself."""

    pod_template_name: str = ""


class TemplateWire(Struct, rename="camel"):
    """A task's template, as far as it is read."""

    type: str = ""
    task_type_version: int = 0
    metadata: TaskMetadataWire = field(default_factory=TaskMetadataWire)
    custom: dict[str, Any] = field(default_factory=dict)
    container: ContainerWire | None = None
    k8s_pod: PodWire | None = None
    config: dict[str, str] = field(default_factory=dict)
    extended_resources: ExtendedWire | None = None


class Paths(Struct, frozen=True):
    """Where one execution reads and writes; what a command line's placeholders stand for."""

    input: str
    input_prefix: str
    output_prefix: str
    raw_output_prefix: str
    checkpoint_prefix: str = ""
    previous_checkpoint_prefix: str = ""


class Execution(Struct, frozen=True):
    """One attempt to execute a task.

    Args:
        name: The name of its job, and of everything that is made for it.
        namespace: Where the job goes.
        labels: What every object of the execution bears.
        annotations: The same.
        service_account: Whose rights its pods have, "" for the namespace's default.
        environment: Variables of every container, after the task's own.
        id: The execution's name, project and domain, None where there is no such thing.
        task: The task's project, domain, name and version.
        attempt: How many attempts there were before.
        paths: None where the command line's placeholders are filled in already.
        owner: The owner reference of the job, None where it has none.

    """

    name: str
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    service_account: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    id: tuple[str, str, str] | None = None
    task: tuple[str, str, str, str] | None = None
    attempt: int = 0
    paths: Paths | None = None
    owner: Manifest | None = None


class Platform(Struct, frozen=True):
    """What an installation of Flyte gives to tasks that do not say; Flyte's own defaults."""

    cpu: str = "1"
    memory: str = "1Gi"
    gpu_resource: str = "nvidia.com/gpu"
    gpu_device_label: str = "k8s.amazonaws.com/accelerator"
    gpu_partition_label: str = "k8s.amazonaws.com/gpu-partition-size"


def read(template: Mapping[str, Any]) -> TemplateWire:
    """Return what a template says, given as JSON of its protobuf.

    Raises:
        BadTaskSpecification: it is not of that shape.

    """
    return payload(template, TemplateWire)


def payload(custom: Mapping[str, Any], shape: type[T]) -> T:
    """Return a message that was given as JSON: numbers of a protobuf Struct may be 2.0 for 2.

    Raises:
        BadTaskSpecification: it is not of that shape.

    """
    try:
        return msgspec.convert(_whole(custom), shape)
    except msgspec.ValidationError as error:
        told = f"invalid TaskSpecification [{dict(custom)}], Err: [{error}]"
        raise BadTaskSpecification(told) from None


def _whole(value: Any) -> Any:
    """Return JSON with each number that is whole as an int: a Struct's are all floats."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case Mapping():
            return {key: _whole(inner) for key, inner in value.items()}
        case list():
            return [_whole(inner) for inner in value]
        case _:
            return value
