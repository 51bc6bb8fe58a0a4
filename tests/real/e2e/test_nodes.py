"""Real nodes: pods run, find each other by name, reach the server, and outlive their kubelet."""

from pathlib import Path

import pytest

from harness import faults
from harness.fake_nodes import is_ready
from harness.node_settings import BUSYBOX

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made and node losses noticed.

SERVICE = {"spec": {"clusterIP": "None", "selector": {"app": "s"}}}


@pytest.fixture
def api(real_cluster, request):
    with real_cluster.api(request.node.name) as client:
        yield client


def _pod(name, script, **spec):
    container = {
        "name": "main",
        "image": BUSYBOX,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", script],
    }
    spec = {
        "hostname": name,
        "subdomain": "s",
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        **spec,
    }
    return {"metadata": {"name": name, "labels": {"app": "s"}}, "spec": spec}


def _has_ended(pod):
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def _printed(api, namespace, *pods):
    """Make pods, wait until the last has ended, and return what that one printed."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    for pod in pods:
        api.create(path, pod)
    name = pods[-1]["metadata"]["name"]
    api.until(path, _has_ended, fieldSelector=f"metadata.name={name}")
    return api.read(f"{path}/{name}/log")


def test_a_pod_runs_and_its_output_is_read(api, namespace):
    assert _printed(api, namespace, _pod("a", "echo $((6 * 7))")) == "42\n"


def test_pods_of_two_nodes_find_each_other_by_name(api, namespace):
    api.create(f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": "s"}, **SERVICE})
    server = _pod("a", "nc -ll -p 9 -e echo hello", nodeName="node-0")
    ask = "until nc a.s 9 2>/dev/null; do sleep 0.2; done"
    assert _printed(api, namespace, server, _pod("b", ask, nodeName="node-1")) == "hello\n"


def test_a_pod_reaches_the_server_by_its_service(api, namespace):
    script = "echo | nc -w 5 kubernetes.default.svc 443 && echo reached"
    assert _printed(api, namespace, _pod("a", script)) == "reached\n"


@pytest.mark.timeout(900, func_only=True)  # The base is made of some hundred packages, once.
def test_an_image_is_built_from_its_containerfile_and_pulled(
    real_cluster, builder, api, namespace, tmp_path
):
    builder.base("bookworm")
    file = tmp_path / "Containerfile"
    file.write_text('FROM debian:bookworm\nRUN echo 42 > /answer\nCMD ["cat", "/answer"]\n')
    image = builder.push(builder.build(file, "example.com/answer:1"), real_cluster.registry)
    pod = _pod("a", "")
    pod["spec"]["containers"] = [{"name": "main", "image": image}]
    assert _printed(api, namespace, pod) == "42\n"


def test_a_pod_that_takes_too_much_memory_is_killed(api, namespace):
    pod = _pod("a", "tail /dev/zero")
    pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "20Mi"}}
    path = f"/api/v1/namespaces/{namespace}/pods"
    api.create(path, pod)
    (status,) = api.until(path, _has_ended)["status"]["containerStatuses"]
    assert status["state"]["terminated"]["reason"] == "OOMKilled"


def test_a_killed_kubelet_comes_back_and_its_pods_went_on(real_cluster, api, namespace):
    path = f"/api/v1/namespaces/{namespace}/pods"
    api.create(path, _pod("a", "trap 'exit 3' TERM; sleep 600 & wait", nodeName="node-0"))
    before = api.until(path, is_ready)["status"]["containerStatuses"][0]["containerID"]
    faults.kill(real_cluster, "node-0", "kubelet")
    api.create(path, _pod("b", "true", nodeName="node-0"))
    api.until(path, _has_ended, fieldSelector="metadata.name=b")
    after = api.read(f"{path}/a")["status"]["containerStatuses"][0]["containerID"]
    assert after == before


def test_a_lost_node_is_noticed_and_comes_back(real_cluster, api):
    query = {"fieldSelector": "metadata.name=node-1"}
    with faults.lost(real_cluster, "node-1"):
        api.until("/api/v1/nodes", lambda node: not is_ready(node), limit_s=100, **query)
    assert is_ready(api.until("/api/v1/nodes", is_ready, **query))


def test_nothing_of_a_node_is_seen_on_the_machine(real_cluster):
    mounts = Path("/proc/self/mountinfo").read_text()
    assert [row for row in mounts.splitlines() if real_cluster.folder in row] == []
