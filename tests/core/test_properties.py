"""What holds of every plan, whatever was observed: worlds possible and worlds not."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mpijob.core import names
from mpijob.core.config import Config, Gang, Transport
from mpijob.core.explain import explain
from mpijob.core.job import CleanPodPolicy, Flavour, LauncherStart, RunPolicy
from mpijob.core.observed import ContainerView, End, PodGroupView, PodPhase
from mpijob.core.plan import Announce, Confirm, Create, Delete, Kind, Patch, WriteStatus
from mpijob.core.policy.retry import dead_workers
from mpijob.core.reconcile import reconcile
from mpijob.core.report import next_status
from mpijob.core.status import Condition, ConditionType, JobStatus, ReplicaCount
from mpijob.testing.worlds import (
    NOON,
    UID,
    job,
    launcher,
    launcher_pod,
    plumbed,
    seconds_later,
    worker,
)

moments = st.none() | st.integers(-100, 100).map(seconds_later)
counts = st.none() | st.builds(ReplicaCount, st.integers(0, 3), st.integers(0, 3))
conditions = st.lists(
    st.builds(
        Condition,
        st.sampled_from(ConditionType),
        st.booleans(),
        st.sampled_from(["MPIJobCreated", "MPIJobRunning", "Else"]),
        st.just("m"),
        st.just(NOON),
        st.just(NOON),
    ),
    unique_by=lambda row: row.type,
    max_size=4,
).map(tuple)
statuses = st.builds(
    JobStatus,
    conditions=conditions,
    launcher=counts,
    worker=counts,
    started_at=moments,
    completed_at=moments,
    restarts=st.integers(0, 3),
)
policies = st.builds(
    RunPolicy,
    clean_pods=st.sampled_from(CleanPodPolicy),
    ttl_s=st.none() | st.integers(0, 100),
    active_deadline_s=st.none() | st.integers(0, 100),
    backoff_limit=st.none() | st.integers(0, 3),
    suspended=st.booleans(),
    managed_by=st.sampled_from([None, "kubeflow.org/mpi-operator", "kueue.x-k8s.io/multikueue"]),
)
jobs = st.builds(
    job,
    st.integers(0, 4),
    policies,
    run_launcher_as_worker=st.booleans(),
    launcher_start=st.sampled_from(LauncherStart),
    flavour=st.sampled_from(Flavour),
    status=statuses,
    annotations=st.sampled_from([{}, {"mpijob.dev/elastic": "true"}]),
)
owners = st.sampled_from([UID, UID, UID, "stranger", ""])
containers = st.lists(
    st.builds(
        ContainerView,
        st.just("mpi"),
        init=st.booleans(),
        waiting_reason=st.sampled_from(["", "ImagePullBackOff", "PodInitializing"]),
        running=st.booleans(),
        exit_code=st.none() | st.sampled_from([0, 1, 137]),
        ended_at=moments,
    ),
    max_size=2,
).map(tuple)


@st.composite
def workers(draw):
    """Any pods under any workers' names, and now and then one of another name."""
    numbers = draw(st.sets(st.integers(0, 5)))
    pods = [
        worker(
            number,
            draw(st.sampled_from(PodPhase)),
            ready=draw(st.booleans()),
            deleting=draw(st.booleans()),
            owner_uid=draw(owners),
            containers=draw(containers),
            unschedulable=draw(st.sampled_from(["", "0/1 nodes are available"])),
        )
        for number in sorted(numbers)
    ]
    odd = draw(st.sampled_from([(), (worker(0, name="elsewhere", uid="odd"),)]))
    return (*pods, *odd)


launchers = st.none() | st.builds(
    launcher,
    suspended=st.booleans(),
    started_at=moments,
    owner_uid=owners,
    failed_count=st.integers(0, 3),
    end=st.none()
    | st.builds(
        End,
        st.booleans(),
        st.sampled_from(["", "BackoffLimitExceeded", "DeadlineExceeded"]),
        st.sampled_from(["", "why"]),
        moments,
    ),
)
launcher_pods = st.lists(
    st.builds(launcher_pod, st.sampled_from(PodPhase), containers=containers), max_size=2
).map(tuple)
configs = st.builds(
    Config,
    cluster_domain=st.sampled_from(["", "example.org"]),
    gang=st.none() | st.sampled_from(Gang),
    scheduler_name=st.just("volcano"),
    transport=st.sampled_from(Transport),
)


@st.composite
def worlds(draw):
    """A job and some of its children, in whatever state."""
    whole = plumbed(
        draw(jobs),
        workers=draw(workers()),
        launcher=draw(launchers),
        launcher_pods=draw(launcher_pods),
    )
    missing = draw(st.sets(st.sampled_from(["service", "config", "secret", "host_keys"])))
    group = draw(st.sampled_from([None, PodGroupView("pi", "g", UID, "1", {"minMember": 9})]))
    return replace(whole, pod_group=group, **dict.fromkeys(missing))


nows = st.integers(0, 300).map(seconds_later)


@given(worlds(), nows, configs)
def test_the_same_world_calls_for_the_same_plan(world, now, config):
    assert reconcile(world, now, config) == reconcile(world, now, config)


@given(worlds(), nows)
def test_a_status_once_told_is_not_told_otherwise(world, now):
    once = next_status(world, now)
    told = replace(world, job=replace(world.job, status=once))
    assert next_status(told, now) == once


@given(worlds(), nows, configs)
def test_the_status_comes_first_and_once(world, now, config):
    found = [
        number
        for number, step in enumerate(reconcile(world, now, config).steps)
        if isinstance(step, WriteStatus)
    ]
    assert found in ([], [0])


@given(worlds(), nows, configs)
def test_nothing_is_deleted_without_a_fence(world, now, config):
    kinds = [type(step) for step in reconcile(world, now, config).steps]
    assert Delete not in kinds or kinds[0] in (WriteStatus, Confirm)


@given(worlds(), nows, configs)
def test_only_what_is_ours_is_touched(world, now, config):
    strangers = {pod.uid for pod in world.workers if pod.owner_uid != UID}
    touched = {step.uid for step in reconcile(world, now, config).steps if isinstance(step, Delete)}
    assert not strangers & touched


@given(worlds(), nows, configs)
def test_a_stranger_under_our_name_stops_everything(world, now, config):
    wanted = {names.worker("pi", index) for index in range(world.job.worker_count)}
    taken = any(p.owner_uid != UID and p.name in wanted for p in world.workers)
    finished = world.job.status.finished
    acts = [
        step
        for step in reconcile(world, now, config).steps
        if isinstance(step, Create | Patch | Delete)
    ]
    assert finished or not taken or not acts


@given(worlds(), nows, configs)
def test_a_wanted_living_worker_is_deleted_only_when_suspended_or_at_the_end(world, now, config):
    if next_status(world, now).finished or world.job.suspended:
        return
    dead = {pod.uid for pod in dead_workers(world.job, world)}
    for step in reconcile(world, now, config).steps:
        if isinstance(step, Delete) and step.ref.kind is Kind.POD and step.uid not in dead:
            index = names.worker_index(step.ref.name)
            assert index is None or index >= world.job.worker_count


@given(worlds(), nows, configs)
def test_a_patient_launcher_waits_for_every_worker(world, now, config):
    if world.job.launcher_start is not LauncherStart.WHEN_WORKERS_READY or world.job.suspended:
        return
    ready = {pod.name for pod in world.workers if pod.ready and not pod.deleting}
    wanted = {names.worker("pi", index) for index in range(world.job.worker_count)}
    for step in reconcile(world, now, config).steps:
        starts = (
            isinstance(step, Create)
            and step.ref.kind is Kind.JOB
            and not step.manifest["spec"].get("suspend")
        ) or (isinstance(step, Patch) and step.fields.get("spec", {}).get("suspend") is False)
        assert not starts or wanted <= ready


@given(worlds(), nows)
def test_an_end_is_never_changed(world, now):
    before = world.job.status
    after = next_status(world, now)
    ends = (ConditionType.SUCCEEDED, ConditionType.FAILED)
    told = [end for end in ends if before.is_true(end)]
    assert not told or [end for end in ends if after.is_true(end)] == told


@given(worlds(), nows)
def test_a_new_end_is_one_end_with_a_time(world, now):
    before, after = world.job.status, next_status(world, now)
    if before.finished or not after.finished:
        return
    both = after.is_true(ConditionType.SUCCEEDED) and after.is_true(ConditionType.FAILED)
    assert not both
    assert after.completed_at is not None


@given(worlds(), nows, configs)
def test_a_wake_up_lies_ahead(world, now, config):
    wake_at = reconcile(world, now, config).wake_at
    assert wake_at is None or wake_at > now


@given(worlds(), nows)
def test_a_job_that_somebody_else_manages_is_never_touched(world, now):
    elsewhere = world.job.run_policy.managed_by == "kueue.x-k8s.io/multikueue"
    assert not elsewhere or reconcile(world, now, Config()).stages == ()


@given(worlds(), nows, configs)
def test_announcements_follow_the_status_that_they_speak_of(world, now, config):
    plan = reconcile(world, now, config)
    told = [isinstance(step, Announce) for stage in plan.stages[:1] for step in stage]
    assert not any(told)


@given(worlds())
def test_every_world_can_be_explained(world):
    weights = [fact.weight for fact in explain(world)]
    assert weights
    assert weights == sorted(weights)


@given(worlds(), nows)
def test_an_hour_later_only_time_has_passed(world, now):
    once = next_status(world, now)
    told = replace(world, job=replace(world.job, status=once))
    later = next_status(told, now + timedelta(hours=1))
    rows = [(row.type, row.changed_at) for row in once.conditions]
    assert later.finished or [(row.type, row.changed_at) for row in later.conditions] == rows
