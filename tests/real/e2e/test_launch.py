"""How ranks are launched: through workers, on many, on the launcher, on the nodes' network."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from harness.manifests import AS_ROOT, HOSTNAME, job, user

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

_PERSON = user(1000)
_BOTH = {"launcher": _PERSON, "worker": _PERSON}
# By default daemons are started through others only where there are more than 64 hosts.
_RADIX = [
    {"name": n, "value": "2"} for n in ("OMPI_MCA_routed_radix", "PRTE_MCA_prte_routed_radix")
]
_TREE = {"launcher": {**_PERSON, "containers": [{"env": _RADIX}]}, "worker": _PERSON, "workers": 8}
_ON_HOST = {"hostNetwork": True, **_PERSON}
_OWNERS = {"of-root": 0, "of-uid-7": 7, "of-uid-1000": 1000}
_DATA = {
    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    "containers": [{"volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
    **_PERSON,
}
_WRITE = ("mpirun", "sh", "-c", "hostname | tee /data/$(hostname)")
# Each worker says when its sshd begins, which is long after it is taken for ready.
_LATE = {
    **_PERSON,
    "containers": [{"command": ["sh", "-c", "sleep 20; echo begins; exec /usr/sbin/sshd -De"]}],
}


@pytest.fixture(scope="module")
def data(site, space):
    """A volume that both nodes see: a folder of files of several owners, and its claim."""
    folder = Path(site.cluster.folder) / f"{space}-data"
    folder.mkdir()
    for name, uid in _OWNERS.items():
        (folder / name).touch(mode=0o600)
        os.chown(folder / name, uid, uid)
    os.chown(folder, 1000, 7)
    shared = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    volume = {"capacity": {"storage": "1Mi"}, "hostPath": {"path": str(folder)}, **shared}
    claim = {"resources": {"requests": {"storage": "1Mi"}}, "volumeName": space, **shared}
    with site.api() as api:
        made = {"metadata": {"name": space}, "spec": volume}
        api.create("/api/v1/persistentvolumes", made)
        claims = f"/api/v1/namespaces/{space}/persistentvolumeclaims"
        api.create(claims, {"metadata": {"name": "data"}, "spec": claim})
        yield folder
        api.delete(f"/api/v1/persistentvolumes/{space}")


@pytest.fixture(scope="module")
def runs(site, images, space, data):
    five, four = images["openmpi-5"], images["openmpi-4"]
    malformed = job("no-program", five, "mpirun", "malformed", **_BOTH)
    malformed["spec"]["runPolicy"] = {"backoffLimit": 1}
    # A pod that may start anew is deleted with its words, and they may go unheard.
    malformed["spec"]["mpiReplicaSpecs"]["Launcher"]["restartPolicy"] = "Never"
    jobs = [
        job("tree-4", four, *HOSTNAME, **_TREE),
        job("tree-5", five, *HOSTNAME, **_TREE),
        job("many", five, *HOSTNAME, workers=40, **_BOTH),
        job("with-launcher", five, *HOSTNAME, runLauncherAsWorker=True, **_BOTH),
        job("with-launcher-4", four, *AS_ROOT, runLauncherAsWorker=True),
        job("on-host", five, *HOSTNAME, launcher=_ON_HOST, worker=_ON_HOST),
        job("data", five, *_WRITE, launcher=_DATA, worker=_DATA),
        job(
            "late",
            images["sshd-13"],
            *HOSTNAME,
            launcher=_PERSON,
            worker=_LATE,
            sshAuthMountPath="/home/user/.ssh",
        ),
        malformed,
    ]
    return site.run(space, *jobs)


def _workers(name, count):
    return sorted(f"{name}-worker-{index}" for index in range(count))


@pytest.mark.parametrize("name", ["tree-4", "tree-5"])
def test_a_tree_of_daemons_runs_one_rank_on_each_worker(runs, name):
    assert runs[name].hosts == _workers(name, 8)


@pytest.mark.parametrize("name", ["tree-4", "tree-5"])
def test_in_a_tree_workers_are_reached_from_workers(site, runs, name):
    run = runs[name]
    (launcher,) = run.role("launcher")
    names = {launcher["status"]["podIP"]: "launcher"}
    names |= {pod["status"]["podIP"]: "worker" for pod in run.role("worker")}
    came = {
        pod["metadata"]["name"]: {
            names[row.partition(" from ")[2].split()[0]]
            for row in site.log(pod).splitlines()
            if row.startswith("Accepted publickey")
        }
        for pod in run.role("worker")
    }
    # Who waits for a worker that is slow may try a login of its own, so that workers count alone.
    grown = {each for each, whence in came.items() if "worker" in whence}
    assert grown == {*_workers(name, 8)} - {*_workers(name, 2)}


def test_forty_workers_run_one_rank_each(runs):
    assert runs["many"].hosts == _workers("many", 40)


@pytest.mark.parametrize("name", ["with-launcher", "with-launcher-4"])
def test_a_launcher_runs_a_rank_where_it_is_to(runs, name):
    assert runs[name].hosts == [f"{name}-launcher", *_workers(name, 2)]


def test_on_the_nodes_network_each_node_runs_a_rank(runs):
    # There a pod's name is its node's, and the port keeps two workers apart.
    assert runs["on-host"].hosts == ["node-0", "node-1"]


def test_where_sshds_are_late_no_launcher_fails(runs):
    run = runs["late"]
    (launcher,) = run.role("launcher")
    (status,) = launcher["status"]["containerStatuses"]
    assert (run.end, run.hosts, status["restartCount"]) == ("Succeeded", _workers("late", 2), 0)


def test_ranks_begin_once_the_last_sshd_has(site, runs):
    began = max(_when(site, pod, "begins") for pod in runs["late"].role("worker"))
    (launcher,) = runs["late"].role("launcher")
    ran = min(_when(site, launcher, host) for host in _workers("late", 2))
    # A figure to be read with `-rP`.
    print(f"the first rank ran {(ran - began).total_seconds():.2f} s after the last sshd")  # noqa: T201
    # Some 2 s on a machine at rest. An init container that were started anew would rest longer.
    assert timedelta(0) < ran - began < timedelta(seconds=60)


def _when(site, pod, line):
    """Return when a pod's container wrote a line, by the clock of its node."""
    name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
    with site.api() as api:
        text = api.read(f"/api/v1/namespaces/{space}/pods/{name}/log", timestamps="true")
    stamps = [row.partition(" ") for row in text.splitlines()]
    (stamp,) = (stamp for stamp, _, said in stamps if said == line)
    return datetime.fromisoformat(f"{stamp[:26]}+00:00")


def test_ranks_write_to_a_shared_volume(runs, data):
    written = {path.read_text().strip(): path.stat().st_uid for path in data.glob("data-*")}
    assert written == dict.fromkeys(_workers("data", 2), 1000)


@pytest.mark.usefixtures("runs")
def test_the_owners_of_a_volumes_files_stay(data):
    found = {name: (data / name).stat() for name in _OWNERS}
    folder = data.stat()
    assert {name: (stat.st_uid, stat.st_gid) for name, stat in found.items()} | {
        "folder": (folder.st_uid, folder.st_gid)
    } == {name: (uid, uid) for name, uid in _OWNERS.items()} | {"folder": (1000, 7)}


def test_a_malformed_command_fails_and_says_why(runs):
    conditions = runs["no-program"].job["status"]["conditions"]
    told = {row["type"]: row["message"] for row in conditions if row["status"] == "True"}
    assert "malformed" in told.get("Failed", "")
