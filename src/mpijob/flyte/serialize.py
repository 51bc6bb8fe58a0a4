"""A task of the SDK as the template that Flyte registers, as JSON of its protobuf.

It is what flytekit writes for the same function under the same decorator, so that one function can
go to Flyte, or be translated and run without it.
"""

import inspect
import typing
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from mpijob.sdk.task_config import (
    Resources,
    TaskConfig,
    base_command,
    get_command,
    get_custom,
    resource_entries,
)
from mpijob.sdk.tasks import Task

TASK_TYPE = "mpi"
TASK_TYPE_VERSION = 1

_SIMPLE: Mapping[object, str] = {
    int: "INTEGER",
    float: "FLOAT",
    str: "STRING",
    bool: "BOOLEAN",
    datetime: "DATETIME",
    timedelta: "DURATION",
    type(None): "NONE",
}


class Said(Struct, frozen=True):
    """What the decorator says of a task, beside what its job is to be.

    Args:
        image: The container image.
        requests: What the task's container asks for.
        limits: What it gets at most.
        retries: How often it is tried again.
        timeout_s: How long one attempt may take, 0 for as long as it takes.
        environment: Variables of the container.
        cache_version: "" where results are not kept.
        project: Where Flyte registers it, and below its domain and version.
        domain: See `project`.
        version: See `project`.

    """

    image: str
    requests: Resources | None = None
    limits: Resources | None = None
    retries: int = 0
    timeout_s: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    cache_version: str = ""
    project: str = "flytesnacks"
    domain: str = "development"
    version: str = "v1"


def template(function: Callable[..., Any], config: TaskConfig, said: Said) -> dict[str, Any]:
    """Return the template of the task that `function` is under such a decorator.

    Raises:
        TypeError: Flyte has no type for one of its annotations, or one is missing.
        ValueError: the config says too much, or too little.

    """
    module, name = function.__module__, function.__name__
    resources = {
        kind: entries
        for kind, asked in (("requests", said.requests), ("limits", said.limits))
        if (entries := resource_entries(asked))
    }
    container: dict[str, Any] = {
        "image": said.image,
        "args": get_command(config, base_command(module, name)),
        "resources": resources,
    }
    if said.environment:
        container["env"] = [_variable(*pair) for pair in said.environment.items()]
    return {
        "id": {
            "resourceType": "TASK",
            "project": said.project,
            "domain": said.domain,
            "name": f"{module}.{name}",
            "version": said.version,
        },
        "type": TASK_TYPE,
        "metadata": _metadata(said),
        "interface": _interface(function),
        "custom": get_custom(config),
        "container": container,
        "taskTypeVersion": TASK_TYPE_VERSION,
    }


def of(task: Task[..., Any], image: str = "", **where: str) -> dict[str, Any]:
    """Return the template of a task of the SDK. Raises as `template` does.

    Args:
        task: The task.
        image: Its container image, where the decorator names none.
        where: `project`, `domain` and `version`, see `Said`.

    """
    terms = task.terms
    said = Said(
        image=terms.container_image or image,
        requests=terms.requests,
        limits=terms.limits,
        retries=terms.retries,
        timeout_s=terms.timeout_s or 0,
        environment=terms.environment,
        cache_version=terms.cache_version,
        **where,
    )
    return template(task.function, terms.task_config, said)


def _variable(name: str, value: str) -> dict[str, str]:
    return {"key": name, "value": value} if value else {"key": name}


def _metadata(said: Said) -> dict[str, Any]:
    """Return how Flyte is to treat the task."""
    metadata: dict[str, Any] = {"retries": {"retries": said.retries} if said.retries else {}}
    if said.timeout_s:
        metadata["timeout"] = f"{said.timeout_s}s"
    if said.cache_version:
        metadata |= {"discoverable": True, "discoveryVersion": said.cache_version}
    return metadata


def _interface(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of what a function takes and returns."""
    hints = typing.get_type_hints(function)
    where = f"{function.__module__}.{function.__name__}"
    inputs = {name: hints.get(name) for name in inspect.signature(function).parameters}
    returned = hints.get("return", type(None))
    outputs = {} if returned is type(None) else {"o0": returned}
    return {"inputs": _variables(inputs, where), "outputs": _variables(outputs, where)}


def _variables(hints: Mapping[str, Any], where: str) -> dict[str, Any]:
    if not hints:
        return {}
    rows = {
        name: {"type": _type(hint, f"{name} of {where}"), "description": name}
        for name, hint in hints.items()
    }
    return {"variables": rows}


def _type(hint: Any, where: str) -> dict[str, Any]:
    """Return Flyte's type for an annotation."""
    if hint in _SIMPLE:
        return {"simple": _SIMPLE[hint]}
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return {"collectionType": _type(inner[0], where)}
    if origin is dict and inner[0] is str:
        return {"mapValueType": _type(inner[1], where)}
    known = ", ".join(getattr(kind, "__name__", "") for kind in _SIMPLE)
    raise TypeError(f"{where}: {hint!r} is none of {known}, lists of them and dicts by name")
