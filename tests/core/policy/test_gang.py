"""How many pods start together, and what they need."""

from typing import Any

import pytest

from mpijob.core import build
from mpijob.core.config import Config, Gang
from mpijob.core.job import LauncherStart, RunPolicy, SchedulingPolicy
from mpijob.core.policy import gang
from mpijob.testing import worlds

SCHEDULERS = {
    "Volcano": Gang.VOLCANO,
    "scheduler-plugins": Gang.SCHEDULER_PLUGINS,
}


def a_job(
    workers: int = 2,
    launcher: dict[str, Any] | None = None,
    worker: dict[str, Any] | None = None,
    said: SchedulingPolicy | None = None,
    **fields: Any,
):
    """Return a job; `launcher` and `worker` are merged into the templates' pod specs."""
    job = worlds.job(workers, run_policy=RunPolicy(scheduling=said), **fields)
    job.launcher.template["spec"].update(launcher or {})
    if job.worker:
        job.worker.template["spec"].update(worker or {})
    return job


def requesting(**resources: str) -> dict[str, Any]:
    return {"containers": [{"name": "mpi", "resources": {"requests": resources}}]}


MEMBERS = {
    "the launcher and every worker": (a_job(99), 100),
    "what the job says": (a_job(2, said=SchedulingPolicy(min_available=2)), 2),
    "nobody, where the job says so": (a_job(2, said=SchedulingPolicy(min_available=0)), 0),
    "no more than there are": (a_job(2, said=SchedulingPolicy(min_available=9)), 3),
    "the workers, where the launcher comes when they are ready (defect 4)": (
        a_job(2, launcher_start=LauncherStart.WHEN_WORKERS_READY),
        2,
    ),
    "no more than those, whatever the job says": (
        a_job(
            2,
            launcher_start=LauncherStart.WHEN_WORKERS_READY,
            said=SchedulingPolicy(min_available=3),
        ),
        2,
    ),
    "fewer, where the job says so": (
        a_job(
            4,
            launcher_start=LauncherStart.WHEN_WORKERS_READY,
            said=SchedulingPolicy(min_available=3),
        ),
        3,
    ),
    "a launcher that waits for nobody": (
        a_job(0, launcher_start=LauncherStart.WHEN_WORKERS_READY),
        1,
    ),
    "not fewer than none (defect 12)": (a_job(0, said=SchedulingPolicy(min_available=-1)), 0),
}


@pytest.mark.parametrize(("job", "count"), MEMBERS.values(), ids=MEMBERS)
def test_how_many_pods_start_together(job, count):
    assert gang.min_member(job) == count


HIGH, LOW = {"priorityClassName": "high"}, {"priorityClassName": "low"}
CLASSES = {
    "what the job says": (
        a_job(launcher=HIGH, worker=LOW, said=SchedulingPolicy(priority_class="mine")),
        "mine",
    ),
    "else the launcher's": (a_job(launcher=HIGH, worker=LOW), "high"),
    "else the workers'": (a_job(worker=LOW), "low"),
    "else none": (a_job(), ""),
}


@pytest.mark.parametrize(("job", "name"), CLASSES.values(), ids=CLASSES)
def test_the_gangs_priority_class(job, name):
    """`TestCalcPriorityClassName`, mpi-operator v0.8.2 (pkg/controller/podgroup_test.go)."""
    assert gang.priority_class(job) == name


PRIORITIES = {"high": 100, "low": 1}
TWO = {"cpu": "2", "memory": "512Mi"}
ONE = {"cpu": "1", "memory": "256Mi"}
SIDECAR = {"name": "log", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}}
RESOURCES = {
    "what the job says": (
        a_job(launcher=requesting(**ONE), said=SchedulingPolicy(min_resources={"cpu": "9"})),
        {"cpu": "9"},
    ),
    "nothing for nobody": (
        a_job(launcher=requesting(**ONE), said=SchedulingPolicy(min_available=0)),
        {},
    ),
    "the launcher and two workers": (
        a_job(2, requesting(**ONE), requesting(**TWO)),
        {"cpu": "5", "memory": "1280Mi"},
    ),
    "the launcher alone": (
        a_job(0, requesting(**ONE), said=SchedulingPolicy(min_available=1)),
        {"cpu": "1", "memory": "256Mi"},
    ),
    "containers add up": (
        a_job(
            0,
            {
                "containers": [
                    {"name": "a", "resources": {"requests": {"cpu": "500m"}}},
                    {"name": "b", "resources": {"limits": {"cpu": "1", "nvidia.com/gpu": 1}}},
                ]
            },
        ),
        {"cpu": "1500m", "nvidia.com/gpu": "1"},
    ),
    "a class that nobody knows counts as none, and the launcher goes first": (
        a_job(
            2,
            {**requesting(**ONE), "priorityClassName": "unknown"},
            requesting(**TWO),
            SchedulingPolicy(min_available=2),
        ),
        {"cpu": "3", "memory": "768Mi"},
    ),
    "a launcher that outranks its workers": (
        a_job(
            100,
            {**requesting(**ONE), **HIGH},
            {**requesting(**TWO), **LOW},
            SchedulingPolicy(min_available=2),
        ),
        {"cpu": "3", "memory": "768Mi"},
    ),
    "workers that outrank their launcher, and it too": (
        a_job(2, {**requesting(cpu="1"), **LOW}, {**requesting(cpu="10"), **HIGH}),
        {"cpu": "21"},
    ),
    "a launcher that comes later needs nothing yet": (
        a_job(
            2,
            requesting(cpu="1"),
            requesting(cpu="10"),
            launcher_start=LauncherStart.WHEN_WORKERS_READY,
        ),
        {"cpu": "20"},
    ),
    "an init container that needs more than what follows": (
        a_job(
            0,
            {
                **requesting(cpu="1"),
                "initContainers": [{"name": "fetch", "resources": {"requests": {"cpu": "3"}}}],
            },
        ),
        {"cpu": "3"},
    ),
    "a sidecar runs on beside all that follow": (
        a_job(
            0,
            {
                **requesting(cpu="1"),
                "initContainers": [
                    SIDECAR,
                    {"name": "fetch", "resources": {"requests": {"cpu": "3"}}},
                ],
            },
        ),
        {"cpu": "4"},
    ),
    "a pod's overhead": (
        a_job(0, {**requesting(cpu="1"), "overhead": {"cpu": "250m"}}),
        {"cpu": "1250m"},
    ),
    "what is no quantity counts for nothing": (
        a_job(0, requesting(cpu="1", memory="lots")),
        {"cpu": "1"},
    ),
}


@pytest.mark.parametrize(("job", "resources"), RESOURCES.values(), ids=RESOURCES)
def test_what_the_gang_needs_to_start(job, resources):
    """`TestCalculatePGMinResources`, mpi-operator v0.8.2 (pkg/controller/podgroup_test.go)."""
    assert gang.min_resources(job, PRIORITIES) == resources


ADDED = {
    "requests win over limits, limits fill in": (
        {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "1Gi"}},
        {"cpu": "1", "memory": "1Gi"},
    ),
    "nothing": ({}, {}),
}


@pytest.mark.parametrize(("resources", "found"), ADDED.values(), ids=ADDED)
def test_what_a_container_requests(resources, found):
    """`TestAddResources`, mpi-operator v0.8.2 (pkg/controller/podgroup_test.go)."""
    requests = gang.container_requests({"name": "mpi", "resources": resources})
    assert {name: str(amount) for name, amount in requests.items()} == found


EVERYTHING = SchedulingPolicy(
    min_available=2,
    queue="project-x",
    min_resources={"cpu": "100", "memory": "512Gi", "example.com/gpu": "40"},
    priority_class="high",
    schedule_timeout_s=100,
)
ANNOTATED = {"annotations": {gang.VOLCANO_QUEUE: "project-y"}}
GROUPS = {
    "Volcano, all is said": (
        Gang.VOLCANO,
        a_job(2, said=EVERYTHING),
        {
            "minMember": 2,
            "queue": "project-x",
            "priorityClassName": "high",
            "minResources": {"cpu": "100", "memory": "512Gi", "example.com/gpu": "40"},
        },
    ),
    "scheduler-plugins, all is said": (
        Gang.SCHEDULER_PLUGINS,
        a_job(2, said=EVERYTHING),
        {
            "minMember": 2,
            "scheduleTimeoutSeconds": 100,
            "minResources": {"cpu": "100", "memory": "512Gi", "example.com/gpu": "40"},
        },
    ),
    "Volcano, nothing is said": (
        Gang.VOLCANO,
        a_job(2, {**requesting(**ONE), **HIGH}, requesting(**TWO), **ANNOTATED),
        {
            "minMember": 3,
            "queue": "project-y",
            "priorityClassName": "high",
            "minResources": {"cpu": "5", "memory": "1280Mi"},
        },
    ),
    "scheduler-plugins, nothing is said": (
        Gang.SCHEDULER_PLUGINS,
        a_job(2, {**requesting(**ONE), **HIGH}, requesting(**TWO), **ANNOTATED),
        {
            "minMember": 3,
            "scheduleTimeoutSeconds": 0,
            "minResources": {"cpu": "5", "memory": "1280Mi"},
        },
    ),
    "Volcano, no workers": (
        Gang.VOLCANO,
        a_job(0, requesting(**ONE), said=SchedulingPolicy(min_available=1)),
        {"minMember": 1, "minResources": {"cpu": "1", "memory": "256Mi"}},
    ),
    "scheduler-plugins, no workers": (
        Gang.SCHEDULER_PLUGINS,
        a_job(0, requesting(**ONE), said=SchedulingPolicy(min_available=1)),
        {
            "minMember": 1,
            "scheduleTimeoutSeconds": 0,
            "minResources": {"cpu": "1", "memory": "256Mi"},
        },
    ),
}


@pytest.mark.parametrize(("scheduler", "job", "spec"), GROUPS.values(), ids=GROUPS)
def test_the_spec_of_a_pod_group(scheduler, job, spec):
    """`TestNewPodGroup`, mpi-operator v0.8.2 (pkg/controller/podgroup_test.go)."""
    made = build.pod_group(job, Config(gang=scheduler, scheduler_name="any"), PRIORITIES)
    assert made is not None
    assert made["spec"] == spec


#: What each scheduler's definition of its PodGroups takes at least.
LEAST = {Gang.VOLCANO: 0, Gang.SCHEDULER_PLUGINS: 1}


@pytest.mark.parametrize("scheduler", SCHEDULERS.values(), ids=SCHEDULERS)
def test_no_job_crashes_the_operator_defect_12(scheduler):
    """mpi-operator v0.8.2 looks for a second role that a job without workers does not have."""
    job = a_job(0, requesting(cpu="1"), said=SchedulingPolicy(min_available=-1))
    assert gang.spec(job, scheduler, PRIORITIES)["minMember"] == LEAST[scheduler]


def test_the_pods_that_start_first_are_those_that_count_defect_13():
    """mpi-operator v0.8.2 sets the launcher aside, as of lower priority, and counts all workers."""
    job = a_job(
        10,
        {**requesting(cpu="1"), **LOW},
        {**requesting(cpu="10"), **HIGH},
        SchedulingPolicy(min_available=4),
    )
    assert gang.min_resources(job, PRIORITIES) == {"cpu": "40"}


SEEN = {"minMember": 3, "queue": "default", "minResources": {"cpu": "5"}}
WANTED = {"minMember": 3, "minResources": {"cpu": "5"}}
CORRECTIONS = {
    "none needed": (WANTED, WANTED, {}),
    "a queue that Volcano filled in is Volcano's": (WANTED, SEEN, {}),
    "a queue that the job names": ({**WANTED, "queue": "mine"}, SEEN, {"queue": "mine"}),
    "a timeout that was edited": (
        {**WANTED, "scheduleTimeoutSeconds": 100},
        {**WANTED, "scheduleTimeoutSeconds": 0},
        {"scheduleTimeoutSeconds": 100},
    ),
    "fewer pods": ({**WANTED, "minMember": 2}, SEEN, {"minMember": 2}),
    "a resource more, one less": (
        {**WANTED, "minResources": {"memory": "1Gi"}},
        SEEN,
        {"minResources": {"cpu": None, "memory": "1Gi"}},
    ),
    "no resources any more": ({"minMember": 3}, SEEN, {"minResources": None}),
    "no resources yet": (WANTED, {"minMember": 3}, {"minResources": {"cpu": "5"}}),
    "a class that the job no longer has": (
        WANTED,
        {**SEEN, "priorityClassName": "high"},
        {"priorityClassName": None},
    ),
    "another scheduler's field, at its default": (
        WANTED,
        {**SEEN, "scheduleTimeoutSeconds": 0},
        {},
    ),
    "fields that nobody of ours speaks of": (WANTED, {**SEEN, "minTaskMember": {"a": 1}}, {}),
}


@pytest.mark.parametrize(("wanted", "seen", "fields"), CORRECTIONS.values(), ids=CORRECTIONS)
def test_what_has_to_change_of_a_pod_group(wanted, seen, fields):
    assert gang.correction(wanted, seen) == fields


def test_a_queue_that_nobody_named_is_not_fought_over_defect_14():
    """mpi-operator v0.8.2 wants it empty, Volcano says "default", and both write for ever."""
    job = a_job(2)
    made = build.pod_group(job, Config(gang=Gang.VOLCANO), {})
    assert made is not None
    assert build.pod_group_correction(made, {**made["spec"], "queue": "default"}) is None


def test_roles_of_equal_priority_keep_their_order():
    """`TestReplicasOrder`, mpi-operator v0.8.2 (pkg/controller/podgroup_test.go)."""
    job = a_job(
        2,
        {**requesting(cpu="1"), **LOW},
        {**requesting(cpu="10"), **LOW},
        SchedulingPolicy(min_available=1),
    )
    assert gang.min_resources(job, PRIORITIES) == {"cpu": "1"}


def test_marks_have_volcanos_usual_name_where_none_is_given():
    assert gang.marks(a_job(), Config(gang=Gang.VOLCANO)).scheduler_name == "volcano"
