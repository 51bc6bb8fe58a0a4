"""The files of the volumes that are made of objects."""

import pytest

from mpijob.core.plan import Kind, Ref
from mpijob.local.environment import ConfigError, Place
from mpijob.local.volume_files import File, sources_of, volume_files

POD = {
    "metadata": {"name": "pi", "namespace": "team", "uid": "1", "labels": {"app": "pi"}},
    "spec": {
        "containers": [{"name": "mpi", "resources": {"limits": {"cpu": "2"}}}],
        "volumes": [
            {"name": "a", "configMap": {"name": "options"}},
            {"name": "b", "projected": {"sources": [{"secret": {"name": "token"}}]}},
            {"name": "c", "secret": {"secretName": "other"}},
            {"name": "d", "emptyDir": {}},
        ],
    },
}
OBJECTS = {
    Ref(Kind.CONFIG_MAP, "team", "options"): {"data": {"size": "small", "colour": "red"}},
    Ref(Kind.SECRET, "team", "token"): {"data": {"word": "c2VzYW1l"}},
}
PLACE = Place(POD, OBJECTS.get)

VOLUMES = {
    "a whole ConfigMap": (
        {"configMap": {"name": "options"}},
        {"size": File(b"small", 0o644), "colour": File(b"red", 0o644)},
    ),
    "chosen entries, each with its path and mode": (
        {
            "configMap": {
                "name": "options",
                "defaultMode": 0o600,
                "items": [
                    {"key": "size", "path": "a/b", "mode": 0o555},
                    {"key": "colour", "path": "c"},
                ],
            }
        },
        {"a/b": File(b"small", 0o555), "c": File(b"red", 0o600)},
    ),
    "an optional ConfigMap that is not there": (
        {"configMap": {"name": "none", "optional": True}},
        {},
    ),
    "optional entries that are not there": (
        {
            "configMap": {
                "name": "options",
                "optional": True,
                "items": [{"key": "x", "path": "x"}],
            }
        },
        {},
    ),
    "a Secret": (
        {"secret": {"secretName": "token", "defaultMode": 0o400}},
        {"word": File(b"sesame", 0o400)},
    ),
    "the pod's own fields": (
        {
            "downwardAPI": {
                "items": [
                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                    {
                        "path": "cpus",
                        "resourceFieldRef": {"containerName": "mpi", "resource": "limits.cpu"},
                    },
                ]
            }
        },
        {"labels": File(b'app="pi"', 0o644), "cpus": File(b"2", 0o644)},
    ),
    "several in one": (
        {
            "projected": {
                "defaultMode": 0o440,
                "sources": [
                    {
                        "configMap": {
                            "name": "options",
                            "items": [{"key": "size", "path": "s"}],
                        }
                    },
                    {"secret": {"name": "token"}},
                ],
            }
        },
        {"s": File(b"small", 0o440), "word": File(b"sesame", 0o440)},
    ),
}


@pytest.mark.parametrize(("volume", "want"), VOLUMES.values(), ids=VOLUMES)
def test_a_volume_holds(volume, want):
    assert volume_files(volume, PLACE) == want


FAULTS = {
    "no such ConfigMap": ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
    "no such Secret": ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
    "no such entry": (
        {"secret": {"secretName": "token", "items": [{"key": "x", "path": "x"}]}},
        "references non-existent secret key: x",
    ),
    "a token of a cluster": (
        {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        "a projected serviceAccountToken is not to be had on one machine",
    ),
}


@pytest.mark.parametrize(("volume", "want"), FAULTS.values(), ids=FAULTS)
def test_what_is_not_there_is_told_in_kubernetes_words(volume, want):
    with pytest.raises(ConfigError) as told:
        volume_files(volume, PLACE)
    assert str(told.value) == want


def test_the_sources_of_a_pods_volumes_are_what_its_refresh_depends_on():
    assert sources_of(POD) == {
        Ref(Kind.CONFIG_MAP, "team", "options"),
        Ref(Kind.SECRET, "team", "token"),
        Ref(Kind.SECRET, "team", "other"),
    }
