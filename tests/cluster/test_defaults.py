"""A stored object has the defaults that a real server gives it."""

import pytest

from mpijob.cluster.defaults import pod_spec
from mpijob.core.plan import Kind, Ref

VOLUMES = {
    "a secret's files have a mode": (
        {"name": "v", "secret": {"secretName": "s"}},
        {"name": "v", "secret": {"secretName": "s", "defaultMode": 420}},
    ),
    "a mode that is given stays": (
        {"name": "v", "configMap": {"name": "c", "defaultMode": 256}},
        {"name": "v", "configMap": {"name": "c", "defaultMode": 256}},
    ),
    "a path of the host has a type": (
        {"name": "v", "hostPath": {"path": "/x"}},
        {"name": "v", "hostPath": {"path": "/x", "type": ""}},
    ),
    "a volume of nothing is an empty folder": ({"name": "v"}, {"name": "v", "emptyDir": {}}),
    "others stay": (
        {"name": "v", "persistentVolumeClaim": {"claimName": "c"}},
        {"name": "v", "persistentVolumeClaim": {"claimName": "c"}},
    ),
}


@pytest.mark.parametrize(("given", "stored"), VOLUMES.values(), ids=VOLUMES)
def test_of_volumes(given, stored):
    assert pod_spec({"containers": [], "volumes": [given]})["volumes"] == [stored]


CONTAINERS = {
    "an empty value is left out": (
        {"env": [{"name": "A", "value": ""}]},
        "env",
        [{"name": "A"}],
    ),
    "a field is of a version": (
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]},
        "env",
        [
            {
                "name": "A",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}},
            }
        ],
    ),
    "a port has a protocol": (
        {"ports": [{"containerPort": 22}]},
        "ports",
        [{"containerPort": 22, "protocol": "TCP"}],
    ),
    "a probe has its pace": (
        {"readinessProbe": {"tcpSocket": {"port": 22}}},
        "readinessProbe",
        {
            "tcpSocket": {"port": 22},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
    ),
    "last words go to a file": ({}, "terminationMessagePath", "/dev/termination-log"),
    "an image with a tag is pulled once": ({"image": "a/b:1"}, "imagePullPolicy", "IfNotPresent"),
    "an image without a tag is pulled always": (
        {"image": "host:5000/b"},
        "imagePullPolicy",
        "Always",
    ),
    "the latest image is pulled always": ({"image": "b:latest"}, "imagePullPolicy", "Always"),
    "an image by digest is pulled once": (
        {"image": "b@sha256:1"},
        "imagePullPolicy",
        "IfNotPresent",
    ),
}


@pytest.mark.parametrize(("given", "field", "stored"), CONTAINERS.values(), ids=CONTAINERS)
def test_of_containers(given, field, stored):
    container = {"name": "main", "image": "x:1", **given}
    assert pod_spec({"containers": [container]})["containers"][0][field] == stored


def test_of_a_pod(cluster, pod):
    made = cluster.make(pod())
    spec = {name: value for name, value in made["spec"].items() if name != "containers"}
    tolerations = [
        {
            "key": f"node.kubernetes.io/{condition}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 300,
        }
        for condition in ("not-ready", "unreachable")
    ]
    assert (spec, made["status"]) == (
        {
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
            "priority": 0,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "serviceAccount": "default",
            "serviceAccountName": "default",
            "terminationGracePeriodSeconds": 30,
            "tolerations": tolerations,
        },
        {"phase": "Pending", "qosClass": "BestEffort"},
    )


def test_a_pod_asks_for_what_it_is_limited_to(cluster, pod):
    resources = {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}
    containers = [{"name": "main", "image": "x:1", "resources": resources}]
    made = cluster.make(pod(containers=containers))
    assert made["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}


QUALITIES = {
    "what asks for nothing gives way first": ({}, "BestEffort"),
    "what asks for something gives way next": ({"requests": {"cpu": "1"}}, "Burstable"),
    "what asks for all that it may have gives way last": (
        {"limits": {"cpu": "1", "memory": "1Gi"}},
        "Guaranteed",
    ),
}


@pytest.mark.parametrize(("resources", "quality"), QUALITIES.values(), ids=QUALITIES)
def test_of_a_pods_quality(cluster, pod, resources, quality):
    containers = [{"name": "main", "image": "x:1", "resources": resources}]
    assert cluster.make(pod(containers=containers))["status"]["qosClass"] == quality


def test_a_gated_pod_says_so(cluster, pod):
    made = cluster.make(pod(schedulingGates=[{"name": "a"}]))
    assert made["status"]["conditions"][0]["reason"] == "SchedulingGated"


def priority(name, value, **more):
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        **more,
    }


PRIORITIES = {
    "its class": ({"priorityClassName": "high"}, ("high", 10, "Never")),
    "the class of all that name none": ({}, ("usual", 5, "PreemptLowerPriority")),
    "a class of the system": (
        {"priorityClassName": "system-node-critical"},
        ("system-node-critical", 2_000_001_000, "PreemptLowerPriority"),
    ),
}


@pytest.mark.parametrize(("spec", "want"), PRIORITIES.values(), ids=PRIORITIES)
def test_a_pod_is_as_important_as(cluster, pod, spec, want):
    cluster.make(priority("high", 10, preemptionPolicy="Never"))
    cluster.make(priority("usual", 5, globalDefault=True))
    made = cluster.make(pod(**spec))["spec"]
    assert (made["priorityClassName"], made["priority"], made["preemptionPolicy"]) == want


def test_of_a_job(cluster, job):
    made = cluster.make(job())
    spec = {name: value for name, value in made["spec"].items() if name != "template"}
    assert (spec, made["spec"]["template"]["metadata"], made["status"]) == (
        {
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "completions": 1,
            "manualSelector": False,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u1"}},
            "suspend": False,
        },
        {
            "labels": {
                "batch.kubernetes.io/controller-uid": "u1",
                "batch.kubernetes.io/job-name": "j",
                "controller-uid": "u1",
                "job-name": "j",
            }
        },
        {},
    )


def test_a_jobs_template_asks_for_nothing_that_it_does_not_name(cluster, job):
    manifest = job()
    manifest["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1"}}
    (container,) = cluster.make(manifest)["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"cpu": "1"}}


def test_a_job_without_labels_has_its_templates(cluster, job):
    manifest = job()
    manifest["spec"]["template"]["metadata"] = {"labels": {"a": "b"}}
    made = cluster.make(manifest)
    labels = made["metadata"]["labels"]
    assert (labels, labels["a"]) == (made["spec"]["template"]["metadata"]["labels"], "b")


def test_a_job_that_says_how_many_pods_it_has_says_how_many_must_succeed(cluster, job):
    specs = [cluster.make(job("a"))["spec"], cluster.make(job("b", parallelism=2))["spec"]]
    assert [spec.get("completions") for spec in specs] == [1, None]


def test_a_port_is_filled_in(cluster):
    metadata = {"namespace": "default", "name": "x"}
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
    made = cluster.make({**manifest, "spec": {"ports": [{"port": 22}]}})
    assert made["spec"]["ports"] == [{"port": 22, "targetPort": 22, "protocol": "TCP"}]


def test_a_container_that_is_written_anew_gets_its_defaults_again(cluster, pod):
    made = cluster.make(pod())
    fields = {"spec": {"containers": pod()["spec"]["containers"]}}
    ref = Ref(Kind.POD, "default", "p")
    assert cluster.store.patch(ref, fields, now=cluster.now) is made


def test_a_service_is_of_a_type(cluster):
    metadata = {"namespace": "default", "name": "x"}
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {}}
    made = cluster.make(manifest)
    assert (made["spec"]["type"], made["status"]) == ("ClusterIP", {"loadBalancer": {}})


def test_what_a_patch_takes_away_is_filled_in_again(cluster, job):
    made = cluster.make(job())
    spec = {name: value for name, value in made["spec"].items() if name != "suspend"}
    assert cluster.store.replace({**made, "spec": spec}, now=cluster.now) is made
