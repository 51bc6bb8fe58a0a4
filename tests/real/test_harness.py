"""The harness itself: a real control plane, its audit log, fake nodes, and no trace afterwards."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from harness.binaries import BINARIES
from harness.control_plane import ControlPlane
from harness.leftovers import lasting_leftovers, leftovers
from harness.ports import free_port
from harness.processes import Broken
from harness.shape import Shape
from harness.supervisor import Place, shared, supervisor_of


def test_the_server_is_the_release_that_the_modules_name(api):
    assert api.read("/version")["gitVersion"] == BINARIES["kube-apiserver"].version


def test_kubectl_speaks_to_it_with_the_kubeconfig(cluster):
    words = [
        cluster.binaries["kubectl"],
        "--kubeconfig",
        cluster.kubeconfig,
        "get",
        "ns",
        "-o",
        "name",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "namespace/kube-system" in done.stdout.splitlines()


def test_nobody_else_may_read_the_kubeconfig(cluster):
    assert Path(cluster.kubeconfig).stat().st_mode & 0o777 == 0o600


def test_requests_are_counted_by_who_asked(cluster, namespace):
    with cluster.api("a-curious-client") as api:
        for _ in range(3):
            api.read(f"/api/v1/namespaces/{namespace}/pods")
    assert cluster.request_counts("a-curious-client") == {("list", "pods"): 3}


def _job(name, **annotations):
    containers = [{"name": "main", "image": "example/none:1"}]
    template = {
        "metadata": {"annotations": annotations},
        "spec": {"restartPolicy": "Never", "containers": containers},
    }
    metadata = {"name": name}
    return {"metadata": metadata, "spec": {"backoffLimit": 0, "template": template}}


def _ended_as(manifest):
    conditions = manifest.get("status", {}).get("conditions", ())
    ends = [row["type"] for row in conditions if row["status"] == "True"]
    return next((end for end in ends if end in ("Complete", "Failed")), None)


@pytest.mark.parametrize(("code", "end"), {"0": "Complete", "3": "Failed"}.items())
def test_the_pod_of_a_job_on_a_fake_node_ends_as_its_annotation_says(api, namespace, code, end):
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    api.create(jobs, _job("j", **{"fake.mpijob.dev/exit-code": code}))
    assert _ended_as(api.until(jobs, _ended_as)) == end


def test_a_namespace_goes_in_which_a_pod_of_a_job_would_run_for_ever(api, namespace):
    api.create(
        f"/apis/batch/v1/namespaces/{namespace}/jobs",
        _job("j", **{"fake.mpijob.dev/runs-for": "ever"}),
    )
    pods = f"/api/v1/namespaces/{namespace}/pods"
    api.until(pods, lambda pod: pod["status"]["phase"] == "Running")
    api.delete(f"/api/v1/namespaces/{namespace}")
    api.until_gone("/api/v1/namespaces", namespace, limit_s=110)
    assert not api.answers(f"/api/v1/namespaces/{namespace}")


def test_a_pod_that_wants_gpus_gets_them_on_a_fake_node_that_has_some(api, namespace):
    pods = f"/api/v1/namespaces/{namespace}/pods"
    limits = {"limits": {"nvidia.com/gpu": "8"}}
    containers = [{"name": "main", "image": "example/none:1", "resources": limits}]
    api.create(pods, {"metadata": {"name": "p"}, "spec": {"containers": containers}})
    placed = api.until(pods, lambda pod: pod["status"]["phase"] == "Running")
    node = api.read(f"/api/v1/nodes/{placed['spec']['nodeName']}")
    assert node["status"]["capacity"]["nvidia.com/gpu"] == "8"


def test_a_server_that_cannot_start_tells_its_last_words(tmp_path, cluster):
    with pytest.raises(Broken, match="unknown flag: --of-no-use"):
        ControlPlane(tmp_path, options=["--of-no-use"]).__enter__()


def test_a_free_port_is_none_that_the_kernel_gives_to_clients():
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(free_port() for _ in range(20)) < first


def test_a_process_dies_with_the_one_that_started_it(tmp_path):
    program = (
        "import sys, pathlib; from harness.processes import Process;"
        f"child = Process('child', ['sleep', '600'], pathlib.Path({str(tmp_path / 'log')!r}));"
        "print(child.pid, flush=True); sys.stdin.read()"
    )
    with _python(program) as parent:
        handle = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    # A handle is readable once its process has ended.
    assert select.select([handle], [], []) == ([handle], [], [])
    os.close(handle)


def test_a_cluster_goes_with_the_last_that_uses_it(tmp_path):
    folder = tmp_path / "c"
    with shared(folder, Shape()) as cluster:
        with shared(folder, Shape()) as same:
            assert same == cluster
        supervisor = supervisor_of(Place(folder))
        with cluster.api() as api:
            assert api.answers("/readyz")
    assert select.select([supervisor], [], []) == ([supervisor], [], [])
    os.close(supervisor)


@pytest.mark.root
@pytest.mark.nodes
def test_nothing_is_left_of_a_cluster_whose_user_was_killed_while_a_node_was_lost(tmp_path):
    """As pytest is by `kill -9`; the supervisor sees to what its own end does not."""
    program = (
        "import pathlib, sys; from harness import faults; from harness.shape import Shape;"
        "from harness.supervisor import Place, shared;"
        f"folder = pathlib.Path({str(tmp_path / 'c')!r});"
        "used = shared(folder, Shape(node_count=1)); cluster = used.__enter__();"
        "lost = faults.lost(cluster, 'node-0'); lost.__enter__();"
        "print(Place(folder).process.read_text(), flush=True); sys.stdin.read()"
    )
    with _python(program) as user:
        supervisor = os.pidfd_open(int(user.stdout.readline()))
        there = leftovers(tmp_path)
        user.kill()
    select.select([supervisor], [], [])
    os.close(supervisor)
    assert (there != [], lasting_leftovers(tmp_path)) == (True, [])


def _python(program):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.Popen([sys.executable, "-c", program], env=path, **pipes)


def test_what_a_cluster_leaves_in_its_folder_is_logs(tmp_path):
    with shared(tmp_path / "c", Shape()):
        pass
    left = {path.name for path in (tmp_path / "c").iterdir()}
    secret = {"pki", "etcd", "kubeconfig", "tokens.csv", "cluster.json"}
    assert left & secret == set()
