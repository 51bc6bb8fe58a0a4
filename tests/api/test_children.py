"""Children on the wire, seen as views: what the decision needs, from mappings and from bytes."""

import json
from datetime import UTC, datetime

import pytest

from mpijob.api.children import seen
from mpijob.core.job import Key
from mpijob.core.observed import (
    Child,
    ConfigView,
    ContainerView,
    End,
    LauncherView,
    PodGroupView,
    PodPhase,
    PodView,
    RoleBindingView,
    RoleView,
    SecretView,
    ServiceView,
)
from mpijob.core.plan import Kind

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPELLED = "2026-01-01T12:00:00Z"
OWNER = {"kind": "MPIJob", "name": "pi", "uid": "job", "controller": True}
IDENTITY = ("a", "u", "job", "7")


def meta(**more):
    made = {"name": "a", "namespace": "team", "uid": "u", "resourceVersion": "7"}
    return {"metadata": {**made, "ownerReferences": [OWNER], **more}}


def waiting(reason):
    return {"name": "mpi", "state": {"waiting": {"reason": reason, "message": "why"}}}


ENDED = {"exitCode": 137, "reason": "OOMKilled", "message": "last", "finishedAt": SPELLED}
DEAD = ContainerView(
    "mpi", exit_code=137, ended_reason="OOMKilled", ended_message="last", ended_at=AT
)
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}

VIEWS = {
    "a Service": (
        Kind.SERVICE,
        {**meta(), "spec": {"selector": {"a": "b"}, "publishNotReadyAddresses": True}},
        ServiceView(*IDENTITY, {"a": "b"}, True),
    ),
    "a ConfigMap": (
        Kind.CONFIG_MAP,
        {**meta(annotations={"note": "n"}), "data": {"hostfile": "x"}},
        ConfigView(*IDENTITY, {"hostfile": "x"}, {"note": "n"}),
    ),
    "a ConfigMap without data": (Kind.CONFIG_MAP, meta(), ConfigView(*IDENTITY)),
    "a Secret: the names of its keys": (
        Kind.SECRET,
        {**meta(), "data": {"key": "c2VjcmV0"}},
        SecretView(*IDENTITY, frozenset(("key",))),
    ),
    "a Job that runs": (
        Kind.JOB,
        {
            **meta(),
            "spec": {"suspend": False, "template": {"spec": {"nodeSelector": {"disk": "ssd"}}}},
            "status": {"active": 1, "failed": 2, "startTime": SPELLED},
        },
        LauncherView(
            *IDENTITY, started_at=AT, active_count=1, failed_count=2, node_selector={"disk": "ssd"}
        ),
    ),
    "a Job that has succeeded": (
        Kind.JOB,
        {
            **meta(),
            "status": {
                "completionTime": SPELLED,
                "conditions": [
                    {"type": "SuccessCriteriaMet", "status": "True"},
                    {"type": "Complete", "status": "True", "reason": "r", "message": "m"},
                ],
            },
        },
        LauncherView(*IDENTITY, end=End(True, "r", "m", AT)),
    ),
    "a Job that has failed, when its condition says": (
        Kind.JOB,
        {
            **meta(),
            "status": {
                "conditions": [
                    {"type": "Failed", "status": "True", "lastTransitionTime": SPELLED},
                ],
            },
        },
        LauncherView(*IDENTITY, end=End(False, "", "", AT)),
    ),
    "a pod that is ready": (
        Kind.POD,
        {
            **meta(creationTimestamp=SPELLED, labels={"training.kubeflow.org/replica-index": "3"}),
            "spec": {"nodeName": "n1"},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "mpi", "state": {"running": {}}}],
            },
        },
        PodView(
            *IDENTITY,
            phase=PodPhase.RUNNING,
            ready=True,
            node="n1",
            index=3,
            created_at=AT,
            containers=(ContainerView("mpi", running=True),),
        ),
    ),
    "a pod that finds no node": (
        Kind.POD,
        {**meta(), "status": {"phase": "Pending", "conditions": [UNSCHEDULABLE]}},
        PodView(*IDENTITY, unschedulable="0/1 nodes"),
    ),
    "a pod whose container has ended": (
        Kind.POD,
        {
            **meta(),
            "status": {
                "phase": "Failed",
                "containerStatuses": [{"name": "mpi", "state": {"terminated": ENDED}}],
            },
        },
        PodView(*IDENTITY, phase=PodPhase.FAILED, containers=(DEAD,)),
    ),
    "a pod that leaves, of a phase and an index that nobody knows": (
        Kind.POD,
        {
            **meta(
                deletionTimestamp=SPELLED, labels={"training.kubeflow.org/replica-index": "two"}
            ),
            "status": {"phase": "Odd"},
        },
        PodView(*IDENTITY, phase=PodPhase.UNKNOWN, deleting=True),
    ),
    "a pod whose image does not come": (
        Kind.POD,
        {**meta(), "status": {"containerStatuses": [waiting("ErrImagePull")]}},
        PodView(
            *IDENTITY,
            containers=(
                ContainerView("mpi", waiting_reason="ErrImagePull", waiting_message="why"),
            ),
        ),
    ),
    "a PodGroup: its whole spec": (
        Kind.POD_GROUP,
        {**meta(), "spec": {"minMember": 3}},
        PodGroupView(*IDENTITY, {"minMember": 3}),
    ),
    "an account": (
        Kind.SERVICE_ACCOUNT,
        meta(),
        Child(*IDENTITY),
    ),
    "a Role: its rules": (
        Kind.ROLE,
        {**meta(), "rules": [{"verbs": ["get"]}]},
        RoleView(*IDENTITY, ({"verbs": ["get"]},)),
    ),
    "a binding: who is bound": (
        Kind.ROLE_BINDING,
        {**meta(), "subjects": [{"kind": "ServiceAccount", "name": "a"}]},
        RoleBindingView(*IDENTITY, ("a",)),
    ),
    "a PriorityClass: its value": (Kind.PRIORITY_CLASS, {**meta(), "value": 9}, 9),
}


@pytest.mark.parametrize(("kind", "manifest", "want"), VIEWS.values(), ids=VIEWS)
def test_views(kind, manifest, want):
    assert seen(kind, manifest).view == want


@pytest.mark.parametrize(("kind", "manifest", "want"), VIEWS.values(), ids=VIEWS)
def test_bytes_are_seen_alike(kind, manifest, want):
    assert seen(kind, json.dumps(manifest).encode()).view == want


def test_a_container_that_waits_to_start_anew_still_tells_its_last_end():
    again = {**waiting("CrashLoopBackOff"), "lastState": {"terminated": ENDED}, "restartCount": 2}
    view = seen(Kind.POD, {**meta(), "status": {"containerStatuses": [again]}}).view
    told = view.containers[0]
    assert (told.waiting_reason, told.exit_code, told.restart_count) == ("CrashLoopBackOff", 137, 2)


def test_init_containers_come_first_and_say_so():
    status = {"containerStatuses": [{"name": "mpi"}], "initContainerStatuses": [{"name": "wait"}]}
    view = seen(Kind.POD, {**meta(), "status": status}).view
    assert [(one.name, one.init) for one in view.containers] == [("wait", True), ("mpi", False)]


def test_a_child_is_filed_by_its_controller_and_its_job():
    labels = {"training.kubeflow.org/job-name": "pi"}
    found = seen(Kind.POD, meta(labels=labels))
    assert (found.key, found.owner_kind, found.owner_name, found.job_name) == (
        Key("team", "a"),
        "MPIJob",
        "pi",
        "pi",
    )


def test_an_owner_that_is_no_controller_does_not_count():
    view = seen(Kind.SERVICE, meta(ownerReferences=[{**OWNER, "controller": False}])).view
    assert view.owner_uid == ""


def test_a_script_that_many_jobs_have_is_kept_once():
    manifest = json.dumps({**meta(), "data": {"start_sshd.sh": "exec sshd"}}).encode()
    one, other = (seen(Kind.CONFIG_MAP, manifest).view for _ in range(2))
    assert one.data["start_sshd.sh"] is other.data["start_sshd.sh"]


def test_a_job_is_no_child():
    with pytest.raises(ValueError, match="no child"):
        seen(Kind.MPI_JOB, meta())
