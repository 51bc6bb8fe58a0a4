"""The operator is killed at twenty random moments while jobs come, run and go.

Whoever leads is killed with SIGKILL, and its pod is replaced, which a node would do ever later.
Its lease is taken away too, so that the other one need not wait for its end: that others wait for
it is shown where time costs nothing (tests/engine/test_lease.py).
"""

import os
import random
import threading

import pytest

from harness import faults
from harness.audit import audited
from harness.fake_site import job_of
from harness.manifests import HOSTNAME, job, user
from harness.site import OPERATOR_SPACE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
]  # Containers are made, and twenty kills take time.

_KILLS = 20
_PAUSE_MAX_S = 3.0
#: Long enough for a machine on which much else runs.
_LIMIT_S = 180
_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_SPACE}/leases"
_OPERATORS = f"/api/v1/namespaces/{OPERATOR_SPACE}/pods"
_PODS = "/api/v1/namespaces/{}/pods"
_JOBS = "/apis/kubeflow.org/v2beta1/namespaces/{}/mpijobs"
_CHILDREN = (
    "/api/v1/namespaces/{}/configmaps",
    "/api/v1/namespaces/{}/pods",
    "/api/v1/namespaces/{}/secrets",
    "/api/v1/namespaces/{}/services",
    "/apis/batch/v1/namespaces/{}/jobs",
)
#: Jobs that are looked at once they have ended, and those that are deleted as the operator dies.
STAYING = tuple(f"job-{number}" for number in range(10))
GOING = tuple(f"going-{number}" for number in range(4))
_PERSON = user(1000)


def _kill_leader(api, killed):
    """Kill whoever leads, once one does that is not dead yet, and return its name."""

    def leads(lease):
        holder = lease["spec"].get("holderIdentity", "").partition("_")[0]
        return holder and holder not in killed

    named = {"fieldSelector": "metadata.name=mpi-operator"}
    lease = api.until(_LEASES, leads, limit_s=_LIMIT_S, **named)
    name = lease["spec"]["holderIdentity"].partition("_")[0]
    # It may lead before its node has said that it runs.
    named = {"fieldSelector": f"metadata.name={name}"}
    found = api.until(_OPERATORS, _runs, limit_s=_LIMIT_S, **named)
    faults.kill_container(found)
    api.delete(f"{_OPERATORS}/{name}", gracePeriodSeconds=0)
    api.delete(f"{_LEASES}/mpi-operator")
    return name


def _runs(pod):
    rows = pod["status"].get("containerStatuses", ())
    return any("running" in row["state"] for row in rows)


def _is_whole(deployment):
    return deployment["status"].get("readyReplicas") == deployment["spec"]["replicas"]


def _owned(api, space):
    """Return what is there that a job owns, or that a job's launcher does."""
    return [
        (path, item["metadata"]["name"])
        for path in (child.format(space) for child in _CHILDREN)
        for item in api.read(path)["items"]
        if job_of(item) or item["metadata"].get("ownerReferences")
    ]


@pytest.fixture(scope="module")
def audit(site, space):
    """What was seen of the jobs from beside, all the time."""
    with audited(site.cluster, space) as seen:
        yield seen


@pytest.fixture(scope="module")
def killed(site, images, space, audit):
    """Who was killed, one after the other. A seed draws the moments."""
    seed = int(os.environ.get("MPIJOB_KILLS_SEED", "0")) or random.SystemRandom().randrange(
        1, 10**6
    )
    print(f"MPIJOB_KILLS_SEED={seed}")  # noqa: T201  # Shown where a test fails.
    draw, moment = random.Random(seed), threading.Event()
    both = {"launcher": _PERSON, "worker": _PERSON}
    # Spread over the kills, in any order; those that go do so at the next kill.
    arriving = [*STAYING, *GOING]
    draw.shuffle(arriving)
    names, leaving = [], []
    with site.api() as api:
        for _ in range(_KILLS):
            for name in leaving:
                api.delete(f"{_JOBS.format(space)}/{name}")
            for name in arriving[:1]:
                site.submit(space, job(name, images["openmpi-5"], *HOSTNAME, **both))
            leaving = [name for name in arriving[:1] if name in GOING]
            arriving = arriving[1:]
            moment.wait(draw.uniform(0, _PAUSE_MAX_S))
            names.append(_kill_leader(api, names))
    return names


@pytest.fixture(scope="module")
def runs(site, space, killed):
    """What became of the jobs that stayed, and two operators that are well again."""
    found = {name: site.ended(space, name) for name in STAYING}
    with site.api() as api:
        path = f"/apis/apps/v1/namespaces/{OPERATOR_SPACE}/deployments"
        api.until(path, _is_whole, limit_s=_LIMIT_S)
    return found


def test_twenty_leaders_were_killed(killed):
    assert len({*killed}) == _KILLS


@pytest.mark.parametrize("name", STAYING)
def test_every_job_ends_well_with_a_rank_on_each_worker(runs, name):
    run = runs[name]
    assert (run.end, run.hosts) == ("Succeeded", [f"{name}-worker-0", f"{name}-worker-1"])


@pytest.mark.parametrize("name", STAYING)
def test_no_pod_is_started_anew(runs, name):
    run = runs[name]
    told = {event["involvedObject"]["uid"] for event in run.events if _is_of_pod(event)}
    restarts = [
        row["restartCount"]
        for pod in run.pods.values()
        for row in pod["status"]["containerStatuses"]
    ]
    assert (len(run.pods), len(told), restarts) == (3, 3, [0, 0, 0])


def _is_of_pod(event):
    return event["involvedObject"]["kind"] == "Pod"


@pytest.mark.usefixtures("runs")
def test_no_job_ever_had_two_launchers_or_two_ends(audit):
    assert audit.wrongs == []


@pytest.mark.usefixtures("runs")
@pytest.mark.timeout(300, func_only=True)
def test_nothing_is_left_of_jobs_that_are_gone(site, space):
    with site.api() as api:
        for name in STAYING:
            api.delete(f"{_JOBS.format(space)}/{name}")
        for path, name in _owned(api, space):
            api.until_gone(path, name, limit_s=_LIMIT_S)
        assert _owned(api, space) == []
