"""What a write may not change is refused, in the words of Kubernetes."""

import pytest

from mpijob.cluster.store import Invalid
from mpijob.core.plan import Kind, Ref

GATES = {"schedulingGates": [{"name": "a"}]}
POD_WORDS = (
    'Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than '
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
TOLERATION = {"key": "gpu", "operator": "Exists"}
IMAGE = [{"name": "main", "image": "example/mpi:2"}]


def refusal(cluster, ref, fields):
    try:
        cluster.store.patch(ref, fields, now=cluster.now)
    except Invalid as refused:
        return refused.message
    return ""


def images(pod, image):
    return [{**container, "image": image} for container in pod["spec"]["containers"]]


PODS = {
    "its command": ({}, {"hostname": "x"}, POD_WORDS),
    "its node selector": ({}, {"nodeSelector": {"a": "b"}}, POD_WORDS),
    "its node selector while gates hold it": (GATES, {"nodeSelector": {"a": "b"}}, ""),
    "its gates, fewer": (GATES, {"schedulingGates": []}, ""),
    "its gates, more": (
        GATES,
        {"schedulingGates": [{"name": "a"}, {"name": "b"}]},
        (
            'Pod "p" is invalid: spec.schedulingGates[1].name: Forbidden: '
            "only deletion is allowed, but found new scheduling gate 'b'"
        ),
    ),
    "its deadline, from none": ({}, {"activeDeadlineSeconds": 5}, ""),
    "its deadline, shorter": ({"activeDeadlineSeconds": 9}, {"activeDeadlineSeconds": 5}, ""),
    "its deadline, longer": (
        {"activeDeadlineSeconds": 5},
        {"activeDeadlineSeconds": 9},
        (
            'Pod "p" is invalid: spec.activeDeadlineSeconds: Invalid value: 9: '
            "must be less than or equal to previous value"
        ),
    ),
    "its deadline, to none": (
        {"activeDeadlineSeconds": 5},
        {"activeDeadlineSeconds": None},
        (
            'Pod "p" is invalid: spec.activeDeadlineSeconds: Invalid value: null: '
            "must not update from a positive integer to nil value"
        ),
    ),
}


@pytest.mark.parametrize(("spec", "change", "want"), PODS.values(), ids=PODS)
def test_of_a_pod(cluster, pod, spec, change, want):
    cluster.make(pod(**spec))
    assert refusal(cluster, Ref(Kind.POD, "default", "p"), {"spec": change}) == want


def test_a_pods_image_may_change(cluster, pod):
    made = cluster.make(pod())
    fields = {"spec": {"containers": images(made, "example/mpi:2")}}
    assert refusal(cluster, Ref(Kind.POD, "default", "p"), fields) == ""


def test_a_pods_tolerations_may_grow(cluster, pod):
    made = cluster.make(pod())
    fields = {"spec": {"tolerations": [*made["spec"]["tolerations"], TOLERATION]}}
    assert refusal(cluster, Ref(Kind.POD, "default", "p"), fields) == ""


def test_a_pods_tolerations_may_not_shrink(cluster, pod):
    cluster.make(pod(tolerations=[TOLERATION]))
    fields = {"spec": {"tolerations": []}}
    assert refusal(cluster, Ref(Kind.POD, "default", "p"), fields) == POD_WORDS


JOB = Ref(Kind.JOB, "default", "j")
NODES = {"template": {"spec": {"nodeSelector": {"a": "b"}}}}
SUSPENDED = {"conditions": [{"type": "Suspended", "status": "True"}]}
STARTED = {"startTime": "2026-01-01T12:00:00Z"}
JOBS = {
    "its limit": (False, {}, {"backoffLimit": 2}, True),
    "its deadline": (False, {}, {"activeDeadlineSeconds": 2}, True),
    "its parallelism": (False, {}, {"parallelism": 2}, True),
    "whether it is suspended": (False, {}, {"suspend": True}, True),
    "its completions": (False, {}, {"completions": 2}, False),
    "its selector": (False, {}, {"selector": {"matchLabels": {"a": "b"}}}, False),
    "its node selector while it runs": (False, STARTED, NODES, False),
    "its node selector before it ever ran": (True, {}, NODES, True),
    "its node selector once it is suspended": (True, STARTED | SUSPENDED, NODES, True),
    "its node selector while it is being suspended": (True, STARTED, NODES, False),
    "its node selector while pods are left": (True, SUSPENDED | {"active": 1}, NODES, False),
    "its annotations while it is suspended": (
        True,
        SUSPENDED,
        {"template": {"metadata": {"annotations": {"a": "b"}}}},
        True,
    ),
    "its host name while it is suspended": (
        True,
        SUSPENDED,
        {"template": {"spec": {"hostname": "x"}}},
        False,
    ),
}


@pytest.mark.parametrize(("suspend", "status", "change", "allowed"), JOBS.values(), ids=JOBS)
def test_of_a_job(cluster, job, suspend, status, change, allowed):
    cluster.make(job(suspend=suspend))
    cluster.store.patch(JOB, {"status": status}, now=cluster.now, subresource="status")
    told = refusal(cluster, JOB, {"spec": change})
    assert (told == "", told == "" or told.endswith("field is immutable")) == (allowed, True)


def test_resources_may_change_while_a_job_is_suspended(cluster, job):
    made = cluster.make(job(suspend=True))
    (container,) = made["spec"]["template"]["spec"]["containers"]
    containers = [{**container, "resources": {"limits": {"cpu": "2"}}}]
    assert refusal(cluster, JOB, {"spec": {"template": {"spec": {"containers": containers}}}}) == ""


def test_a_refused_template_is_shown(cluster, job):
    cluster.make(job())
    told = refusal(cluster, JOB, {"spec": {"completions": 2}})
    assert told == (
        'Job.batch "j" is invalid: spec.completions: Invalid value: 2: field is immutable'
    )


OTHERS = {
    "a service's address": (
        {"kind": "Service", "spec": {"clusterIP": "None"}},
        {"spec": {"clusterIP": "10.0.0.1"}},
        (
            'Service "x" is invalid: spec.clusterIPs[0]: Invalid value: ["10.0.0.1"]: '
            "may not change once set"
        ),
    ),
    "a service's selector": (
        {"kind": "Service", "spec": {"clusterIP": "None"}},
        {"spec": {"selector": {"a": "b"}}},
        "",
    ),
    "a secret's type": (
        {"kind": "Secret", "type": "kubernetes.io/ssh-auth"},
        {"type": "Opaque"},
        'Secret "x" is invalid: type: Invalid value: "Opaque": field is immutable',
    ),
    "a secret's data": ({"kind": "Secret"}, {"data": {"a": "YQ=="}}, ""),
    "sealed data": (
        {"kind": "ConfigMap", "immutable": True},
        {"data": {"a": "b"}},
        'ConfigMap "x" is invalid: data: Forbidden: field is immutable when `immutable` is set',
    ),
    "a seal": (
        {"kind": "ConfigMap", "immutable": True},
        {"immutable": None},
        (
            'ConfigMap "x" is invalid: immutable: Forbidden: '
            "field is immutable when `immutable` is set"
        ),
    ),
    "the owners of anything": (
        {"kind": "ConfigMap"},
        {"metadata": {"ownerReferences": [{"kind": "Job", "name": "a", "uid": "b"}]}},
        "",
    ),
}


@pytest.mark.parametrize(("manifest", "change", "want"), OTHERS.values(), ids=OTHERS)
def test_of_other_kinds(cluster, manifest, change, want):
    metadata = {"namespace": "default", "name": "x"}
    cluster.make({"apiVersion": "v1", "metadata": metadata, **manifest})
    assert refusal(cluster, Ref(Kind(manifest["kind"]), "default", "x"), change) == want


def test_of_a_priority_class(cluster):
    manifest = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "high"},
        "value": 1,
    }
    cluster.make(manifest)
    told = refusal(cluster, Ref(Kind.PRIORITY_CLASS, "", "high"), {"value": 2})
    assert told == (
        'PriorityClass.scheduling.k8s.io "high" is invalid: '
        "value: Forbidden: may not be changed in an update."
    )
