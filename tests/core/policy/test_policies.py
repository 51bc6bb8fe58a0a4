"""The run policies, question by question."""

import pytest

from mpijob.core.job import CleanPodPolicy, LauncherStart, Replica, RestartPolicy, RunPolicy
from mpijob.core.observed import PodPhase
from mpijob.core.policy.clean_pods import goes
from mpijob.core.policy.deadline import GRACE_S, expires_at, tidied_at
from mpijob.core.policy.elastic import elastic
from mpijob.core.policy.launcher_start import launcher_may_start
from mpijob.core.policy.managed_by import managed_elsewhere
from mpijob.core.policy.ownership import stranger
from mpijob.core.policy.retry import backoff_limit, cause, dead_workers, rests_until, settled
from mpijob.core.status import Condition, ConditionType, JobStatus
from mpijob.testing.worlds import (
    NOON,
    ended,
    job,
    launcher,
    plumbed,
    running,
    seconds_later,
    worker,
)


def told(*types, **fields):
    rows = tuple(Condition(type_, True, "", "", NOON, NOON) for type_ in types)
    return JobStatus(rows, **fields)


STARTED = told(started_at=NOON)

DEADLINES = {
    "from the job's start": (STARTED, 90, None, 90),
    "a launcher that runs leaves the first word to the Job controller": (
        STARTED,
        90,
        launcher(),
        90 + GRACE_S,
    ),
    "a held launcher does not": (STARTED, 90, launcher(suspended=True), 90),
    "no deadline, no end": (STARTED, None, None, None),
    "not started, so the clock stands": (JobStatus(), 90, None, None),
    "suspended, so the clock stands": (
        told(ConditionType.SUSPENDED, started_at=NOON),
        90,
        None,
        None,
    ),
}


@pytest.mark.parametrize(
    ("status", "deadline_s", "seen", "want"), DEADLINES.values(), ids=DEADLINES
)
def test_expires_at(status, deadline_s, seen, want):
    assert expires_at(status, deadline_s, seen) == (None if want is None else seconds_later(want))


TIDYING = {
    "so long after the end": (told(ConditionType.FAILED, completed_at=NOON), 60, 60),
    "at once": (told(ConditionType.SUCCEEDED, completed_at=NOON), 0, 0),
    "never where nothing is said": (told(ConditionType.FAILED, completed_at=NOON), None, None),
    "not before the end": (STARTED, 60, None),
}


@pytest.mark.parametrize(("status", "ttl_s", "want"), TIDYING.values(), ids=TIDYING)
def test_tidied_at(status, ttl_s, want):
    at = tidied_at(job(run_policy=RunPolicy(ttl_s=ttl_s)), status)
    assert at == (None if want is None else seconds_later(want))


GOING = {
    CleanPodPolicy.NONE: set(),
    CleanPodPolicy.RUNNING: {PodPhase.PENDING, PodPhase.RUNNING},
    CleanPodPolicy.ALL: set(PodPhase),
}


@pytest.mark.parametrize(("policy", "want"), GOING.items(), ids=GOING)
def test_which_workers_go(policy, want):
    assert {phase for phase in PodPhase if goes(policy, worker(0, phase))} == want


def commanded(*command):
    template = {"spec": {"containers": [{"name": "mpi", "command": list(command)}]}}
    return job(launcher=Replica(1, RestartPolicy.NEVER, template))


ELASTIC = {
    "a launcher that polls the script": (
        commanded("horovodrun", "--host-discovery-script", "/etc/mpi/discover_hosts.sh"),
        True,
    ),
    "a plain launcher": (commanded("mpirun", "train"), False),
    "the annotation says so": (job(annotations={"mpijob.dev/elastic": "true"}), True),
    "a launcher without a command": (commanded(), False),
}


@pytest.mark.parametrize(("of", "want"), ELASTIC.values(), ids=ELASTIC)
def test_elastic(of, want):
    assert elastic(of) is want


PATIENT = job(launcher_start=LauncherStart.WHEN_WORKERS_READY)
RESTARTING = told(ConditionType.RESTARTING)

STARTS = {
    "at start-up nothing is waited for": (plumbed(job()), JobStatus(), True),
    "the patient wait for workers": (plumbed(PATIENT), JobStatus(), False),
    "the patient start when all are ready": (running(PATIENT), JobStatus(), True),
    "a worker that leaves does not count": (
        running(PATIENT, workers=(worker(0), worker(1, deleting=True))),
        JobStatus(),
        False,
    ),
    "a job that starts anew waits for the dead to be replaced": (
        running(job(), workers=(worker(0), worker(1, PodPhase.FAILED))),
        RESTARTING,
        False,
    ),
    "and goes on when they are": (running(job()), RESTARTING, True),
}


@pytest.mark.parametrize(("world", "status", "want"), STARTS.values(), ids=STARTS)
def test_launcher_may_start(world, status, want):
    assert launcher_may_start(world.job, world, status) is want


def test_only_multikueue_is_somebody_else():
    managers = (None, "kubeflow.org/mpi-operator", "kueue.x-k8s.io/multikueue", "", "kueue")
    jobs = [job(run_policy=RunPolicy(managed_by=manager)) for manager in managers]
    assert [managed_elsewhere(each) for each in jobs] == [False, False, True, False, False]


def test_a_worker_of_another_owner_is_a_stranger():
    world = running(job(), workers=(worker(0), worker(1, owner_uid="other")))
    assert stranger(world.job, world) == (
        'Resource "pi-worker-1" of Kind "Pod" already exists and is not managed by MPIJob'
    )


def test_a_strangers_pod_beyond_the_wanted_workers_is_no_trouble():
    world = running(job(1), workers=(worker(0), worker(1, owner_uid="other")))
    assert stranger(world.job, world) is None


def test_the_first_to_die_is_told_first():
    first = worker(1, PodPhase.FAILED, containers=ended(1))
    unknown = worker(0, PodPhase.FAILED)
    world = running(job(3), workers=(first, unknown, worker(2)))
    assert [pod.name for pod in dead_workers(world.job, world)] == ["pi-worker-0", "pi-worker-1"]


def test_a_job_is_settled_when_all_are_there_and_stay():
    whole = running(job())
    leaving = running(job(), workers=(worker(0), worker(1, deleting=True)))
    assert (settled(whole.job, whole), settled(leaving.job, leaving)) == (True, False)


def test_the_backoff_limit_is_a_jobs_where_nothing_is_said():
    limits = [backoff_limit(job(run_policy=RunPolicy(backoff_limit=n))) for n in (None, 0, 3)]
    assert limits == [6, 0, 3]


def test_a_pods_own_reason_comes_before_a_containers():
    pod = worker(0, PodPhase.FAILED, reason="Evicted", message="low on memory", containers=ended(1))
    why = cause(pod)
    assert (why.reason, why.message, why.exit_code) == ("Evicted", "low on memory", 1)


def test_a_dead_elastic_worker_rests_ten_seconds():
    pods = (worker(0, PodPhase.FAILED, containers=ended(1)), worker(0, PodPhase.FAILED))
    assert [rests_until(pod) for pod in pods] == [seconds_later(10), None]
