"""What is told of a job, world by world."""

import pytest
from msgspec.structs import replace

from mpijob.core.job import CleanPodPolicy, Identity, Key, Problem, Rejected, RunPolicy
from mpijob.core.observed import End, Observed, PodPhase, ServiceView
from mpijob.core.plan import Announce
from mpijob.core.report import announcements, next_status
from mpijob.core.status import Condition, ConditionType, JobStatus, ReplicaCount
from mpijob.core.version import Version
from mpijob.testing.worlds import (
    NOON,
    UID,
    ended,
    fresh,
    job,
    launcher,
    launcher_pod,
    plumbed,
    running,
    seconds_later,
    worker,
)

LATER = seconds_later(30)


def told(world, now=NOON):
    """The status that a world calls for, with what it already says taken as told."""
    return next_status(world, now)


def retold(world, *, at=NOON, **changes):
    """The same job a while later, in a changed world, having told what it had to tell."""
    known = replace(world.job, status=next_status(world, at))
    return replace(world, job=known, **changes)


def rows(status):
    """The conditions as (type, truth, reason)."""
    return [(row.type.value, row.true, row.reason) for row in status.conditions]


def with_status(of, *conditions, **fields):
    """A job that was told these conditions."""
    made = tuple(Condition(type_, True, type_.value, "", NOON, NOON) for type_ in conditions)
    return replace(of, status=JobStatus(made, **fields))


DONE = End(True, "CompletionsReached", "Reached expected number of succeeded pods", LATER)


def failed(reason, message="", at=LATER):
    return End(False, reason, message, at)


CONDITIONS = {
    "a new job is created": (fresh(job()), [("Created", True, "MPIJobCreated")]),
    "a launcher and all workers running: the job runs": (
        running(job()),
        [("Created", True, "MPIJobCreated"), ("Running", True, "MPIJobRunning")],
    ),
    "a launcher running before its workers is not yet a running job": (
        running(job(), workers=(worker(0), worker(1, PodPhase.PENDING))),
        [("Created", True, "MPIJobCreated")],
    ),
    "a job made suspended": (
        fresh(job(run_policy=RunPolicy(suspended=True))),
        [
            ("Created", True, "MPIJobCreated"),
            ("Suspended", True, "MPIJobSuspended"),
            ("Running", False, "MPIJobSuspended"),
        ],
    ),
    "a launcher that has succeeded": (
        retold(running(job()), launcher=launcher(end=DONE), launcher_pods=()),
        [
            ("Created", True, "MPIJobCreated"),
            ("Running", False, "MPIJobRunning"),
            ("Succeeded", True, "MPIJobSucceeded"),
        ],
    ),
    "an end that came before anybody saw it run": (
        plumbed(job(), launcher=launcher(end=DONE)),
        [
            ("Created", True, "MPIJobCreated"),
            ("Succeeded", True, "MPIJobSucceeded"),
            ("Running", False, "MPIJobRunning"),
        ],
    ),
    "a launcher past its deadline": (
        retold(running(job()), launcher=launcher(end=failed("DeadlineExceeded"))),
        [
            ("Created", True, "MPIJobCreated"),
            ("Running", False, "MPIJobRunning"),
            ("Failed", True, "DeadlineExceeded"),
        ],
    ),
    "a worker that has failed: the job starts anew": (
        retold(running(job()), workers=(worker(0), worker(1, PodPhase.FAILED))),
        [
            ("Created", True, "MPIJobCreated"),
            ("Running", False, "MPIJobRestarting"),
            ("Restarting", True, "MPIJobRestarting"),
        ],
    ),
    "a launcher that was held and is let go, whose old pod is still on its way out": (
        replace(running(job()), launcher_pods=(launcher_pod(PodPhase.RUNNING, deleting=True),)),
        [("Created", True, "MPIJobCreated")],
    ),
    "a stranger under a name that we need (#22)": (
        Observed(job(), service=ServiceView("pi", "s", "other", "1")),
        [("Created", True, "MPIJobCreated"), ("Blocked", True, "ErrResourceExists")],
    ),
}


@pytest.mark.parametrize(("world", "want"), CONDITIONS.values(), ids=CONDITIONS)
def test_conditions(world, want):
    assert rows(told(world, LATER)) == want


@pytest.mark.parametrize("world", [case[0] for case in CONDITIONS.values()], ids=CONDITIONS)
def test_what_was_told_is_not_told_otherwise(world):
    once = told(world, LATER)
    again = replace(world, job=replace(world.job, status=once))
    assert next_status(again, seconds_later(3600)) == once


MESSAGES = {
    "Created": (fresh(job()), "MPIJob default/pi is created."),
    "Running": (running(job()), "MPIJob default/pi is running."),
    "Suspended": (fresh(job(run_policy=RunPolicy(suspended=True))), "MPIJob suspended"),
    "Succeeded": (
        running(job(), launcher=launcher(end=DONE)),
        "MPIJob default/pi successfully completed.",
    ),
    "Failed": (
        running(job(), launcher=launcher(end=failed(""))),
        "MPIJob default/pi has failed",
    ),
    "Blocked": (
        Observed(job(), service=ServiceView("pi", "s", "other", "1")),
        'Resource "pi" of Kind "Service" already exists and is not managed by MPIJob',
    ),
}


@pytest.mark.parametrize(("type_", "case"), MESSAGES.items(), ids=MESSAGES)
def test_messages_are_those_that_clients_know(type_, case):
    world, want = case
    assert told(world).condition(ConditionType(type_)).message == want


def test_a_backoff_limit_names_the_newest_failed_launcher_pod():
    pods = (
        launcher_pod(PodPhase.FAILED, reason="FailedReason1", message="first"),
        launcher_pod(
            PodPhase.FAILED,
            name="pi-launcher-x2",
            created_at=LATER,
            reason="FailedReason2",
            message="second message",
        ),
    )
    end = failed("BackoffLimitExceeded", "Job has reached the specified backoff limit")
    world = running(job(), launcher=launcher(end=end, failed_count=2), launcher_pods=pods)
    row = told(world).condition(ConditionType.FAILED)
    assert (row.reason, row.message) == (
        "BackoffLimitExceeded/FailedReason2",
        "Job has reached the specified backoff limit: second message",
    )


def test_a_backoff_limit_without_a_failed_pod_left_has_no_dangling_slash():
    world = running(job(), launcher=launcher(end=failed("BackoffLimitExceeded", "limit")))
    assert told(world).condition(ConditionType.FAILED).reason == "BackoffLimitExceeded"


def test_the_cause_is_told_of_a_launcher_that_its_job_has_deleted():
    pod = launcher_pod(containers=ended(213, message="no such program"))
    stumbling = running(job(), launcher_pods=(pod,))
    end = failed("BackoffLimitExceeded", "limit")
    gone = retold(stumbling, launcher=launcher(end=end, failed_count=1), launcher_pods=())
    row = told(gone).condition(ConditionType.FAILED)
    assert (row.reason, row.message) == ("BackoffLimitExceeded/Error", "limit: no such program")


def test_a_launcher_that_is_told_to_end_is_no_cause():
    pod = launcher_pod(PodPhase.FAILED, deleting=True, containers=ended(143))
    assert told(running(job(), launcher_pods=(pod,))).failure is None


def test_a_launcher_that_fell_by_itself_is_a_cause_while_it_goes():
    (container,) = ended(66, message="no such program")
    again = (replace(container, restart_count=1),)
    pod = launcher_pod(PodPhase.FAILED, deleting=True, containers=again)
    assert told(running(job(), launcher_pods=(pod,))).failure.message == "no such program"


def test_a_launcher_that_stumbles_again_and_again_is_told_once():
    first = running(job(), launcher_pods=(launcher_pod(containers=ended(1, message="first")),))
    again = (launcher_pod(containers=ended(2, message="second")),)
    assert told(retold(first, launcher_pods=again)).failure.message == "first"


def test_a_job_that_ended_while_its_pod_still_seems_to_run_does_not_run():
    world = retold(running(job()), launcher=launcher(end=DONE))
    assert not told(world).is_true(ConditionType.RUNNING)


def test_replicas_are_counted_as_they_are():
    world = plumbed(job(3), workers=(worker(0), worker(1, PodPhase.PENDING)), launcher=launcher())
    status = told(world)
    assert (status.worker, status.launcher) == (ReplicaCount(active=1), ReplicaCount())


LINES = {
    "a new job": (fresh(job()), "Pending 0/2"),
    "one worker runs": (plumbed(job(), workers=(worker(0),)), "Pending 1/2"),
    "a job that runs": (running(job()), "Running 2/2"),
    "a job that ended": (running(job(), launcher=launcher(end=DONE)), "Succeeded 0/2"),
    "one that waits": (fresh(job(run_policy=RunPolicy(suspended=True))), "Suspended 0/2"),
    "a launcher alone": (fresh(job(0)), "Pending 0/0"),
    "a worker that has failed": (
        running(job(), workers=(worker(0), worker(1, PodPhase.FAILED))),
        "Restarting 1/2",
    ),
}


@pytest.mark.parametrize(("world", "line"), LINES.values(), ids=LINES)
def test_a_line_for_people_says_the_state_and_how_many_workers_run(world, line):
    status = told(world)
    assert f"{status.state} {status.ready}" == line


def test_the_line_for_people_changes_with_the_counts_alone():
    world = retold(running(job()))
    before = replace(world.job.status, ready="")
    untold = replace(world, job=replace(world.job, status=before))
    assert (told(world, LATER), told(untold, LATER).ready) == (world.job.status, "2/2")


def test_a_launcher_that_does_not_exist_has_no_count():
    assert told(fresh(job())).launcher is None


def test_a_finished_job_counts_its_failed_launcher_pods():
    world = running(job(), launcher=launcher(end=failed("x"), failed_count=2))
    assert told(world).launcher == ReplicaCount(failed=2)


def test_a_restart_records_the_first_cause():
    first = worker(1, PodPhase.FAILED, containers=ended(137, "OOMKilled", "last words"))
    late = replace(ended(1)[0], ended_at=LATER)
    second = worker(0, PodPhase.FAILED, containers=(late,))
    cause = told(running(job(), workers=(second, first))).failure
    assert (cause.pod, cause.exit_code, cause.reason, cause.message, cause.node) == (
        "pi-worker-1",
        137,
        "OOMKilled",
        "last words",
        "n1",
    )


def test_a_death_is_counted_once_however_often_it_is_seen():
    world = running(job(), workers=(worker(0), worker(1, PodPhase.FAILED)))
    assert told(retold(world), LATER).restarts == 1


def test_a_job_whose_workers_die_too_often_has_failed():
    dead = worker(1, PodPhase.FAILED, containers=ended(1, "Error", "boom"))
    world = running(job(run_policy=RunPolicy(backoff_limit=0)), workers=(worker(0), dead))
    row = told(world).condition(ConditionType.FAILED)
    assert (row.reason, row.message) == (
        "BackoffLimitExceeded/Error",
        "worker pi-worker-1 failed (Error) with exit code 1: boom",
    )


def evicted_beyond_the_limit():
    dead = worker(1, PodPhase.FAILED, reason="Evicted", message="The node was low on memory")
    return running(job(run_policy=RunPolicy(backoff_limit=0)), workers=(worker(0), dead))


def test_an_eviction_that_ends_a_job_says_so_in_mpi_operators_words():
    row = told(evicted_beyond_the_limit()).condition(ConditionType.FAILED)
    assert (row.reason, row.message) == ("MPIJobEvicted", "1/2 workers are evicted")


def test_an_eviction_that_ends_a_job_has_a_completion_time_defect_9():
    assert told(evicted_beyond_the_limit(), LATER).completed_at == LATER


def test_a_job_never_both_failed_and_succeeded_defect_10():
    over = with_status(job(), ConditionType.FAILED, completed_at=NOON)
    assert not told(running(over, launcher=launcher(end=DONE))).is_true(ConditionType.SUCCEEDED)


def test_workers_that_never_come_run_into_the_deadline_defect_18():
    patient = job(run_policy=RunPolicy(active_deadline_s=60))
    world = retold(plumbed(patient, workers=(worker(0, PodPhase.PENDING),)))
    assert told(world, seconds_later(60)).condition(ConditionType.FAILED).reason == (
        "DeadlineExceeded"
    )


def test_an_elastic_job_does_not_start_anew_for_a_dead_worker():
    elastic = job(annotations={"mpijob.dev/elastic": "true"})
    world = retold(running(elastic), workers=(worker(0), worker(1, PodPhase.FAILED)))
    assert told(world).restarts == 0


def test_an_invalid_job_says_where_and_why_defect_11():
    problem = Problem("spec.runPolicy.managedBy", "Unsupported value", "", '"kubeflow"')
    world = Observed(Rejected(Identity(Key("default", "pi"), UID, "7"), (problem,)))
    row = told(world).condition(ConditionType.INVALID)
    assert (row.reason, row.message) == (
        "ValidationError",
        'Found validation errors: spec.runPolicy.managedBy: Unsupported value: "kubeflow"',
    )


def test_a_corrected_job_is_no_longer_invalid():
    wrong = with_status(job(), ConditionType.INVALID)
    assert told(fresh(wrong)).condition(ConditionType.INVALID) is None


def test_suspending_stops_the_clock_and_resuming_starts_it_anew():
    held = replace(running(job()).job, run_policy=RunPolicy(suspended=True))
    stopped = retold(running(held))
    resumed = replace(stopped.job, run_policy=RunPolicy())
    assert (stopped.job.status.started_at, told(fresh(resumed), LATER).started_at) == (None, LATER)


def test_a_finished_job_is_told_no_more():
    over = with_status(job(), ConditionType.SUCCEEDED, completed_at=NOON)
    assert told(running(over), LATER) == over.status


def said(old, new):
    return [(note.reason, note.message, note.warning) for note in announcements(old, new)]


def test_each_transition_is_announced_once():
    created = told(fresh(job()))
    started = told(running(replace(job(), status=created)), LATER)
    assert said(created, started) == [("MPIJobRunning", "MPIJob default/pi is running", False)]


def test_nothing_new_is_not_announced():
    status = told(running(job()))
    assert said(status, status) == []


def test_a_resumption_is_announced():
    held = told(fresh(job(run_policy=RunPolicy(suspended=True))))
    resumed = told(fresh(replace(job(), status=held)), LATER)
    assert ("MPIJobResumed", "MPIJob resumed", False) in said(held, resumed)


def test_a_failure_is_announced_as_a_warning():
    end = failed("BackoffLimitExceeded", "limit")
    status = told(running(job(), launcher=launcher(end=end)))
    assert Announce("BackoffLimitExceeded", "limit", warning=True) in set(
        announcements(JobStatus(), status)
    )


def test_the_clean_up_policy_does_not_change_what_is_told():
    policies = {
        told(running(job(run_policy=RunPolicy(clean_pods=policy)))) for policy in CleanPodPolicy
    }
    assert len(policies) == 1


def test_an_end_without_a_time_gets_one():
    """mpi-operator v0.8.2 gives an evicted job none (defect 9): nothing of it was cleaned up."""
    row = Condition(ConditionType.FAILED, True, "MPIJobEvicted", "1/2", NOON, NOON)
    world = running(job(status=JobStatus(conditions=(row,))))
    status = next_status(world, seconds_later(9))
    assert (status.completed_at, status.conditions) == (seconds_later(9), (row,))


def written_in(version, of):
    """The same job, written in another version."""
    return replace(of, identity=replace(of.identity, written_in=version))


def test_a_v1_jobs_news_names_no_namespace():
    made = written_in(Version.V1, job(run_policy=RunPolicy(suspended=True)))
    assert [row.message for row in told(fresh(made)).conditions] == [
        "MPIJob pi is created.",
        "MPIJob suspended",
        "MPIJob pi is suspended.",
    ]


INVALID = Rejected(
    Identity(Key("default", "pi"), "u", "1", written_in=Version.V1),
    (Problem("spec.mpiReplicaSpecs", "Required value", "must have replica specs"),),
)


def test_an_invalid_v1_job_has_failed_for_good():
    found = told(fresh(INVALID))
    assert (rows(found), found.finished, found.completed_at) == (
        [("Failed", True, "MPIJobFailedValidation")],
        True,
        NOON,
    )


def test_a_v1_job_that_becomes_invalid_while_it_runs_has_not_failed():
    begun = with_status(job(), ConditionType.CREATED).status
    assert rows(told(fresh(replace(INVALID, status=begun))))[-1] == (
        "Invalid",
        True,
        "ValidationError",
    )


def test_the_end_of_a_v1_job_is_told_in_a_later_second_than_its_creation():
    made = written_in(Version.V1, job())
    world = retold(fresh(made), launcher=launcher(end=replace(DONE, at=NOON)))
    held = world.job.status
    assert (told(world, NOON), told(world, seconds_later(1)).finished) == (held, True)


def test_an_older_version_has_no_line_for_people():
    assert told(running(written_in(Version.V1ALPHA2, job()))).ready == ""
