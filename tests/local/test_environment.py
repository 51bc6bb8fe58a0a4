"""What a container's environment is, from all the places that its manifest names."""

import pytest

from mpijob.core.plan import Kind, Ref
from mpijob.local.environment import ConfigError, Place, environment, expanded

POD = {
    "metadata": {
        "name": "pi-worker-0",
        "namespace": "team",
        "uid": "1234",
        "labels": {"app": "pi", "tier": 'a"b'},
        "annotations": {"note": "two\nlines"},
    },
    "spec": {"nodeName": "box", "containers": [{"name": "mpi"}]},
}
OBJECTS = {
    Ref(Kind.CONFIG_MAP, "team", "options"): {
        "data": {"size": "small", "a=b": "no name"},
        "binaryData": {"blob": "AAE="},
    },
    Ref(Kind.SECRET, "team", "token"): {"data": {"word": "c2VzYW1l"}},
}
PLACE = Place(POD, OBJECTS.get, ("127.0.1.2", "127.0.0.1"), {"cpu": "2500m", "memory": "2Gi"})

EXPANSIONS = {
    "a known name": ("$(A)", "1"),
    "an unknown name stays": ("$(B)", "$(B)"),
    "a doubled dollar is one": ("$$", "$"),
    "a doubled dollar keeps a reference": ("$$(A)", "$(A)"),
    "three dollars are one and a reference": ("$$$(A)", "$1"),
    "a shell's own variables are not ours": ("$A ${A}", "$A ${A}"),
    "an open bracket is no reference": ("$(A", "$(A"),
    "several in a word": ("x$(A)y$(A)z", "x1y1z"),
}


@pytest.mark.parametrize(("text", "want"), EXPANSIONS.values(), ids=EXPANSIONS)
def test_references_are_expanded(text, want):
    assert expanded(text, {"A": "1"}) == want


def source(**value_from):
    return {"name": "X", "valueFrom": value_from}


def field(path):
    return source(fieldRef={"fieldPath": path})


def resource(name, **more):
    return source(resourceFieldRef={"resource": name, **more})


VALUES = {
    "nothing said": ({"name": "X"}, "", {}),
    "a number where a text should be": ({"name": "X", "value": 7}, "7", {}),
    "the name": (field("metadata.name"), "pi-worker-0", {}),
    "the uid": (field("metadata.uid"), "1234", {}),
    "a label that is not there": (field("metadata.labels['none']"), "", {}),
    "all labels": (field("metadata.labels"), 'app="pi"\ntier="a\\"b"', {}),
    "all annotations": (field("metadata.annotations"), 'note="two\\nlines"', {}),
    "the node": (field("spec.nodeName"), "box", {}),
    "the pod's address": (field("status.podIP"), "127.0.1.2", {}),
    "the node's address": (field("status.hostIP"), "127.0.0.1", {}),
    "a limit that is the machine's, rounded up": (resource("limits.cpu"), "3", {}),
    "a limit in thousandths": (resource("limits.cpu", divisor="1m"), "2500", {}),
    "a limit of memory": (resource("limits.memory", divisor="1Gi"), "2", {}),
    "no request is none": (resource("requests.cpu"), "0", {}),
    "a limit is a request too": (
        resource("requests.cpu"),
        "4",
        {"resources": {"limits": {"cpu": "4"}}},
    ),
    "bytes of a ConfigMap": (
        source(configMapKeyRef={"name": "options", "key": "blob"}),
        "\0\1",
        {},
    ),
}


@pytest.mark.parametrize(("entry", "want", "container"), VALUES.values(), ids=VALUES)
def test_a_variable_is(entry, want, container):
    found = environment({"name": "mpi", **container, "env": [entry]}, PLACE, {})
    assert found == {"X": want}


def test_later_variables_win_and_may_use_earlier_ones():
    entries = [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]
    found = environment({"name": "mpi", "env": entries}, PLACE, {"A": "0", "B": "b"})
    assert found == {"A": "12", "B": "b"}


def test_what_is_given_is_overridden_by_whole_maps_and_those_by_single_variables():
    container = {
        "name": "mpi",
        "envFrom": [
            {"configMapRef": {"name": "options"}},
            {"prefix": "P_", "secretRef": {"name": "token"}},
        ],
        "env": [{"name": "P_word", "value": "mine"}],
    }
    assert environment(container, PLACE, {"size": "?"}) == {"size": "small", "P_word": "mine"}


FAULTS = {
    "no such ConfigMap": (
        source(configMapKeyRef={"name": "none", "key": "a"}),
        'configmap "none" not found',
    ),
    "no such Secret": (
        source(secretKeyRef={"name": "none", "key": "a"}),
        'secret "none" not found',
    ),
    "no such entry": (
        source(configMapKeyRef={"name": "options", "key": "a"}),
        "couldn't find key a in ConfigMap team/options",
    ),
    "no such field": (field("spec.nonsense"), "field label not supported: spec.nonsense"),
    "no such container": (
        resource("limits.cpu", containerName="other"),
        "container other not found",
    ),
    "a source nobody knows": (
        source(fileKeyRef={"path": "x"}),
        'variable "X": fileKeyRef is not known here',
    ),
}


@pytest.mark.parametrize(("entry", "want"), FAULTS.values(), ids=FAULTS)
def test_what_is_not_there_is_told_in_kubernetes_words(entry, want):
    with pytest.raises(ConfigError) as told:
        environment({"name": "mpi", "env": [entry]}, PLACE, {})
    assert str(told.value) == want


def test_a_whole_map_that_is_not_there_is_told_unless_it_is_optional():
    with pytest.raises(ConfigError, match='configmap "none" not found'):
        environment({"name": "mpi", "envFrom": [{"configMapRef": {"name": "none"}}]}, PLACE, {})
    optional = [{"configMapRef": {"name": "none", "optional": True}}]
    assert environment({"name": "mpi", "envFrom": optional}, PLACE, {}) == {}
