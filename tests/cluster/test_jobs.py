"""The Job controller does what Kubernetes' does, and leaves the same statuses behind."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
import yaml

from mpijob.cluster import jobs
from mpijob.cluster.store import Store
from mpijob.core.plan import Kind, Ref

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
JOB = Ref(Kind.JOB, "default", "j")
RECORDED = Path(__file__).with_name("recorded.yaml")
AT = "2026-01-01T12:00:00Z"


class Bench:
    """A Job, its controller, and a hand that moves the pods and the clock."""

    def __init__(self, manifest):
        self.store, self.dice, self.now = Store(), Random(1), NOON
        self.wake_at = None
        self.seen = self.store.version
        self.store.create(manifest, now=NOON, uid="u-job")
        self.settle()

    @property
    def job(self):
        return self.store.get(JOB)

    @property
    def status(self):
        return self.job["status"]

    @property
    def pods(self):
        return self.store.list(Kind.POD)

    def settle(self):
        """Call the controller for every change, as its watch does."""
        while (change := next(iter(self.store.changes(self.seen)), None)) is not None:
            self.seen = change.version
            ref = jobs.concerned(change)
            if ref is not None:
                self.wake_at = jobs.sync(self.store, ref, now=self.now, dice=self.dice)

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)
        self.wake_at = jobs.sync(self.store, JOB, now=self.now, dice=self.dice)
        self.settle()

    def patch(self, **spec):
        self.store.patch(JOB, {"spec": spec}, now=self.now)
        self.settle()

    @property
    def newest(self):
        return max(self.pods, key=lambda pod: int(pod["metadata"]["resourceVersion"]))

    def ref(self, pod):
        return Ref(Kind.POD, "default", pod["metadata"]["name"])

    def pod_is(self, phase, *, pod=None, **status):
        ref = self.ref(pod or self.newest)
        at = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        ended = {"state": {"terminated": {"finishedAt": at}}}
        rows = [ended] if phase in ("Succeeded", "Failed") else []
        fields = {"phase": phase, "containerStatuses": rows} | status
        self.store.patch(ref, {"status": fields}, now=self.now, subresource="status")
        self.settle()

    def run_pod(self):
        self.store.bind(self.ref(self.newest), "n", now=self.now)
        self.pod_is("Running", conditions=[{"type": "Ready", "status": "True"}])

    def conditions(self):
        return [(c["type"], c["status"], c["reason"]) for c in self.status.get("conditions", ())]


@pytest.fixture
def bench(job):
    return lambda **spec: Bench(job(**spec))


def test_a_job_has_one_pod_made_after_its_template(job):
    manifest = job(backoffLimit=3)
    manifest["spec"]["template"]["metadata"] = {
        "labels": {"a": "b"},
        "annotations": {"c": "d"},
        "ownerReferences": [{"kind": "MPIJob", "name": "x", "uid": "y"}],
    }
    (pod,) = Bench(manifest).pods
    metadata = dict(pod["metadata"])
    assert metadata.pop("name").startswith("j-")
    assert metadata == {
        "namespace": "default",
        "generateName": "j-",
        "generation": 1,
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
        "creationTimestamp": AT,
        "finalizers": ["batch.kubernetes.io/job-tracking"],
        "annotations": {"c": "d"},
        "labels": {
            "a": "b",
            "batch.kubernetes.io/controller-uid": "u-job",
            "batch.kubernetes.io/job-name": "j",
            "controller-uid": "u-job",
            "job-name": "j",
        },
        "ownerReferences": [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": "j",
                "uid": "u-job",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


@pytest.fixture
def recorded():
    """A Job and its pod as a real server held them."""
    return {m["kind"]: m for m in yaml.safe_load_all(RECORDED.read_text())}


def test_a_job_is_stored_as_a_real_server_stored_it(recorded):
    stored = Store().create(recorded["Job"], now=NOON, uid="uid-of-job")
    assert stored["spec"] == recorded["Job"]["spec"]


def test_a_pod_is_made_as_a_real_controller_made_it(recorded):
    pod = Store().create(jobs.pod_of(recorded["Job"]), now=NOON, uid="uid-of-pod", suffix="ds4tp")
    own = ("creationTimestamp", "resourceVersion")
    metadata = {name: value for name, value in pod["metadata"].items() if name not in own}
    assert (metadata, pod["spec"]) == (recorded["Pod"]["metadata"], recorded["Pod"]["spec"])


def test_a_job_that_runs_says_so(bench):
    world = bench()
    world.run_pod()
    assert world.status == {
        "active": 1,
        "ready": 1,
        "startTime": AT,
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }


def test_a_job_that_succeeded_says_so(bench):
    world = bench()
    world.run_pod()
    world.now += timedelta(seconds=31)
    world.pod_is("Succeeded", conditions=[])
    told = {
        "lastProbeTime": "2026-01-01T12:00:31Z",
        "lastTransitionTime": "2026-01-01T12:00:31Z",
        "message": "Reached expected number of succeeded pods",
        "reason": "CompletionsReached",
        "status": "True",
    }
    assert world.status == {
        "completionTime": "2026-01-01T12:00:31Z",
        "conditions": [told | {"type": "SuccessCriteriaMet"}, told | {"type": "Complete"}],
        "ready": 0,
        "startTime": AT,
        "succeeded": 1,
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }


def test_a_counted_pod_is_no_longer_held(bench):
    world = bench()
    world.run_pod()
    world.pod_is("Succeeded")
    assert "finalizers" not in world.pods[0]["metadata"]


def test_a_pod_is_noted_before_it_is_let_go_and_counted_after(bench):
    world = bench()
    world.run_pod()
    before = world.store.version
    world.pod_is("Succeeded")
    uid = world.pods[0]["metadata"]["uid"]
    seen = [
        (
            change.manifest["status"].get("uncountedTerminatedPods"),
            change.manifest["status"].get("succeeded", 0),
        )
        for change in world.store.changes(before)
        if change.ref.kind is Kind.JOB
    ]
    assert seen == [({"succeeded": [uid]}, 0), ({}, 1)]


def test_whoever_stops_between_two_writes_counts_no_pod_twice(bench):
    world = bench()
    world.run_pod()
    uid = world.pods[0]["metadata"]["uid"]
    noted = {"uncountedTerminatedPods": {"succeeded": [uid]}}
    world.store.patch(JOB, {"status": noted}, now=NOON, subresource="status")
    world.pod_is("Succeeded")
    assert world.status["succeeded"] == 1


def test_a_suspended_job_has_no_pod_and_no_start(bench):
    world = bench(suspend=True)
    assert (world.pods, world.status) == (
        (),
        {
            "conditions": [
                {
                    "lastProbeTime": AT,
                    "lastTransitionTime": AT,
                    "message": "Job suspended",
                    "reason": "JobSuspended",
                    "status": "True",
                    "type": "Suspended",
                }
            ],
            "ready": 0,
            "terminating": 0,
            "uncountedTerminatedPods": {},
        },
    )


def test_a_resumed_job_starts_anew(bench):
    world = bench(suspend=True)
    world.now += timedelta(seconds=31)
    world.patch(suspend=False)
    world.run_pod()
    at = "2026-01-01T12:00:31Z"
    assert world.status == {
        "active": 1,
        "conditions": [
            {
                "lastProbeTime": at,
                "lastTransitionTime": at,
                "message": "Job resumed",
                "reason": "JobResumed",
                "status": "False",
                "type": "Suspended",
            }
        ],
        "ready": 1,
        "startTime": at,
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }


def test_suspending_a_job_ends_its_pod_without_counting_it(bench):
    world = bench()
    world.run_pod()
    world.patch(suspend=True)
    pod = world.pods[0]
    world.pod_is("Failed")
    world.store.delete(world.ref(pod), now=NOON, grace_s=0)
    world.settle()
    assert (world.pods, world.status.get("failed"), "startTime" in world.status) == (
        (),
        None,
        False,
    )


def test_a_suspended_job_tells_of_the_pod_that_is_still_ending(bench):
    world = bench()
    world.run_pod()
    world.patch(suspend=True)
    assert (world.status.get("active"), world.status["terminating"]) == (None, 1)


def test_no_pod_is_made_before_the_old_one_has_ended(bench):
    world = bench()
    world.run_pod()
    world.patch(suspend=True)
    world.patch(suspend=False)
    held = len(world.pods)
    pod = world.pods[0]
    world.pod_is("Failed")
    world.store.delete(world.ref(pod), now=NOON, grace_s=0)
    world.settle()
    assert (held, len(world.pods), world.status["active"]) == (1, 1, 1)


def test_a_policy_may_replace_a_pod_that_is_still_ending(bench):
    world = bench(podReplacementPolicy="TerminatingOrFailed")
    world.run_pod()
    world.patch(suspend=True)
    world.patch(suspend=False)
    assert (len(world.pods), world.status["active"], world.status["terminating"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("failures", "pause_s"), [(1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (8, 600)]
)
def test_a_failed_pod_is_replaced_after_a_pause_that_doubles(bench, failures, pause_s):
    world = bench(backoffLimit=20)
    for _ in range(failures):
        world.wait(1000)
        world.run_pod()
        world.pod_is("Failed")
    assert world.wake_at - world.now == timedelta(seconds=pause_s)


def test_a_pod_is_made_again_on_the_second(bench):
    world = bench()
    world.run_pod()
    world.pod_is("Failed")
    world.wait(9)
    early = len(world.pods)
    world.wait(1)
    assert (early, len(world.pods), world.status["failed"]) == (1, 2, 1)


def test_a_job_fails_when_its_pods_failed_too_often(bench):
    world = bench(backoffLimit=0)
    world.run_pod()
    world.pod_is("Failed")
    message = "Job has reached the specified backoff limit"
    conditions = world.status["conditions"]
    assert (world.conditions(), {c["message"] for c in conditions}, world.status["failed"]) == (
        [
            ("FailureTarget", "True", "BackoffLimitExceeded"),
            ("Failed", "True", "BackoffLimitExceeded"),
        ],
        {message},
        1,
    )


def test_a_failed_job_has_no_completion_time(bench):
    world = bench(backoffLimit=0)
    world.run_pod()
    world.pod_is("Failed")
    assert "completionTime" not in world.status


@pytest.mark.parametrize(
    ("limit", "restarts", "ends"), [(3, 2, False), (3, 3, True), (0, 0, False), (0, 1, True)]
)
def test_restarts_of_containers_count_against_the_limit(job, limit, restarts, ends):
    manifest = job(backoffLimit=limit)
    manifest["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    world = Bench(manifest)
    world.run_pod()
    world.pod_is("Running", containerStatuses=[{"restartCount": restarts}])
    assert (("FailureTarget", "True", "BackoffLimitExceeded") in world.conditions()) is ends


def test_a_job_that_ends_waits_for_the_pod_that_it_ended(job):
    manifest = job(backoffLimit=0)
    manifest["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    world = Bench(manifest)
    world.run_pod()
    world.pod_is("Running", containerStatuses=[{"restartCount": 1}])
    before = world.conditions()
    world.store.delete(world.ref(world.pods[0]), now=NOON, grace_s=0)
    world.settle()
    assert (len(before), world.conditions()[1:], world.status["failed"]) == (
        1,
        [("Failed", "True", "BackoffLimitExceeded")],
        1,
    )


def test_a_job_that_is_active_for_too_long_fails_on_the_second(bench):
    world = bench(activeDeadlineSeconds=30)
    looks_at = world.wake_at
    world.wait(29)
    before = world.conditions()
    world.wait(1)
    assert (looks_at, before, world.conditions(), world.status["conditions"][0]["message"]) == (
        NOON + timedelta(seconds=30),
        [],
        [("FailureTarget", "True", "DeadlineExceeded"), ("Failed", "True", "DeadlineExceeded")],
        "Job was active longer than specified deadline",
    )


def test_time_spent_suspended_does_not_count(bench):
    world = bench(activeDeadlineSeconds=30)
    world.wait(20)
    world.patch(suspend=True)
    world.wait(1000)
    idle = world.conditions()
    world.patch(suspend=False)
    assert (idle, world.wake_at) == (
        [("Suspended", "True", "JobSuspended")],
        world.now + timedelta(seconds=30),
    )


def test_an_ended_job_goes_when_its_time_to_live_is_over(bench):
    world = bench(ttlSecondsAfterFinished=60)
    world.run_pod()
    world.pod_is("Succeeded")
    looks_at = world.wake_at
    world.wait(59)
    before = world.job
    world.wait(1)
    assert (looks_at, before is None, world.job) == (NOON + timedelta(seconds=60), False, None)


def test_pods_of_a_job_that_is_gone_are_let_go(bench):
    world = bench()
    world.run_pod()
    world.store.delete(JOB, now=NOON)
    world.settle()
    assert "finalizers" not in world.pods[0]["metadata"]


def test_pods_of_a_namesake_are_not_counted(bench, job):
    world = bench()
    world.run_pod()
    old = world.pods[0]
    world.store.delete(JOB, now=NOON)
    world.store.create(job(), now=NOON, uid="u-new")
    world.settle()
    world.pod_is("Succeeded", pod=old)
    assert (world.status["active"], "succeeded" in world.status) == (1, False)


def test_a_job_of_another_controller_is_left_alone(bench):
    world = bench(managedBy="example.com/queue")
    assert (world.pods, world.status) == ((), {})


def test_a_pod_that_the_server_refuses_is_tried_again_later(job):
    manifest = job()
    manifest["spec"]["template"]["spec"]["priorityClassName"] = "missing"
    world = Bench(manifest)
    assert (world.pods, world.wake_at) == ((), NOON + timedelta(seconds=10))


def test_a_look_at_rest_changes_nothing(bench):
    world = bench()
    world.run_pod()
    before = world.store.version
    world.wait(5)
    assert world.store.version == before


@pytest.mark.parametrize("parallelism", [1, 3])
def test_a_job_may_have_several_pods(job, parallelism):
    world = Bench(job(parallelism=parallelism, completions=3))
    assert len(world.pods) == parallelism


def test_a_scheduling_directive_may_change_while_a_job_is_suspended(bench):
    world = bench(suspend=True)
    world.patch(template={"spec": {"nodeSelector": {"disk": "fast"}}})
    world.patch(suspend=False)
    assert world.pods[0]["spec"]["nodeSelector"] == {"disk": "fast"}
