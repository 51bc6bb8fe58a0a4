"""The files of the volumes that are made of objects: ConfigMaps, Secrets, the pod's own fields.

Source: the volume plugins configmap, secret, downwardapi and projected, Kubernetes 1.36
(pkg/volume).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.local.environment import (
    ConfigError,
    Place,
    config_data,
    container_named,
    pod_field,
    resource_field,
    secret_data,
)

_DEFAULT_MODE = 0o644
#: The sources of volumes whose files come from objects.
FILE_SOURCES = ("configMap", "secret", "downwardAPI", "projected")


class File(Struct, frozen=True):
    """A file of a volume."""

    content: bytes
    mode: int


def volume_files(volume: Manifest, place: Place) -> dict[str, File]:
    """Return the files of a volume by their paths in it.

    Raises:
        ConfigError: it names something that is not there.

    """
    projected = volume.get("projected")
    if projected is None:
        source = next(name for name in FILE_SOURCES if name in volume)
        return dict(_files(source, volume[source], volume[source].get("defaultMode"), place))
    mode, found = projected.get("defaultMode"), dict[str, File]()
    for entry in projected.get("sources") or ():
        for source, reference in entry.items():
            found |= dict(_files(source, reference, mode, place))
    return found


def sources_of(pod: Manifest) -> frozenset[Ref]:
    """Return the ConfigMaps and Secrets that the pod's volumes are made of."""
    namespace = pod["metadata"]["namespace"]
    return frozenset(
        Ref(kind, namespace, name)
        for volume in pod["spec"].get("volumes") or ()
        for entry in (volume, *(volume.get("projected") or {}).get("sources", ()))
        for kind, name in _named(entry)
    )


def _named(entry: Manifest) -> Iterator[tuple[Kind, str]]:
    if "configMap" in entry:
        yield Kind.CONFIG_MAP, entry["configMap"].get("name", "")
    if "secret" in entry:
        secret = entry["secret"]
        yield Kind.SECRET, secret.get("secretName") or secret.get("name", "")


def _files(
    source: str, reference: Manifest, mode: int | None, place: Place
) -> Iterator[tuple[str, File]]:
    mode = _DEFAULT_MODE if mode is None else mode
    match source:
        case "configMap":
            name = reference.get("name", "")
            yield from _chosen("configmap", name, config_data(name, place), reference, mode)
        case "secret":
            name = reference.get("secretName") or reference.get("name", "")
            yield from _chosen("secret", name, secret_data(name, place), reference, mode)
        case "downwardAPI":
            for item in reference.get("items") or ():
                text = _field(item, place)
                yield item["path"], File(text.encode(), item.get("mode") or mode)
        case _:
            raise ConfigError(f"a projected {source} is not to be had on one machine")


def _field(item: Manifest, place: Place) -> str:
    if "resourceFieldRef" in item:
        reference = item["resourceFieldRef"]
        container = container_named(place.pod, reference.get("containerName", ""))
        return resource_field(reference, container, place)
    return pod_field(item["fieldRef"]["fieldPath"], place)


def _chosen(
    what: str, name: str, data: Mapping[str, bytes] | None, reference: Manifest, mode: int
) -> Iterator[tuple[str, File]]:
    """Yield the entries that a volume asks for: all of them, or those of its `items`."""
    optional = reference.get("optional", False)
    if data is None:
        if not optional:
            raise ConfigError(f'{what} "{name}" not found')
        return
    items = reference.get("items")
    if not items:
        yield from ((key, File(value, mode)) for key, value in data.items())
        return
    for item in items:
        key = item["key"]
        if key in data:
            yield item["path"], File(data[key], item.get("mode") or mode)
        elif not optional:
            raise ConfigError(f"references non-existent {what.removesuffix('map')} key: {key}")
