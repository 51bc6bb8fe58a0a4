"""Workers, a kubelet and a node that go while ranks run: every job ends right all the same.

They run in a cluster of their own: what is done to its nodes is done to all that is there.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import faults
from harness.manifests import HOSTNAME, job
from harness.node_settings import DOMAIN
from harness.recipes import OWN, Pantry
from harness.shape import Shape
from harness.site import Site
from harness.supervisor import shared
from harness.unavailable import Unavailable

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made, and ranks take their time.

_PODS = "/api/v1/namespaces/{}/pods"
_JOBS = "/apis/kubeflow.org/v2beta1/namespaces/{}/mpijobs"
_NODES = "/api/v1/nodes"
_JOB, _ROLE = "training.kubeflow.org/job-name", "training.kubeflow.org/job-role"
#: How often each job starts anew for what is done to it.
RESTARTS = {"deleted": 1, "killed": 1, "kubelet": 0}
_LOST = {"key": "node.kubernetes.io/out-of-service", "value": "lost", "effect": "NoExecute"}


def _staying(name, image, **roles):
    """Return a job whose ranks say where they run, and stay until they are told that it is done."""
    program = f"hostname; until [ -e /told/{name} ]; do sleep 0.2; done"
    return job(name, image, "mpirun", "sh", "-c", program, **roles)


def _on(node, person):
    return {"nodeSelector": {"kubernetes.io/hostname": node}, **person}


def _rather_on(node, person):
    """Fields of pods that go there, and elsewhere only where that node is not to be had."""
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    preferred = {"weight": 100, "preference": {"matchExpressions": [term]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preferred]}}
    return {"affinity": affinity, **person}


def _until_ranks_run(api, space, name):
    """Return once both ranks have said where they run; the nodes may have images to pull first."""
    launcher = f"{_JOB}={name},{_ROLE}=launcher"
    found = api.until(_PODS.format(space), _runs, limit_s=240, labelSelector=launcher)
    path = f"{_PODS.format(space)}/{found['metadata']['name']}/log"
    awaited = {f"{name}-worker-0", f"{name}-worker-1"}
    for line in api.lines(path, follow="true", container="mpi"):
        awaited.discard(line)
        if not awaited:
            return


def _runs(pod):
    rows = pod.get("status", {}).get("containerStatuses", ())
    return any("running" in row["state"] for row in rows)


def _node(api, space, pod):
    return api.read(f"{_PODS.format(space)}/{pod}")["spec"]["nodeName"]


@pytest.fixture(scope="module")
def site(session_folder):
    """A site that is nobody else's."""
    try:
        made = Pantry(OWN)
        made.provided(("operator", "kubectl-delivery", "openmpi-5"))
        with shared(session_folder / "faults", Shape(node_count=2)) as cluster:
            there = Site(cluster, made)
            # Said on purpose, though it is what nodes take it for anyway.
            there.install(f"--cluster-domain={DOMAIN}")
            yield there
    except Unavailable as lacking:
        pytest.skip(f"no nodes to do anything to: {lacking}")


@pytest.fixture(scope="module")
def space(site):
    """A namespace for the jobs."""
    with site.space() as name:
        yield name


@pytest.fixture(scope="module")
def runs(site, space, told, sees_told):
    """What became of jobs to whose pods something was done."""
    five = site.images["openmpi-5"]
    node = site.cluster.nodes[1]
    both = {"launcher": sees_told, "worker": sees_told}
    manifests = [
        _staying("deleted", five, **both),
        _staying("killed", five, **both),
        _staying("kubelet", five, launcher=sees_told, worker=_on(node, sees_told)),
    ]
    site.submit(space, *manifests, job("domain", five, *HOSTNAME, runLauncherAsWorker=True, **both))

    def strike(name, act):
        with site.api() as api:
            _until_ranks_run(api, space, name)
            act(api, f"{_PODS.format(space)}/{name}-worker-1")
            if RESTARTS[name]:
                # Only then: what is killed may go on for a moment, and end well.
                field = {"fieldSelector": f"metadata.name={name}"}
                api.until(_JOBS.format(space), lambda job: job["status"].get("restarts"), **field)
        (told / name).touch()

    acts = {
        "deleted": lambda api, pod: api.delete(pod),
        "killed": lambda api, pod: faults.kill_container(api.read(pod)),
        "kubelet": lambda api, pod: faults.kill(site.cluster, node, "kubelet"),
    }
    with ThreadPoolExecutor(len(acts)) as beside:
        list(beside.map(strike, acts.keys(), acts.values()))
    return {name: site.ended(space, name) for name in (*acts, "domain")}


@pytest.fixture(scope="module")
def lost(site, space, told, sees_told, runs):
    """What became of a job whose node was lost, and nobody could say whether its pods still ran.

    That it is out of service is for a person, or a cloud's controller, to say.
    """
    gone, rest = site.cluster.nodes[1], site.cluster.nodes[0]
    launcher, worker = _on(rest, sees_told), _rather_on(gone, sees_told)
    manifest = _staying("lost", site.images["openmpi-5"], launcher=launcher, worker=worker)
    site.submit(space, manifest)
    with site.api() as api:
        _until_ranks_run(api, space, "lost")
        before = [_node(api, space, f"lost-worker-{i}") for i in range(2)]
        with faults.lost(site.cluster, gone):
            field = {"fieldSelector": f"metadata.name={gone}"}
            api.until(_NODES, lambda node: not _is_ready(node), limit_s=90, **field)
            api.merge(f"{_NODES}/{gone}", {"spec": {"taints": [_LOST]}})
            (told / "lost").touch()
            run = site.ended(space, "lost", limit_s=150)
        api.merge(f"{_NODES}/{gone}", {"spec": {"taints": None}})
        api.until(_NODES, _is_ready, limit_s=90, **field)
    return before, run


def _is_ready(node):
    rows = {row["type"]: row["status"] for row in node["status"]["conditions"]}
    return rows["Ready"] == "True"


def _hosts(run, name):
    """The hosts of the ranks, without what mpirun itself has to say."""
    return sorted(line for line in run.output.splitlines() if line.startswith(name))


@pytest.mark.parametrize("name", ["deleted", "killed", "kubelet"])
def test_the_job_ends_well_with_a_rank_on_each_worker(runs, name):
    run = runs[name]
    assert (run.end, _hosts(run, name)) == (
        "Succeeded",
        [f"{name}-worker-0", f"{name}-worker-1"],
    )


@pytest.mark.parametrize(("name", "count"), RESTARTS.items())
def test_a_job_that_lost_a_worker_starts_anew_once(runs, name, count):
    run = runs[name]
    launchers = [pod["status"]["containerStatuses"][0] for pod in run.role("launcher")]
    # A launcher that was held goes with its pod: the one that is left never failed.
    assert (run.job["status"]["restarts"], [row["restartCount"] for row in launchers]) == (
        count,
        [0],
    )


def test_with_a_cluster_domain_a_launcher_runs_a_rank_too(site, space, runs):
    with site.api() as api:
        config = api.read(f"/api/v1/namespaces/{space}/configmaps/domain-config")
    named = [row.split()[0] for row in config["data"]["hostfile"].splitlines()]
    hosts = ["domain-launcher", "domain-worker-0", "domain-worker-1"]
    assert (named, runs["domain"].hosts) == (
        [f"{host}.domain.{space}.svc.{DOMAIN}" for host in hosts],
        hosts,
    )


def test_a_job_whose_node_is_lost_goes_on_elsewhere(lost, site):
    before, run = lost
    nodes = [pod["spec"]["nodeName"] for pod in run.role("worker")]
    assert (before, run.end, _hosts(run, "lost"), nodes) == (
        [site.cluster.nodes[1]] * 2,
        "Succeeded",
        ["lost-worker-0", "lost-worker-1"],
        [site.cluster.nodes[0]] * 2,
    )
