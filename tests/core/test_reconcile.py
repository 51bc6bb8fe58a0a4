"""What is done about a job, world by world, and what holds of every plan."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from mpijob.core import build, names
from mpijob.core.config import Config, Gang, Transport
from mpijob.core.job import (
    CleanPodPolicy,
    LauncherStart,
    Problem,
    Rejected,
    RunPolicy,
    SchedulingPolicy,
)
from mpijob.core.observed import (
    Child,
    End,
    Observed,
    PodGroupView,
    PodPhase,
    RoleBindingView,
    RoleView,
    ServiceView,
    launcher_alone,
)
from mpijob.core.plan import (
    Announce,
    Confirm,
    Create,
    Delete,
    MintSecret,
    Patch,
    Phase,
    WriteStatus,
)
from mpijob.core.reconcile import reconcile
from mpijob.core.report import next_status
from mpijob.core.version import Version
from mpijob.testing.worlds import (
    CONFIG,
    NOON,
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

SUSPENDED = RunPolicy(suspended=True)
DONE = End(True, "CompletionsReached", "", NOON)


def settled(world, at=NOON):
    """The same world, with what it calls for already told."""
    return replace(world, job=replace(world.job, status=next_status(world, at)))


def steps(world, now=NOON, config=CONFIG):
    """The steps of a plan in words, stage by stage, without what is told."""
    plan = reconcile(world, now, config)
    spelled = [[_spelled(step) for step in stage] for stage in plan.stages]
    return [[word for word in stage if word] for stage in spelled if any(stage)]


def flat(stages):
    """All steps of all stages."""
    return [step for stage in stages for step in stage]


def _spelled(step):
    match step:
        case WriteStatus() | Announce():
            return ""
        case Confirm():
            return "confirm"
        case MintSecret(ref):
            return f"mint {ref.name}"
        case Create(ref):
            return f"create {ref.kind} {ref.name}"
        case Patch(ref, _, fields):
            return f"patch {ref.kind} {ref.name} {'/'.join(_paths(fields))}"
        case Delete(ref):
            return f"delete {ref.kind} {ref.name}"


def _paths(fields):
    for key, value in fields.items():
        held = value.get("suspend") if isinstance(value, dict) else None
        yield f"suspend={held}" if held is not None else key


def alone(written, phase=PodPhase.RUNNING):
    """The world of a job whose launcher is a pod by itself, as v1's operators made it."""
    pod = replace(launcher_pod(phase), name="pi-launcher", owner_uid=written.uid)
    return running(written, launcher=launcher_alone(pod), launcher_pods=(pod,))


#: What is told of a job whose two workers run.
RAN = next_status(running(job()), NOON)
ELASTIC = job(annotations={"mpijob.dev/elastic": "true"})

PLANS = {
    "a new job: plumbing, then workers, then the launcher": (
        fresh(job()),
        [
            [
                "create Service pi",
                "create ConfigMap pi-config",
                "mint pi-ssh",
                "mint pi-ssh-host",
            ],
            ["create Pod pi-worker-0", "create Pod pi-worker-1"],
            ["create Job pi-launcher"],
        ],
    ),
    "a job that runs as it should: nothing": (settled(running(job())), []),
    "a job made suspended gets no pods, but a held launcher": (
        fresh(job(run_policy=SUSPENDED)),
        [
            [
                "create Service pi",
                "create ConfigMap pi-config",
                "mint pi-ssh",
                "mint pi-ssh-host",
            ],
            ["create Job pi-launcher"],
        ],
    ),
    "a running job that is suspended loses launcher, then workers": (
        settled(running(job(run_policy=SUSPENDED))),
        [
            ["confirm"],
            ["patch Job pi-launcher suspend=True"],
            ["delete Pod pi-worker-0", "delete Pod pi-worker-1"],
        ],
    ),
    "a resumed job whose launcher ran before: its start time is cleared first (#5)": (
        settled(
            running(job(), launcher=launcher(suspended=True, active_count=0), launcher_pods=())
        ),
        [["patch Job pi-launcher status"]],
    ),
    "a resumed job whose launcher has not been stopped yet": (
        settled(running(job(), launcher=launcher(suspended=True))),
        [],
    ),
    "a resumed job whose launcher is free to go needs no right to its status (#5)": (
        settled(
            running(
                job(),
                launcher=launcher(suspended=True, started_at=None, active_count=0),
                launcher_pods=(),
            )
        ),
        [["confirm"], ["patch Job pi-launcher suspend=False"]],
    ),
    "a scale-down deletes the workers beyond, by name": (
        settled(running(job(2), workers=tuple(worker(index) for index in range(4)))),
        [["confirm"], ["delete Pod pi-worker-2", "delete Pod pi-worker-3"]],
    ),
    "a scale-down with a launcher that runs ranks keeps the right workers (#7)": (
        settled(
            running(
                job(2, run_launcher_as_worker=True),
                workers=tuple(worker(index, index=index + 1) for index in range(3)),
            )
        ),
        [["confirm"], ["delete Pod pi-worker-2"]],
    ),
    "a worker that is gone, and no launcher runs yet: it comes again": (
        settled(running(job(), workers=(worker(0),), launcher_pods=())),
        [["create Pod pi-worker-1"]],
    ),
    "a worker that is gone before the job was told to run: the launcher is held first": (
        settled(running(job(), workers=(worker(0),))),
        [["patch Job pi-launcher suspend=True"]],
    ),
    "a worker on its way out: the launcher is held first": (
        settled(running(job(), workers=(worker(0), worker(1, deleting=True)))),
        [["patch Job pi-launcher suspend=True"]],
    ),
    "a worker that is gone at once: the launcher is held first": (
        settled(running(replace(job(), status=RAN), workers=(worker(0),))),
        [["patch Job pi-launcher suspend=True"]],
    ),
    "a worker on its way out, and no launcher runs yet: it comes again once it is gone": (
        settled(running(job(), workers=(worker(0), worker(1, deleting=True)), launcher_pods=())),
        [],
    ),
    "a static job that grows while it runs gets the workers that it lacks": (
        settled(running(replace(job(3), status=RAN), workers=(worker(0), worker(1)))),
        [["create Pod pi-worker-2"]],
    ),
    "an elastic job hears of a worker on its way out, and goes on": (
        settled(running(ELASTIC, workers=(worker(0), worker(1, deleting=True)))),
        [["patch ConfigMap pi-config data"]],
    ),
    "a dead worker: the launcher is held first (#8)": (
        settled(running(job(), workers=(worker(0), worker(1, PodPhase.FAILED)))),
        [["patch Job pi-launcher suspend=True"]],
    ),
    "under a held launcher the dead worker goes": (
        settled(
            running(
                job(),
                workers=(worker(0), worker(1, PodPhase.FAILED)),
                launcher=launcher(suspended=True, started_at=None),
            )
        ),
        [["confirm"], ["delete Pod pi-worker-1"]],
    ),
    "a finished job keeps its workers where the policy is None": (
        settled(running(job(), launcher=launcher(end=DONE))),
        [],
    ),
    "a launcher that is a pod by itself goes on": (settled(alone(job())), []),
    "where such a job is suspended the pod goes, and a held launcher comes": (
        settled(alone(job(run_policy=SUSPENDED))),
        [
            ["confirm"],
            ["delete Pod pi-launcher"],
            ["delete Pod pi-worker-0", "delete Pod pi-worker-1"],
        ],
    ),
    "a launcher that was a pod by itself and has ended is kept": (
        settled(alone(job(), PodPhase.SUCCEEDED)),
        [],
    ),
    "a finished job loses its running workers where the policy is Running": (
        settled(
            running(
                job(run_policy=RunPolicy(clean_pods=CleanPodPolicy.RUNNING)),
                workers=(worker(0), worker(1, PodPhase.SUCCEEDED)),
                launcher=launcher(end=DONE),
            )
        ),
        [["confirm"], ["delete Pod pi-worker-0"]],
    ),
    "a finished job loses workers beyond its count too (#17)": (
        settled(
            running(
                job(1, run_policy=RunPolicy(clean_pods=CleanPodPolicy.ALL)),
                workers=(worker(0), worker(5)),
                launcher=launcher(end=DONE),
            )
        ),
        [["confirm"], ["delete Pod pi-worker-0", "delete Pod pi-worker-5"]],
    ),
    "a patient launcher waits for every worker": (
        settled(
            plumbed(
                job(launcher_start=LauncherStart.WHEN_WORKERS_READY),
                workers=(worker(0), worker(1, ready=False)),
            )
        ),
        [],
    ),
    "a patient launcher starts once all are ready": (
        settled(
            plumbed(
                job(launcher_start=LauncherStart.WHEN_WORKERS_READY),
                workers=(worker(0), worker(1)),
            )
        ),
        [["confirm"], ["create Job pi-launcher"]],
    ),
    "a patient launcher is patient on resume too (#3)": (
        settled(
            plumbed(
                job(launcher_start=LauncherStart.WHEN_WORKERS_READY),
                workers=(worker(0), worker(1, ready=False)),
                launcher=launcher(suspended=True, started_at=None),
            )
        ),
        [],
    ),
    "keys that are not whole are drawn anew": (
        settled(
            replace(
                running(job()),
                secret=replace(running(job()).secret, keys=frozenset(("ssh-privatekey",))),
            )
        ),
        [["mint pi-ssh"]],
    ),
    "a stranger under our name: nothing is touched": (
        settled(Observed(job(), service=ServiceView("pi", "s", "other", "1"))),
        [],
    ),
    "a job that somebody else looks after is left alone": (
        fresh(job(run_policy=RunPolicy(managed_by="kueue.x-k8s.io/multikueue"))),
        [],
    ),
}


@pytest.mark.parametrize(("world", "want"), PLANS.values(), ids=PLANS)
def test_plans(world, want):
    assert steps(world) == want


def expired():
    policy = RunPolicy(ttl_s=60, clean_pods=CleanPodPolicy.NONE)
    return settled(running(job(run_policy=policy), launcher=launcher(end=DONE)))


def test_a_ttl_removes_all_children_and_the_private_key_defect_16():
    assert steps(expired(), seconds_later(60)) == [
        ["confirm"],
        [
            "delete Job pi-launcher",
            "delete Pod pi-worker-0",
            "delete Pod pi-worker-1",
            "delete Secret pi-ssh",
            "delete Secret pi-ssh-host",
            "delete ConfigMap pi-config",
            "delete Service pi",
        ],
    ]


def test_a_ttl_is_waited_for():
    assert reconcile(expired(), seconds_later(59), CONFIG).wake_at == seconds_later(60)


def test_the_job_itself_outlives_its_ttl():
    plan = reconcile(expired(), seconds_later(60), CONFIG)
    assert all(step.ref.kind != "MPIJob" for step in plan.steps if isinstance(step, Delete))


def test_an_invalid_job_is_only_told_of():

    world = Observed(Rejected(job().identity, (Problem("spec", "Required value", "x"),)))
    kinds = [type(step).__name__ for step in reconcile(world, NOON, CONFIG).steps]
    assert kinds == ["WriteStatus", "Announce"]


def test_a_job_that_is_being_deleted_is_left_to_the_garbage_collector():
    leaving = replace(job(), identity=replace(job().identity, deleting=True))
    assert reconcile(running(leaving), NOON, CONFIG).phase is Phase.DELETING


def test_a_job_that_fails_by_our_word_has_its_launcher_stopped():
    late = job(run_policy=RunPolicy(active_deadline_s=10, clean_pods=CleanPodPolicy.ALL))
    world = settled(running(late))
    assert steps(world, seconds_later(20)) == [
        ["patch Job pi-launcher suspend=True"],
        ["delete Pod pi-worker-0", "delete Pod pi-worker-1"],
    ]


def test_workers_of_a_static_job_do_not_rewrite_the_hostfile_one_by_one():
    before = settled(plumbed(job(), workers=(), launcher=launcher()))
    half = replace(before, workers=(worker(0), worker(1, PodPhase.PENDING)))
    assert "patch ConfigMap pi-config data" not in flat(steps(half))


def test_an_elastic_job_hears_of_every_worker():
    before = settled(plumbed(ELASTIC, workers=(), launcher=launcher()))
    half = replace(before, workers=(worker(0), worker(1, PodPhase.PENDING)))
    assert "patch ConfigMap pi-config data" in flat(steps(half))


def test_an_elastic_jobs_dead_worker_rests_before_it_is_replaced():
    dead = worker(1, PodPhase.FAILED, containers=ended(1))
    world = settled(running(ELASTIC, workers=(worker(0), dead)))
    plans = [reconcile(world, seconds_later(after), CONFIG) for after in (9, 10)]
    deleted = [any(isinstance(step, Delete) for step in plan.steps) for plan in plans]
    assert (deleted, plans[0].wake_at) == ([False, True], seconds_later(10))


def test_a_gang_of_a_patient_launcher_counts_the_pods_that_exist_before_the_gate_defect_4():
    gang = Config(gang=Gang.VOLCANO, scheduler_name="volcano")
    patient = job(2, launcher_start=LauncherStart.WHEN_WORKERS_READY)
    group = next(
        step.manifest
        for step in reconcile(fresh(patient), NOON, gang).steps
        if isinstance(step, Create) and step.ref.kind == "PodGroup"
    )
    assert group["spec"]["minMember"] == 2


def test_a_pod_group_goes_when_the_job_is_suspended():
    gang = Config(gang=Gang.VOLCANO, scheduler_name="volcano")
    world = fresh(job(run_policy=RunPolicy(scheduling=SchedulingPolicy(queue="q"))))
    made = next(
        step.manifest
        for step in reconcile(world, NOON, gang).steps
        if isinstance(step, Create) and step.ref.kind == "PodGroup"
    )

    group = PodGroupView("pi", "g", world.job.uid, "1", dict(made["spec"]))
    held = settled(running(job(run_policy=SUSPENDED), pod_group=group))
    assert "delete PodGroup pi" in flat(steps(held, config=gang))


def test_locally_nothing_waits_and_nothing_listens():
    rsh = Config(transport=Transport.RSH)
    made = steps(fresh(job()), config=rsh)
    assert made[0] == ["create Service pi", "create ConfigMap pi-config", "mint pi-ssh"]


# What holds of every plan, whatever was observed.


def test_a_plan_can_be_made_again():
    world = running(job(), launcher_pods=(launcher_pod(PodPhase.FAILED),))
    assert reconcile(world, NOON, CONFIG) == reconcile(world, NOON, CONFIG)


def test_an_hour_changes_nothing_of_a_job_that_runs():
    world = settled(running(job()))
    assert reconcile(world, NOON + timedelta(hours=1), CONFIG).stages == ()


def test_names_of_workers_are_read_back():
    assert [names.worker_index(names.worker("pi", index)) for index in (0, 7, 123)] == [0, 7, 123]


def written_in(version, of):
    """The same job, written in another version."""
    return replace(of, identity=replace(of.identity, written_in=version))


def test_before_an_older_job_has_children_its_version_is_recorded():
    world = fresh(written_in(Version.V1ALPHA2, job()))
    assert (steps(world), flat(steps(settled(world)))) == (
        [],
        ["patch MPIJob pi metadata"],
    )


def test_a_version_is_recorded_once():
    noted = job(annotations={"mpijob.dev/written-in": "v1alpha2"})
    world = settled(fresh(written_in(Version.V1ALPHA2, noted)))
    assert "create Service pi" in flat(steps(world))


def test_the_ttl_of_a_v1_job_removes_the_job_itself():
    noted = job(run_policy=RunPolicy(ttl_s=60), annotations={"mpijob.dev/written-in": "v1"})
    made = settled(fresh(written_in(Version.V1, noted)))
    world = settled(replace(made, launcher=launcher(end=DONE)), seconds_later(1))
    assert steps(world, seconds_later(62)) == [["confirm"], ["delete MPIJob pi"]]


def test_a_v1_job_is_looked_at_again_when_its_end_may_be_told():
    noted = job(annotations={"mpijob.dev/written-in": "v1"})
    world = settled(fresh(written_in(Version.V1, noted)))
    world = replace(world, launcher=launcher(end=DONE))
    assert reconcile(world, NOON, CONFIG).wake_at == seconds_later(1)


EXEC_CONFIG = Config(kubectl_delivery_image="example/kubectl:1")
BY_EXEC = {"mpijob.dev/transport": "exec"}


def with_rights(world, **changes):
    """A world with what lets the launcher execute in its workers as it should be."""
    of = world.job
    name = names.launcher(of.name)
    usual = {
        "secret": None,
        "host_keys": None,
        "account": Child(name, "a", of.uid, "1"),
        "role": RoleView(name, "r", of.uid, "1", tuple(build.role(of)["rules"])),
        "role_binding": RoleBindingView(name, "b", of.uid, "1", (name,)),
    }
    return replace(world, **(usual | changes))


def test_a_job_by_exec_gets_rights_and_no_keys():
    world = settled(fresh(job(annotations=BY_EXEC)))
    _, plumbing, *_ = steps(world, config=EXEC_CONFIG)
    assert plumbing == [
        "create Service pi",
        "create ConfigMap pi-config",
        "create ServiceAccount pi-launcher",
        "create Role pi-launcher",
        "create RoleBinding pi-launcher",
    ]


def test_a_job_by_exec_that_is_as_it_should_be_is_left_alone():
    world = running(job(annotations=BY_EXEC), config=EXEC_CONFIG)
    assert steps(settled(with_rights(world)), config=EXEC_CONFIG) == []


def test_rights_follow_the_workers():
    world = settled(with_rights(running(job(annotations=BY_EXEC), config=EXEC_CONFIG)))
    more = replace(world.job, worker=replace(world.job.worker, count=3))
    assert "patch Role pi-launcher rules" in flat(
        steps(settled(replace(world, job=more)), config=EXEC_CONFIG)
    )


def test_rights_that_somebody_gave_to_others_are_taken_back():
    bound = RoleBindingView("pi-launcher", "b", "job-uid", "1", ("pi-launcher", "other"))
    world = with_rights(running(job(annotations=BY_EXEC), config=EXEC_CONFIG), role_binding=bound)
    assert steps(settled(world), config=EXEC_CONFIG) == [["patch RoleBinding pi-launcher subjects"]]


def test_an_account_of_the_users_is_not_made():
    made = job(annotations=BY_EXEC)
    made.launcher.template["spec"]["serviceAccountName"] = "mine"
    assert "create ServiceAccount pi-launcher" not in flat(
        steps(settled(fresh(made)), config=EXEC_CONFIG)
    )


def test_a_role_of_a_strangers_is_in_the_way():
    taken = RoleView("pi-launcher", "r", "other", "1")
    assert rows_of(settled(replace(fresh(job()), role=taken)))[-1] == "Blocked"


def rows_of(world):
    return [row.type.value for row in world.job.status.conditions]
