"""What an API server refuses at the door: wrong types, and names and labels that break rules.

An MPIJob is looked at in full, down to the last field of its pod templates. Of all other kinds the
small cluster checks the metadata alone: they are made by us, or by tests that mean it so.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from mpijob.cluster.job_types import ROOTS
from mpijob.cluster.schema import Unknown, faults
from mpijob.core.job import Manifest, Problem
from mpijob.core.validate import dns_label_faults, invalid
from mpijob.core.version import Version

#: What is told of one object at most: nobody mends more at once, and hostile input has no end.
PROBLEMS_MAX = 100
#: Of all annotations together, keys and values, in bytes.
ANNOTATIONS_BYTES = 256 << 10

_SUBDOMAIN = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    r"for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_LABEL_1123_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_WORD = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", re.ASCII)
_WORD_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_LABEL_MAX = 63
_SUBDOMAIN_MAX = 253


def admit(manifest: Manifest) -> tuple[Problem, ...]:
    """Return why an API server would not take this object; nothing where it would.

    A name that the server still has to draw (`generateName`) is not looked at.
    """
    found = (fault for fault in _all_faults(manifest) if isinstance(fault, Problem))
    return tuple(islice(found, PROBLEMS_MAX))


def unknown(manifest: Manifest) -> tuple[Unknown, ...]:
    """Return the fields of an MPIJob that nobody knows: a server drops them without a word.

    Times of creation in templates are left out: tools write them there, and they do no harm.
    """
    root = _root_of(manifest)
    if root is None:
        return ()
    found = (
        fault
        for fault in faults(manifest, root)
        if isinstance(fault, Unknown) and fault.name != "creationTimestamp"
    )
    return tuple(islice(found, PROBLEMS_MAX))


def type_problems(manifest: Manifest) -> tuple[Problem, ...]:
    """Return where an MPIJob's values are not of the types that its fields have."""
    root = _root_of(manifest) or ROOTS[Version.V2BETA1.api_version]
    found = (fault for fault in faults(manifest, root) if isinstance(fault, Problem))
    return tuple(islice(found, PROBLEMS_MAX))


def _root_of(manifest: Manifest) -> str | None:
    """Return the type in the table of fields that a manifest has, or None where it has none."""
    version = manifest.get("apiVersion")
    if manifest.get("kind") != "MPIJob" or not isinstance(version, str):
        return None
    return ROOTS.get(version)


def _all_faults(manifest: Manifest) -> Iterator[Problem | Unknown]:
    """Yield all that is wrong with an object: its metadata first, as a server does."""
    metadata = manifest.get("metadata")
    if isinstance(metadata, Mapping):
        yield from _metadata_problems(metadata, str(manifest.get("kind")))
    root = _root_of(manifest)
    if root is not None:
        yield from faults(manifest, root)


def _metadata_problems(metadata: Manifest, kind: str) -> Iterator[Problem]:
    """Yield what is wrong with names, labels and annotations, as far as they are texts."""
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if isinstance(name, str) and name:
        label = kind == "Service"
        for text in dns_label_faults(name) if label else _subdomain_faults(name):
            yield invalid("metadata.name", name, text)
    if isinstance(namespace, str) and namespace:
        for text in _label_faults(namespace, _LABEL_1123, _LABEL_1123_TEXT):
            yield invalid("metadata.namespace", namespace, text)
    labels = metadata.get("labels")
    if isinstance(labels, Mapping):
        yield from label_problems(labels, "metadata.labels")
    annotations = metadata.get("annotations")
    if isinstance(annotations, Mapping):
        yield from _annotation_problems(annotations)


def label_problems(labels: Mapping[str, object], path: str) -> Iterator[Problem]:
    """Yield what is wrong with the keys and values of labels."""
    for key, value in labels.items():
        for text in _key_faults(key):
            yield invalid(path, key, text)
        if isinstance(value, str) and value:
            for text in _label_faults(value, _WORD, _VALUE_TEXT):
                yield invalid(path, value, text)


def _annotation_problems(annotations: Mapping[str, object]) -> Iterator[Problem]:
    """Yield what is wrong with annotations: their keys, and how long they are together."""
    size = 0
    for key, value in annotations.items():
        for text in _key_faults(key.lower()):
            yield invalid("metadata.annotations", key, text)
        size += len(key.encode()) + len(value.encode() if isinstance(value, str) else b"")
    if size > ANNOTATIONS_BYTES:
        detail = f"may not be more than {ANNOTATIONS_BYTES} bytes"
        yield Problem("metadata.annotations", "Too long", detail)


def _key_faults(key: str) -> Iterator[str]:
    """Yield what keeps a key of labels or annotations from being one, in Kubernetes' words."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        yield (
            "a qualified name "
            + _WORD_TEXT.removeprefix("name part ")
            + (" with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")
        )
        return
    if slash and not prefix:
        yield "prefix part must be non-empty"
    elif slash:
        for text in _subdomain_faults(prefix):
            yield f"prefix part {text}"
    if not name:
        yield "name part must be non-empty"
    if len(name) > _LABEL_MAX:
        yield f"name part must be no more than {_LABEL_MAX} characters"
    if not _WORD.fullmatch(name):
        yield _WORD_TEXT


def _subdomain_faults(name: str) -> tuple[str, ...]:
    """Return what keeps a name from being a DNS subdomain (RFC 1123)."""
    if len(name) > _SUBDOMAIN_MAX:
        # The pattern's time grows with the name's length, which is the fault to mend first.
        return (f"must be no more than {_SUBDOMAIN_MAX} characters",)
    return () if _SUBDOMAIN.fullmatch(name) else (_SUBDOMAIN_TEXT,)


def _label_faults(value: str, pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    """Return what keeps a text from being a label of that pattern, 63 characters at most."""
    if len(value) > _LABEL_MAX:
        return (f"must be no more than {_LABEL_MAX} characters",)
    return () if pattern.fullmatch(value) else (text,)
