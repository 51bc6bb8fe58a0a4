"""The CustomResourceDefinition of MPIJobs, made from the table of types that admission reads.

Every version has the same fields, so that nothing that another version wrote is pruned; only the
rules are each version's own. No
field has a default: those of one version would show in the reads of all. Descriptions are left
out: with them one version alone takes 670 KB, and an object of etcd holds 1.5 MB.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mpijob.api.crd_rules import validations
from mpijob.cluster.job_types import ANY, ENUMS
from mpijob.cluster.pod_types import POD_KEY_DEFAULTS
from mpijob.cluster.schema import KEYS, TYPES, fields_of
from mpijob.core.version import Version

NAME = "mpijobs.kubeflow.org"
STORED = Version.V2BETA1.value
#: The versions whose jobs the operator understands, and so may be served.
UNDERSTOOD = tuple(version.value for version in reversed(Version))
#: Those that are served unless told otherwise. Where v1 is, kubectl takes it for the usual one.
SERVED = tuple(name for name in UNDERSTOOD if name != Version.V1)

_QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
_SCALARS: Mapping[str, Mapping[str, Any]] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "time": {"type": "string", "format": "date-time"},
    "int-or-string": {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
    },
    "quantity": {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": _QUANTITY,
        "x-kubernetes-int-or-string": True,
    },
    "object": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}

_COLUMNS = (
    ("State", "string", ".status.state"),
    ("Ready", "string", ".status.ready"),
    ("Restarts", "integer", ".status.restarts"),
    ("Age", "date", ".metadata.creationTimestamp"),
)


def definition(served: Sequence[str] = SERVED, known: Sequence[str] = ()) -> dict[str, Any]:
    """Return the definition that serves these versions and stores v2beta1.

    The stored version is always there, served or not. So are those that are `known`: a server may
    not forget a version that it has stored objects of.
    """
    names = dict.fromkeys((STORED, *served, *known))
    versions = [_version(name, served=name in served) for name in names]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": "kubeflow.org",
            "names": {
                "kind": "MPIJob",
                "listKind": "MPIJobList",
                "plural": "mpijobs",
                "singular": "mpijob",
                "shortNames": ["mj", "mpij"],
            },
            "scope": "Namespaced",
            "conversion": {"strategy": "None"},
            "versions": versions,
        },
    }


def _version(name: str, *, served: bool) -> dict[str, Any]:
    columns = [{"name": title, "type": kind, "jsonPath": path} for title, kind, path in _COLUMNS]
    whole = schema(ANY)
    whole["properties"]["metadata"] = {"type": "object"}
    if name == Version.V1ALPHA1:
        # Others keep it as it is. Spelled out in each it would take as much again as all else.
        whole["properties"]["spec"]["properties"]["template"] = schema("PodTemplate")
    whole["x-kubernetes-validations"] = validations(Version(name))
    return {
        "name": name,
        "served": served,
        "storage": name == STORED,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": whole},
    }


def schema(type_: str) -> dict[str, Any]:
    """Return the structural OpenAPI schema of a type in the table's notation."""
    if type_[0] == "[":
        return {"type": "array", "items": schema(type_[1:-1])}
    if type_[0] == "{":
        return {"type": "object", "additionalProperties": schema(type_[1:-1])}
    if type_ not in TYPES:
        return dict(_SCALARS[type_])
    fields = fields_of(type_)
    made: dict[str, Any] = {
        "type": "object",
        "properties": {name: _field(type_, name, field.type) for name, field in fields.items()},
    }
    needed = [name for name, field in fields.items() if field.required]
    return {**made, "required": needed} if needed else made


def _field(owner: str, name: str, type_: str) -> dict[str, Any]:
    made = schema(type_)
    allowed = ENUMS.get((owner, name))
    if allowed:
        made["enum"] = list(allowed)
    keys = KEYS.get(("Container" if owner == "EphemeralContainer" else owner, name))
    if keys:
        made |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
        _complete(made["items"], keys)
    return made


def _complete(item: dict[str, Any], keys: Sequence[str]) -> None:
    """Give the keys of a list of maps the defaults that the server asks for where they may miss."""
    for key in keys:
        if key not in item.get("required", ()):
            item["properties"][key]["default"] = POD_KEY_DEFAULTS.get(key, "")
