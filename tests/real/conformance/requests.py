"""Requests to an API server as values, and how to draw sequences of them.

A request speaks of versions and uids by where they come from, not by what they are, so that the
same one can go to two servers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hypothesis import strategies as st

from mpijob.core.plan import Kind

Fields = dict[str, Any]


class Seen(StrEnum):
    """Which of the versions or uids that an object has had a request bears."""

    NONE = "none"
    LATEST = "latest"
    FIRST = "first"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Create:
    """Store a new object."""

    kind: Kind
    name: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class Patch:
    """Merge fields into an object, or into its status."""

    kind: Kind
    name: str
    fields: Fields
    subresource: str = ""
    version: Seen = Seen.NONE
    uid: Seen = Seen.NONE


@dataclass(frozen=True, slots=True)
class Replace:
    """Merge fields into an object as it was last seen, and put the result in its place.

    Not sent where there is none: for some kinds a real server would then make one.
    """

    kind: Kind
    name: str
    fields: Fields
    subresource: str = ""
    version: Seen = Seen.LATEST
    uid: Seen = Seen.LATEST


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object, perhaps only that very one."""

    kind: Kind
    name: str
    version: Seen = Seen.NONE
    uid: Seen = Seen.NONE
    grace_s: int | None = None


@dataclass(frozen=True, slots=True)
class Bind:
    """Assign a pod to a node, as a scheduler does."""

    name: str
    node: str = "n0"
    kind: Kind = field(default=Kind.POD, init=False)


Request = Create | Patch | Replace | Delete | Bind

NAMES = st.sampled_from(["a", "b"])
_SEEN = st.sampled_from([Seen.NONE, Seen.NONE, Seen.LATEST, Seen.FIRST, Seen.WRONG])
_SEEN_BY_JOBS = st.sampled_from([Seen.NONE, Seen.LATEST])
_NO_LABELS: Fields = {"labels": None}
_METADATA: tuple[Fields, ...] = (
    {},
    {"labels": {"app": "x"}},
    {"labels": {"app": "y", "tier": None}, "annotations": {"note": "some text"}},
    _NO_LABELS,
    {"labels": {"app": "not ok"}},
    {"labels": {"-bad/key": "v"}},
    {"annotations": {"bad key": "v"}},
    {"finalizers": ["example.com/hold"]},
    {"finalizers": []},
    {"finalizers": None},
    # What the server alone writes is passed over.
    {"generation": 7, "deletionGracePeriodSeconds": 5},
)

_CONTAINER = {"name": "main", "image": "example/mpi:1"}
_POD_SPEC = {
    "automountServiceAccountToken": False,
    "restartPolicy": "Never",
    "containers": [_CONTAINER],
}

_REPLICAS = {
    role: {"replicas": count, "template": {"spec": {"containers": [_CONTAINER]}}}
    for role, count in (("Launcher", 1), ("Worker", 2))
}

#: What an object of a kind is at least made of, and what requests put in, beside metadata.
BASES: Mapping[Kind, Fields] = {
    Kind.CONFIG_MAP: {"apiVersion": "v1", "data": {"a": "1"}},
    Kind.SECRET: {"apiVersion": "v1", "data": {"k": "djE="}},
    Kind.SERVICE: {
        "apiVersion": "v1",
        "spec": {"clusterIP": "None", "selector": {"app": "x"}},
    },
    Kind.POD: {"apiVersion": "v1", "spec": _POD_SPEC},
    # Where a Job has no labels a server fills them in when it reads, not when it writes.
    Kind.JOB: {
        "apiVersion": "batch/v1",
        "metadata": {"labels": {"app": "x"}},
        "spec": {"template": {"spec": _POD_SPEC}},
    },
    Kind.MPI_JOB: {"apiVersion": "kubeflow.org/v2beta1", "spec": {"mpiReplicaSpecs": _REPLICAS}},
}

FIELDS: Mapping[Kind, tuple[Fields, ...]] = {
    Kind.CONFIG_MAP: (
        {"data": {"a": "2"}},
        {"data": {"a": None, "b": "3"}},
        {"data": None},
        {"binaryData": {"z": "AAE="}},
        {"immutable": True},
    ),
    Kind.SECRET: (
        {"data": {"k": "djI="}},
        {"data": {"k": None, "l": "eA=="}},
        {"type": "kubernetes.io/ssh-auth", "data": {"ssh-privatekey": "eA=="}},
        {"type": None},
        {"immutable": True},
    ),
    Kind.SERVICE: (
        {"spec": {"selector": {"app": "y"}}},
        {"spec": {"selector": {"app": None, "role": "worker"}}},
        {"spec": {"publishNotReadyAddresses": True}},
        {"spec": {"ports": [{"name": "ssh", "port": 2222, "targetPort": 2222}]}},
        {"spec": {"ports": [{"port": 2222}]}},
    ),
    Kind.POD: (
        {"spec": {"containers": [{**_CONTAINER, "image": "example/mpi:2"}]}},
        {"spec": {"containers": [{**_CONTAINER, "command": ["sleep"]}]}},
        {"spec": {"activeDeadlineSeconds": 60}},
        {"spec": {"activeDeadlineSeconds": 30}},
        {"spec": {"activeDeadlineSeconds": None}},
        {"spec": {"terminationGracePeriodSeconds": 5}},
        {"spec": {"tolerations": [{"key": "x", "operator": "Exists"}]}},
        {"spec": {"schedulingGates": [{"name": "example.com/gate"}]}},
        {"spec": {"schedulingGates": None}},
        {"spec": {"nodeSelector": {"zone": "a"}}},
        {"spec": {"priorityClassName": "nobody-made-it"}},
        {"spec": {"hostname": "h", "subdomain": "s"}},
    ),
    Kind.JOB: (
        {"spec": {"backoffLimit": 2}},
        {"spec": {"suspend": True}},
        {"spec": {"suspend": False}},
        {"spec": {"suspend": None, "parallelism": 0}},
        {"spec": {"completions": 2}},
        {"spec": {"activeDeadlineSeconds": 9}},
        {"spec": {"ttlSecondsAfterFinished": 5}},
        {"spec": {"managedBy": "example.com/other"}},
        {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}},
        {"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}},
        {"spec": {"template": {"spec": {"nodeSelector": {"zone": "a"}}}}},
        {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}},
        {"spec": {"template": {"spec": {"schedulingGates": [{"name": "example.com/gate"}]}}}},
    ),
    Kind.MPI_JOB: (
        {"spec": {"slotsPerWorker": 2}},
        {"spec": {"slotsPerWorker": None}},
        {"spec": {"runPolicy": {"suspend": True}}},
        {"spec": {"runPolicy": {"suspend": False, "backoffLimit": 2}}},
        {"spec": {"runPolicy": None}},
        {"spec": {"mpiImplementation": "MPICH"}},
        # Whole, so that every job is sound: the small cluster has none of the definition's rules.
        {"spec": {"mpiReplicaSpecs": {"Worker": {**_REPLICAS["Worker"], "replicas": 3}}}},
        {"spec": {"mpiReplicaSpecs": {"Worker": None}}},
    ),
}

AT = "2026-01-01T12:00:00Z"
LATER = "2026-01-01T12:00:05Z"


def _condition(name: str, **more: str) -> Fields:
    return {"type": name, "status": "True", "lastTransitionTime": AT, **more}


STATUSES: Mapping[Kind, tuple[Fields, ...]] = {
    Kind.CONFIG_MAP: (),
    Kind.SECRET: (),
    Kind.SERVICE: (),
    Kind.POD: (
        {
            "phase": "Running",
            "startTime": AT,
            "podIP": "192.0.2.9",
            "podIPs": [{"ip": "192.0.2.9"}],
        },
        {"phase": "Succeeded"},
        {"phase": "Failed", "reason": "Evicted", "message": "no room"},
        {"conditions": [_condition("Ready")]},
        {"conditions": None},
    ),
    Kind.JOB: (
        {"active": 1, "ready": 1, "startTime": AT},
        {"active": 1, "ready": 0, "startTime": AT},
        {"active": None, "ready": 0, "failed": 1},
        {"failed": None},
        {"ready": 3},
        {"startTime": None},
        {"startTime": LATER},
        {"completionTime": AT},
        {"conditions": [_condition("Suspended", reason="JobSuspended")]},
        {"conditions": [_condition("SuccessCriteriaMet")], "succeeded": 1, "startTime": AT},
        {
            "conditions": [_condition("SuccessCriteriaMet"), _condition("Complete")],
            "active": None,
            "ready": 0,
            "succeeded": 1,
            "startTime": AT,
            "completionTime": LATER,
            "terminating": None,
            "uncountedTerminatedPods": None,
        },
        {"conditions": [_condition("FailureTarget", reason="x")], "startTime": AT},
        {
            "conditions": [_condition("FailureTarget"), _condition("Failed")],
            "active": None,
            "ready": 0,
            "startTime": AT,
            "terminating": None,
        },
        {"conditions": None},
    ),
    Kind.MPI_JOB: (
        {"startTime": AT, "replicaStatuses": {"Worker": {"active": 2}}},
        {"conditions": [{"type": "Created", "status": "True", "lastTransitionTime": AT}]},
        {"conditions": None},
        {"restarts": 0},
        {"completionTime": LATER},
    ),
}


def _merged(*parts: Fields) -> Fields:
    result: Fields = {}
    for part in parts:
        for key, value in part.items():
            had = result.get(key)
            if isinstance(had, dict) and isinstance(value, dict):
                result[key] = _merged(had, value)
            else:
                result[key] = value
    return result


@st.composite
def _fields(draw: st.DrawFn, kind: Kind) -> Fields:
    keeps_labels = kind is Kind.JOB
    rows = [row for row in _METADATA if not (keeps_labels and row == _NO_LABELS)]
    metadata = draw(st.sampled_from([{}, {}, *rows]))
    parts = draw(st.lists(st.sampled_from(FIELDS[kind]), max_size=2))
    return _merged(*parts, {"metadata": metadata} if metadata else {})


@st.composite
def _written(draw: st.DrawFn, kind: Kind) -> tuple[Fields, str]:
    """Draw what a write changes, and the subresource that it goes to."""
    goes_to_status: bool = draw(st.booleans())
    if STATUSES[kind] and goes_to_status:
        return {"status": draw(st.sampled_from(STATUSES[kind]))}, "status"
    return draw(_fields(kind)), ""


@st.composite
def requests(draw: st.DrawFn, kind: Kind) -> Request:
    """Draw one request about an object of a kind."""
    name = draw(NAMES)
    verbs = ["create", "create", "patch", "patch", "replace", "delete"]
    match draw(st.sampled_from([*verbs, "bind"] if kind is Kind.POD else verbs)):
        case "create":
            return Create(kind, name, draw(_fields(kind)))
        case "patch":
            fields, subresource = draw(_written(kind))
            # A Job's uid is in its labels too, so that a wrong one breaks more rules than one.
            uids = _SEEN_BY_JOBS if kind is Kind.JOB else _SEEN
            return Patch(kind, name, fields, subresource, draw(_SEEN), draw(uids))
        case "replace":
            fields, subresource = draw(_written(kind))
            return Replace(kind, name, fields, subresource, draw(_SEEN), draw(_SEEN))
        case "delete":
            grace_s = draw(st.sampled_from([None, None, 0, 7]))
            return Delete(kind, name, draw(_SEEN), draw(_SEEN), grace_s)
        case _:
            return Bind(name)
