"""What a container's environment is, from all the places that its manifest names.

Source: `makeEnvironmentVariables`, Kubernetes 1.36 (pkg/kubelet/kubelet_pods.go).
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from msgspec import Struct

from mpijob.core import quantity
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.core.quantity import NotAQuantity

_REFERENCE = re.compile(r"\$(?:\$|\((?P<name>[^()]*)\))")
_KEYED = re.compile(r"metadata\.(?P<field>labels|annotations)\['(?P<key>.+)'\]")


class ConfigError(Exception):
    """A container cannot be set up as its manifest says; the message is Kubernetes' own."""


class Place(Struct, frozen=True):
    """What a pod's manifest may refer to.

    Args:
        pod: The pod's manifest.
        lookup: Finds an object; None where there is none.
        addresses: The pod's and its node's IP address.
        capacity: What the machine has, for containers without a limit, by resource.

    """

    pod: Manifest
    lookup: Callable[[Ref], Manifest | None]
    addresses: tuple[str, str] = ("127.0.0.1", "127.0.0.1")
    capacity: Mapping[str, str] | None = None

    @property
    def namespace(self) -> str:
        """The pod's namespace, in which everything that it names is looked up."""
        found: str = self.pod["metadata"]["namespace"]
        return found


def environment(container: Manifest, place: Place, given: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a container; `given` is what it has before all else.

    Raises:
        ConfigError: it refers to something that is not there.

    """
    found = dict(given)
    for source in container.get("envFrom") or ():
        found |= dict(_from_source(source, place))
    for entry in container.get("env") or ():
        value = _value(entry, container, place, found)
        if value is not None:
            found[entry["name"]] = value
    return found


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Return `text` with each `$(NAME)` replaced by that variable, as far as it is known.

    `$$` stands for a dollar sign, so that `$$(NAME)` stays `$(NAME)`.
    """

    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        return "$" if name is None else variables.get(name, match[0])

    return _REFERENCE.sub(replaced, text)


def pod_field(path: str, place: Place) -> str:
    """Return the text of a pod's field, as the downward API gives it. Raises ConfigError."""
    metadata = place.pod["metadata"]
    keyed = _KEYED.fullmatch(path)
    if keyed is not None:
        value: str = (metadata.get(keyed["field"]) or {}).get(keyed["key"], "")
        return value
    spec = place.pod["spec"]
    account = spec.get("serviceAccountName", "default")
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "metadata.labels": _lines(metadata.get("labels")),
        "metadata.annotations": _lines(metadata.get("annotations")),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": account,
        "status.podIP": place.addresses[0],
        "status.podIPs": place.addresses[0],
        "status.hostIP": place.addresses[1],
        "status.hostIPs": place.addresses[1],
    }
    if path not in known:
        raise ConfigError(f"field label not supported: {path}")
    return str(known[path])


def resource_field(reference: Manifest, container: Manifest, place: Place) -> str:
    """Return an amount that a container asks for, in units of the divisor, rounded up.

    Source: `ExtractContainerResourceValue`, Kubernetes 1.36 (pkg/api/v1/resource).
    """
    kind, _, resource = reference["resource"].partition(".")
    resources = container.get("resources") or {}
    asked = (resources.get(kind) or {}).get(resource)
    if asked is None and kind == "limits":
        asked = (place.capacity or {}).get(resource)
    if asked is None and kind == "requests":
        asked = (resources.get("limits") or {}).get(resource, "0")
    try:
        divisor = quantity.parse(reference.get("divisor") or "1").amount or Fraction(1)
        units = quantity.parse(asked or "0").amount / divisor
    except NotAQuantity as wrong:
        raise ConfigError(str(wrong)) from wrong
    return str(-(-units.numerator // units.denominator))


def config_data(name: str, place: Place) -> Mapping[str, bytes] | None:
    """Return the entries of a ConfigMap of the pod's namespace, None where there is none."""
    found = place.lookup(Ref(Kind.CONFIG_MAP, place.namespace, name))
    if found is None:
        return None
    texts = {key: text.encode() for key, text in (found.get("data") or {}).items()}
    binary = {key: b64decode(text) for key, text in (found.get("binaryData") or {}).items()}
    return texts | binary


def secret_data(name: str, place: Place) -> Mapping[str, bytes] | None:
    """Return the entries of a Secret of the pod's namespace, None where there is none."""
    found = place.lookup(Ref(Kind.SECRET, place.namespace, name))
    if found is None:
        return None
    texts = {key: text.encode() for key, text in (found.get("stringData") or {}).items()}
    return {key: b64decode(text) for key, text in (found.get("data") or {}).items()} | texts


def _from_source(source: Manifest, place: Place) -> Iterator[tuple[str, str]]:
    prefix = source.get("prefix", "")
    for field, what, read in (
        ("configMapRef", "configmap", config_data),
        ("secretRef", "secret", secret_data),
    ):
        reference = source.get(field)
        if reference is None:
            continue
        data = read(reference.get("name", ""), place)
        if data is None:
            if not reference.get("optional"):
                raise ConfigError(f'{what} "{reference.get("name", "")}" not found')
            continue
        for key, value in sorted(data.items()):
            # What no environment can hold is left out, as Kubernetes does.
            if key and "=" not in key and b"\0" not in value:
                yield prefix + key, value.decode(errors="surrogateescape")


def _value(
    entry: Manifest, container: Manifest, place: Place, known: Mapping[str, str]
) -> str | None:
    """Return a variable's value, None where it is optional and there is none."""
    source = entry.get("valueFrom")
    if not source:
        return expanded(str(entry.get("value") or ""), known)
    if "fieldRef" in source:
        return pod_field(source["fieldRef"]["fieldPath"], place)
    if "resourceFieldRef" in source:
        reference = source["resourceFieldRef"]
        named = reference.get("containerName")
        meant = container_named(place.pod, named) if named else container
        return resource_field(reference, meant, place)
    if "configMapKeyRef" in source:
        return _keyed(source["configMapKeyRef"], place, "configmap", "ConfigMap")
    if "secretKeyRef" in source:
        return _keyed(source["secretKeyRef"], place, "secret", "Secret")
    raise ConfigError(f'variable "{entry["name"]}": {next(iter(source))} is not known here')


def _keyed(reference: Manifest, place: Place, what: str, kind: str) -> str | None:
    read = config_data if kind == "ConfigMap" else secret_data
    name, key = reference.get("name", ""), reference["key"]
    data = read(name, place)
    if data is not None and key in data:
        return data[key].decode(errors="surrogateescape")
    if reference.get("optional"):
        return None
    if data is None:
        raise ConfigError(f'{what} "{name}" not found')
    raise ConfigError(f"couldn't find key {key} in {kind} {place.namespace}/{name}")


def container_named(pod: Manifest, name: str) -> Manifest:
    """Return the container of that name. Raises ConfigError."""
    spec = pod["spec"]
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        if container["name"] == name:
            found: Manifest = container
            return found
    raise ConfigError(f"container {name} not found")


def _lines(entries: Mapping[str, str] | None) -> str:
    """Return labels or annotations as the downward API writes them, one `key="value"` a line."""
    rows = sorted((entries or {}).items())
    return "\n".join(f'{key}="{_escaped(value)}"' for key, value in rows)


def _escaped(value: str) -> str:
    marks = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return "".join(marks.get(letter, letter) for letter in value)
