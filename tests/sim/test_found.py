"""What the simulator found, each as the smallest world that shows it: none of it comes back."""

from msgspec.structs import replace

from mpijob.core import build
from mpijob.core.config import Config, Gang
from mpijob.core.job import LauncherStart, RunPolicy, SchedulingPolicy
from mpijob.core.observed import End, PodPhase
from mpijob.core.plan import Confirm, Create, Kind
from mpijob.core.policy import gang
from mpijob.core.reconcile import reconcile
from mpijob.core.report import next_status
from mpijob.core.status import Condition, ConditionType, JobStatus, ReplicaCount
from mpijob.core.transport import Setup
from mpijob.testing.worlds import (
    CONFIG,
    NOON,
    job,
    launcher,
    plumbed,
    running,
    seconds_later,
    worker,
)


def true(*types):
    rows = tuple(Condition(type_, True, "r", "m", NOON, NOON) for type_ in types)
    return JobStatus(conditions=rows, started_at=NOON)


def test_the_launchers_job_has_no_time_to_live_that_would_take_the_end_with_it():
    # Seed 295 of its day: the Job was gone before anybody saw its end, and the run was run again.
    made = build.launcher(job(run_policy=RunPolicy(ttl_s=5)), CONFIG, Setup.IMAGE, suspended=False)
    assert "ttlSecondsAfterFinished" not in made["spec"]


def test_a_worker_that_fails_while_it_is_deleted_is_no_death():
    # Seed 23: a resumed job counted the workers that its own suspension had ended.
    leaving = worker(1, PodPhase.FAILED, deleting=True)
    held = launcher(suspended=True)
    world = running(job(), workers=(worker(0), leaving), launcher=held)
    assert next_status(world, NOON).restarts == 0


def test_a_job_that_starts_anew_gets_its_pod_group_back():
    # Seed 23: resumed from a suspension, it had none, and its gang was never whole.
    of = job(status=true(ConditionType.CREATED, ConditionType.RESTARTING))
    world = plumbed(of, launcher=launcher(suspended=True, started_at=None))
    plan = reconcile(world, NOON, Config(gang=Gang.VOLCANO))
    made = [step.ref.kind for step in plan.steps if isinstance(step, Create)]
    assert Kind.POD_GROUP in made


def test_a_run_that_ends_while_it_is_suspended_leaves_a_job_that_is_not_suspended():
    # Seed 501: Suspended stood beside Succeeded.
    of = job(run_policy=RunPolicy(suspended=True), status=true(ConditionType.SUSPENDED))
    ended = launcher(suspended=True, end=End(True, "", "", NOON))
    status = next_status(running(of, launcher=ended), seconds_later(9))
    assert (status.is_true(ConditionType.SUCCEEDED), status.suspended) == (True, False)


def test_a_gang_waits_for_no_more_pods_than_the_job_has():
    # Seed 1134: after a scale-down from 3 to 2, four pods were waited for.
    four = RunPolicy(scheduling=SchedulingPolicy(min_available=4))
    wanted = {
        start: gang.min_member(replace(job(2, four), launcher_start=start))
        for start in LauncherStart
    }
    assert wanted == {LauncherStart.AT_STARTUP: 3, LauncherStart.WHEN_WORKERS_READY: 2}


def test_a_job_does_not_end_before_it_begins():
    # Seed 1406: the launcher's end came to light after a suspension and a resumption.
    resumed = replace(true(ConditionType.CREATED), started_at=seconds_later(9))
    ended = launcher(end=End(True, "", "", NOON))
    status = next_status(running(job(status=resumed), launcher=ended), seconds_later(20))
    assert status.completed_at == seconds_later(9)


def test_a_launcher_is_let_run_only_where_the_server_has_the_job_that_was_seen():
    # Seed 957: an operator that began anew from an old list ran a job again that had ended.
    of = job(workers=0)
    reported = replace(of, status=next_status(plumbed(of), NOON))
    plan = reconcile(plumbed(reported), NOON, CONFIG)
    assert [type(step) for step in plan.steps] == [Confirm, Create]


def test_a_held_launcher_goes_on_only_once_its_pod_has_been_stopped():
    # Seed 1918: the server refused the new node selector of a Job that still had a pod; and where
    # there was no new one, the pod of the former run went on without the workers that it had.
    world = running(job(), launcher=launcher(suspended=True))
    world = replace(world, job=replace(world.job, status=next_status(world, NOON)))
    assert reconcile(world, NOON, CONFIG).steps == ()


def test_new_workers_do_not_stand_in_for_one_that_is_lost():
    # Seed 703131: a job of 2 was scaled up, and lost worker 0 before it was told of the new ones.
    # As many ran as before, so nobody missed it; its launcher's ranks waited for it for ever.
    status = replace(
        true(ConditionType.CREATED, ConditionType.RUNNING), worker=ReplicaCount(active=2)
    )
    world = running(job(3, status=status), workers=(worker(1), worker(2)))
    assert next_status(world, NOON).restarts == 1


def test_new_workers_that_are_not_there_yet_are_not_missed():
    status = replace(
        true(ConditionType.CREATED, ConditionType.RUNNING), worker=ReplicaCount(active=2)
    )
    world = running(job(3, status=status), workers=(worker(0), worker(1)))
    assert next_status(world, NOON).restarts == 0
