"""Jobs on real nodes that are changed: held and let go, and given more workers or fewer."""

import time

import pytest

from harness.manifests import job

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

_PODS = "/api/v1/namespaces/{}/pods"
_JOBS = "/apis/kubeflow.org/v2beta1/namespaces/{}/mpijobs"
_CONFIGS = "/api/v1/namespaces/{}/configmaps"
_JOB, _ROLE = "training.kubeflow.org/job-name", "training.kubeflow.org/job-role"
#: Ranks say where they run, and stay until they are told to end.
_STAY = ("mpirun", "sh", "-c", "hostname; until [ -e /told/paused ]; do sleep 0.2; done")
_SCALES = (1, 3, 2)
#: Long enough for a machine on which much else runs.
_LIMIT_S = 300
#: Says which hosts there are, again and again; told to end, runs a rank on each.
_LOOK = """
until [ -e /told/scaled ]; do
    echo "there are $(/etc/mpi/discover_hosts.sh | sed 's/[.].*//' | tr '\\n' ' ')"
    sleep 0.5
done
exec mpirun hostname
"""


def _workers(name, count):
    return [f"{name}-worker-{index}" for index in range(count)]


def _is_suspended(found):
    rows = found.get("status", {}).get("conditions", ())
    return ("Suspended", "True") in {(row["type"], row["status"]) for row in rows}


def _launcher_log(api, space, name):
    """Yield what a job's launcher writes, from when it runs."""
    query = {"labelSelector": f"{_JOB}={name},{_ROLE}=launcher"}
    found = api.until(_PODS.format(space), _runs, limit_s=_LIMIT_S, **query)
    path = f"{_PODS.format(space)}/{found['metadata']['name']}/log"
    yield from api.lines(path, follow="true", container="mpi")


def _runs(pod):
    rows = pod.get("status", {}).get("containerStatuses", ())
    return any("running" in row["state"] for row in rows)


@pytest.fixture(scope="module")
def submitted(site, images, space, sees_told):
    """The jobs, made at the same time."""
    five, both = images["openmpi-5"], {"launcher": sees_told, "worker": sees_told}
    site.submit(
        space,
        job("held", five, "mpirun", "hostname", runPolicy={"suspend": True}, **both),
        job("paused", five, *_STAY, **both),
        job("scaled", five, "sh", "-c", _LOOK, workers=_SCALES[0], **both),
    )


# Held and let go.


@pytest.fixture(scope="module")
def held(site, space, submitted):
    """The pods of a job that was made suspended, and what became of it once it was let go."""
    with site.api() as api:
        name = {"fieldSelector": "metadata.name=held"}
        api.until(_JOBS.format(space), _is_suspended, **name)
        pods = api.read(_PODS.format(space), labelSelector=f"{_JOB}=held")["items"]
    site.mpijob("resume", "held", "--cluster", "-n", space)
    return pods, site.ended(space, "held")


@pytest.fixture(scope="module")
def paused(site, space, submitted, told):
    """Its first pods' uids by name, and what became of a job that was held while it ran."""
    with site.api() as api:
        awaited = {*_workers("paused", 2)}
        for line in _launcher_log(api, space, "paused"):
            awaited.discard(line)
            if not awaited:
                break
        items = api.read(_PODS.format(space), labelSelector=f"{_JOB}=paused")["items"]
        first = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in items}
        site.mpijob("suspend", "paused", "--cluster", "-n", space)
        for pod in first:
            api.until_gone(_PODS.format(space), pod, limit_s=_LIMIT_S)
    (told / "paused").touch()
    site.mpijob("resume", "paused", "--cluster", "-n", space)
    return first, site.ended(space, "paused")


def test_a_job_made_suspended_has_no_pods(held):
    assert held[0] == []


def test_once_let_go_it_runs_a_rank_on_each_worker(held):
    run = held[1]
    assert (run.end, run.hosts) == ("Succeeded", _workers("held", 2))


def test_a_job_that_was_held_runs_a_rank_on_each_worker_afterwards(paused):
    run = paused[1]
    assert (run.end, run.hosts) == ("Succeeded", _workers("paused", 2))


def test_of_a_job_that_was_held_every_pod_is_a_new_one(paused):
    first, run = paused
    before, after = {*first.values()}, {pod["metadata"]["uid"] for pod in run.pods.values()}
    assert (len(before), len(after), before & after) == (3, 3, set())


# More workers, and fewer.


@pytest.fixture(scope="module")
def scaled(site, space, submitted, told):
    """What became of a job whose launcher was there while its workers came and went.

    Each count is waited for at the server and inside the launcher, which mounts the same text.
    """
    with site.api() as api:
        lines = _launcher_log(api, space, "scaled")
        for count in _SCALES:
            site.mpijob("scale", "scaled", f"--replicas={count}", "--cluster", "-n", space)
            scaled_at = time.monotonic()
            _until_told(api, space, count)
            told_at = time.monotonic()
            there = f"there are {' '.join(_workers('scaled', count))}"
            next(line for line in lines if line.strip() == there)
            inside_at = time.monotonic()
            after = f"after {told_at - scaled_at:.1f} s, inside after {inside_at - scaled_at:.1f} s"
            # A figure to be read with `-rP`: no test asserts how long something takes.
            print(f"{count} workers are told of {after}")  # noqa: T201
    (told / "scaled").touch()
    return site.ended(space, "scaled")


def _until_told(api, space, count):
    """Return once discover_hosts.sh names so many workers at the server."""

    def is_so(config):
        rows = config["data"]["discover_hosts.sh"].splitlines()[1:]
        return [row.split()[1].partition(".")[0] for row in rows] == _workers("scaled", count)

    named = {"fieldSelector": "metadata.name=scaled-config"}
    api.until(_CONFIGS.format(space), is_so, limit_s=_LIMIT_S, **named)


def test_a_launcher_stays_while_workers_come_and_go(scaled):
    launchers = scaled.role("launcher")
    assert (scaled.end, len(launchers), scaled.job["status"].get("restarts", 0)) == (
        "Succeeded",
        1,
        0,
    )


def test_a_scaled_job_has_the_workers_that_it_was_scaled_to(scaled):
    assert [pod["metadata"]["name"] for pod in scaled.role("worker")] == _workers("scaled", 2)


def test_ranks_run_on_the_workers_that_the_job_was_scaled_to(scaled):
    assert scaled.hosts == _workers("scaled", 2)
