"""Pod templates: passed on as plain JSON, but only where the builders can rely on its types."""

from typing import Any

import msgspec

from mpijob.core.job import Manifest


def check_template(template: Manifest) -> None:
    """Do nothing where what the builders read and add to in a pod template has the right types.

    The API server sees to all types by the schema of the resource; where there is no server, so
    does `cluster.admission`. This is the least that keeps the core total without either.

    Raises:
        msgspec.ValidationError: A field has another type.

    """
    msgspec.convert(template, _TemplateShape)


class _ContainerShape(msgspec.Struct, rename="camel"):
    """The types of what the builders read and add to in a container."""

    name: str | None = None
    image: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[dict[str, Any]] | None = None
    volume_mounts: list[dict[str, Any]] | None = None
    resources: dict[str, Any] | None = None
    security_context: dict[str, Any] | None = None


class _PodSpecShape(msgspec.Struct, rename="camel"):
    """The types of what the builders read and add to in a pod's spec."""

    containers: list[_ContainerShape] | None = None
    init_containers: list[_ContainerShape] | None = None
    volumes: list[dict[str, Any]] | None = None
    security_context: dict[str, Any] | None = None
    dns_config: dict[str, Any] | None = None
    host_network: bool | None = None
    priority_class_name: str | None = None


class _ObjectMetaShape(msgspec.Struct):
    """The types of what the builders read and add to in a template's metadata."""

    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _TemplateShape(msgspec.Struct):
    """The types of what the builders read and add to in a pod template."""

    metadata: _ObjectMetaShape | None = None
    spec: _PodSpecShape | None = None
