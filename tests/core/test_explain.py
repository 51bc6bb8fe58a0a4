"""Why a job is not running: the first fact is the cause, and says what to do."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from mpijob.core.circumstances import Circumstances, Notice
from mpijob.core.explain import Weight, explain, questions
from mpijob.core.job import LauncherStart, Problem, Rejected, RunPolicy
from mpijob.core.observed import ContainerView, End, Observed, PodPhase, ServiceView
from mpijob.core.report import next_status
from mpijob.core.status import Condition, ConditionType, Failure, JobStatus
from mpijob.testing.worlds import (
    NOON,
    ended,
    fresh,
    job,
    launcher,
    launcher_pod,
    plumbed,
    running,
    worker,
)

NO_PORTS = (
    "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports. "
    "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
)


def pending(number, **changes):
    return worker(number, PodPhase.PENDING, **changes)


def told_job(*counts, **changes):
    """A job that an operator has taken note of."""
    row = Condition(ConditionType.CREATED, True, "MPIJobCreated", "is created", NOON, NOON)
    return replace(job(*counts, **changes), status=JobStatus(conditions=(row,)))


def patient():
    """A job whose launcher is made once its worker is ready."""
    return told_job(1, launcher_start=LauncherStart.WHEN_WORKERS_READY)


def told(world):
    return replace(world, job=replace(world.job, status=next_status(world, NOON)))


def out_of(image):
    return (ContainerView("mpi", waiting_reason="ImagePullBackOff", waiting_message=image),)


FIRST = {
    "an invalid field": (
        Observed(Rejected(job().identity, (Problem("spec.x", "Required value", "must be"),))),
        ("default/pi", "spec.x: Required value: must be"),
    ),
    "suspension": (
        fresh(job(run_policy=RunPolicy(suspended=True))),
        ("default/pi", "is suspended"),
    ),
    "another controller": (
        fresh(job(run_policy=RunPolicy(managed_by="kueue.x-k8s.io/multikueue"))),
        ("default/pi", "is managed by kueue.x-k8s.io/multikueue, not by mpijob"),
    ),
    "a name that is taken": (
        Observed(job(), service=ServiceView("pi", "s", "other", "1")),
        (
            "default/pi",
            'Resource "pi" of Kind "Service" already exists and is not managed by MPIJob',
        ),
    ),
    "a port that no node has free": (
        plumbed(
            job(1),
            workers=(pending(0, unschedulable=NO_PORTS),),
            launcher=launcher(),
        ),
        ("pod pi-worker-0", f"cannot be scheduled: {NO_PORTS}"),
    ),
    "no room for a worker, before what only waits": (
        plumbed(
            job(),
            workers=(pending(0), pending(1, unschedulable="0/1 nodes: Insufficient cpu")),
            launcher=launcher(),
        ),
        ("pod pi-worker-1", "cannot be scheduled: 0/1 nodes: Insufficient cpu"),
    ),
    "the same trouble of many pods is told once": (
        plumbed(
            job(3),
            workers=tuple(pending(n, containers=out_of("no such image")) for n in range(3)),
            launcher=launcher(),
        ),
        (
            "3 of 3 workers (pi-worker-0 … pi-worker-2)",
            "container mpi waits (ImagePullBackOff): no such image",
        ),
    ),
    "a dead worker, with how it ended": (
        running(
            job(),
            workers=(worker(0), worker(1, PodPhase.FAILED, containers=ended(137, "OOMKilled"))),
        ),
        (
            "pod pi-worker-1",
            (
                "failed on node n1 (OOMKilled, exit code 137 "
                "(killed (SIGKILL), often for want of memory))"
            ),
        ),
    ),
    "workers that are not there yet": (
        fresh(job()),
        ("2 of 2 workers (pi-worker-0 … pi-worker-1)", "not created yet"),
    ),
    "a job that runs": (running(job()), ("pod pi-launcher-x1", "is running")),
    "a launcher that waits for its workers": (
        running(
            job(),
            launcher_pods=(
                launcher_pod(
                    PodPhase.PENDING,
                    containers=(ContainerView("wait-for-workers", init=True, running=True),),
                ),
            ),
        ),
        ("pod pi-launcher-x1", "waits until every worker answers"),
    ),
}


@pytest.mark.parametrize(("world", "want"), FIRST.values(), ids=FIRST)
def test_the_first_fact(world, want):
    fact = explain(world)[0]
    assert (fact.subject, fact.what) == want


LAST_WORDS = {
    "too few slots": ("There are not enough slots available in the system", "slotsPerWorker"),
    "root": ("mpirun has detected an attempt to run as root --allow-run-as-root", "runAsUser"),
    "a name": ("ssh: Could not resolve hostname pi-worker-0", "Service"),
    "a program": ("mpirun was unable to find the specified executable file", "PATH"),
    "a program of a rank": (
        "prterun was unable to launch it as it lacked\npermissions to execute an executable:",
        "PATH",
    ),
    "a key": ("Permission denied (publickey)", "sshAuthMountPath"),
    "a module": ("ModuleNotFoundError: No module named 'mpi4py'", "Python package"),
}


@pytest.mark.parametrize(("words", "want"), LAST_WORDS.values(), ids=LAST_WORDS)
def test_the_last_words_of_a_failed_launcher_are_understood(words, want):
    pod = launcher_pod(PodPhase.FAILED, containers=ended(1, "Error", words))
    end = End(False, "BackoffLimitExceeded", "Job has reached the specified backoff limit", NOON)
    world = told(running(job(), launcher=launcher(end=end), launcher_pods=(pod,)))
    assert any(want in fact.advice for fact in explain(world))


def test_a_success_is_said():
    world = told(running(job(), launcher=launcher(end=End(True, "", "", NOON))))
    assert explain(world)[0].what == "has succeeded"


# What is seen around a job: events, last words, the time.

LATER = NOON + timedelta(minutes=2)
QUOTA = 'pods "pi-worker-0" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2'
STANDARD = 'pods "pi-launcher-x" is forbidden: violates PodSecurity "restricted:latest"'
UNRESOLVED = "ssh: Could not resolve hostname pi-worker-0: Temporary failure in name resolution"
UNKNOWN = "ssh: Could not resolve hostname pi-worker-0: Name or service not known"


def said(*reasons):
    """What a launcher's log has after it has waited for so long."""
    return "".join(f"waiting for 2 of 2 workers: pi-worker-0 ...\n  {each}\n" for each in reasons)


def told_of(uid, reason, message, kind="Pod"):
    return Notice(kind, "x", uid, reason, message, NOON)


def around(*notices, words="", queue=""):
    return Circumstances(notices, {"pi-launcher-x1": words}, queue, LATER)


def waiting(*workers, **changes):
    """A job whose launcher's init container runs."""
    init = ContainerView("wait-for-workers", init=True, running=True)
    pod = launcher_pod(PodPhase.PENDING, node="n1", containers=(init,))
    world = running(job(), launcher_pods=(pod,), **changes)
    return replace(world, workers=workers) if workers else world


MOUNT = 'MountVolume.SetUp failed for volume "data" : configmap "data" not found'
BUSY = 'MountVolume.SetUp failed for volume "data" : mount failed: exit status 32'
LAGS = 'MountVolume.SetUp failed for volume "ssh-auth" : failed to sync secret cache: timed out'
AROUND = {
    "a quota that leaves no room for a worker": (
        plumbed(told_job(), launcher=launcher()),
        around(told_of(job().uid, "MPIJobFailed", QUOTA, "MPIJob")),
        (Weight.CAUSE, "default/pi", f"was refused: {QUOTA}", "quota"),
    ),
    "a standard that the launcher's pod does not keep": (
        plumbed(told_job(), workers=(worker(0), worker(1)), launcher=launcher()),
        around(told_of(launcher().uid, "FailedCreate", STANDARD, "Job")),
        (Weight.CAUSE, "launcher", f"was refused: {STANDARD}", "securityContext"),
    ),
    "a refusal that is over explains nothing": (
        running(told_job()),
        around(told_of(job().uid, "MPIJobFailed", QUOTA, "MPIJob")),
        (Weight.NEWS, "pod pi-launcher-x1", "is running", ""),
    ),
    "a volume that is not there": (
        plumbed(told_job(1), workers=(pending(0, node="n1"),), launcher=launcher()),
        around(told_of(pending(0).uid, "FailedMount", MOUNT)),
        (Weight.CAUSE, "pod pi-worker-0", f"cannot start: {MOUNT}", "Create what"),
    ),
    "a kubelet that lags behind": (
        plumbed(told_job(1), workers=(pending(0, node="n1"),), launcher=launcher()),
        around(told_of(pending(0).uid, "FailedMount", LAGS)),
        (Weight.WAIT, "pod pi-worker-0", f"cannot start yet: {LAGS}", ""),
    ),
    "a kubelet that lags behind while the launcher is not made": (
        plumbed(patient(), workers=(pending(0, node="n1"),)),
        around(told_of(pending(0).uid, "FailedMount", LAGS)),
        (Weight.WAIT, "pod pi-worker-0", f"cannot start yet: {LAGS}", ""),
    ),
    "a volume that cannot be mounted": (
        plumbed(told_job(1), workers=(pending(0, node="n1"),), launcher=launcher()),
        around(told_of(pending(0).uid, "FailedMount", BUSY)),
        (Weight.HINDRANCE, "pod pi-worker-0", f"cannot start yet: {BUSY}", ""),
    ),
    "a volume that another pod of the name had not": (
        plumbed(told_job(1), workers=(pending(0, node="n1"),), launcher=launcher()),
        around(told_of("the one before", "FailedMount", MOUNT)),
        (Weight.WAIT, "pod pi-worker-0", "is starting", ""),
    ),
    "a node that is lost": (
        running(told_job(1), workers=(worker(0, node="n7", ready=False),)),
        around(told_of(worker(0).uid, "NodeNotReady", "Node is not ready")),
        (Weight.CAUSE, "pod pi-worker-0", "runs on node n7, which does not answer", "lost"),
    ),
    "a node that was lost and is back": (
        running(told_job(1), workers=(worker(0, node="n7", ready=True),)),
        around(told_of(worker(0).uid, "NodeNotReady", "Node is not ready")),
        (Weight.NEWS, "pod pi-launcher-x1", "is running", ""),
    ),
    "names that do not resolve though every worker runs": (
        waiting(worker(0, created_at=NOON), worker(1, created_at=NOON)),
        around(words=said(*[UNRESOLVED] * 4)),
        (
            Weight.CAUSE,
            "pod pi-launcher-x1",
            f"waits until every worker answers, in vain: {UNRESOLVED}",
            "DNS",
        ),
    ),
    "a name that a name server does not know yet": (
        waiting(worker(0, created_at=NOON), worker(1, created_at=NOON)),
        around(words=said(*[UNKNOWN] * 4)),
        (
            Weight.HINDRANCE,
            "pod pi-launcher-x1",
            f"waits until every worker answers, in vain: {UNKNOWN}",
            "Service",
        ),
    ),
    "workers that were deaf a moment ago": (
        waiting(worker(0, created_at=NOON), worker(1, created_at=NOON)),
        around(words=said(*[UNRESOLVED] * 3)),
        (Weight.WAIT, "pod pi-launcher-x1", "waits until every worker answers", ""),
    ),
    "workers that answer by now": (
        waiting(worker(0, created_at=NOON), worker(1, created_at=NOON)),
        around(words=said(*[UNRESOLVED] * 4) + "all 2 workers answer, after 46 s\n"),
        (Weight.WAIT, "pod pi-launcher-x1", "waits until every worker answers", ""),
    ),
    "names that do not resolve yet": (
        waiting(worker(0), pending(1, node="n1")),
        around(words=said(*[UNRESOLVED] * 4)),
        (Weight.WAIT, "pod pi-worker-1", "is starting", ""),
    ),
    "workers that only just run": (
        waiting(worker(0, created_at=LATER), worker(1, created_at=LATER)),
        around(words=said(*[UNRESOLVED] * 4)),
        (Weight.WAIT, "pod pi-launcher-x1", "waits until every worker answers", ""),
    ),
    "an operator that is not there": (
        fresh(replace(job(), identity=replace(job().identity, created_at=NOON))),
        around(),
        (Weight.CAUSE, "default/pi", "was not noticed by any operator", "doctor --cluster"),
    ),
    "a job that is as young as can be": (
        fresh(replace(job(), identity=replace(job().identity, created_at=LATER))),
        around(),
        (Weight.WAIT, "2 of 2 workers (pi-worker-0 … pi-worker-1)", "not created yet", ""),
    ),
    "a queue that holds the job": (
        fresh(job(run_policy=RunPolicy(suspended=True))),
        around(queue="team-a"),
        (Weight.CAUSE, "default/pi", "is suspended until queue team-a admits it", "localqueue"),
    ),
    "a probe that fails while the launcher waits for ready workers": (
        plumbed(
            patient(),
            workers=(worker(0, ready=False),),
        ),
        around(told_of(worker(0).uid, "Unhealthy", "Readiness probe failed: no")),
        (Weight.CAUSE, "pod pi-worker-0", "is not ready: Readiness probe failed: no", "probe"),
    ),
}


@pytest.mark.parametrize(("world", "known", "want"), AROUND.values(), ids=AROUND)
def test_the_first_fact_with_what_is_known_around(world, known, want):
    fact, (weight, subject, what, advice) = explain(world, known)[0], want
    assert (fact.weight, fact.subject, fact.what, advice in fact.advice) == (
        weight,
        subject,
        what,
        True,
    )


def crashing(words, code=1, reason="Error"):
    return ContainerView(
        "mpi",
        waiting_reason="CrashLoopBackOff",
        exit_code=code,
        ended_reason=reason,
        ended_message=words,
        restart_count=3,
    )


CRASHES = {
    "its last words": (crashing("no such data"), "(Error, exit code 1): no such data"),
    "its want of memory": (crashing("", 137, "OOMKilled"), "(OOMKilled, exit code 137"),
}


@pytest.mark.parametrize(("container", "want"), CRASHES.values(), ids=CRASHES)
def test_a_container_that_fails_again_and_again_tells_why(container, want):
    pod = launcher_pod(PodPhase.RUNNING, node="n1", containers=(container,))
    assert want in explain(running(told_job(), launcher_pods=(pod,)))[0].what


def test_a_container_that_left_no_word_in_its_status_is_told_by_its_log():
    pod = worker(0, PodPhase.PENDING, containers=(crashing(""),))
    known = Circumstances(last_words={pod.name: "no such bucket"}, now=LATER)
    world = running(told_job(1), workers=(pod,))
    assert (list(questions(world)), explain(world, known)[0].what.rpartition(": ")[2]) == (
        [(pod.name, "mpi")],
        "no such bucket",
    )


def test_a_launcher_that_failed_and_is_tried_again_tells_of_the_latest_failure():
    pods = [
        launcher_pod(
            PodPhase.FAILED,
            name=f"pi-launcher-{number}",
            created_at=NOON + timedelta(seconds=number),
            containers=ended(1, "Error", f"the words of {number}"),
        )
        for number in (1, 2)
    ]
    world = running(told_job(), launcher=launcher(failed_count=2), launcher_pods=tuple(pods))
    assert explain(world)[0].what.endswith("the words of 2")


def test_the_end_of_time_comes_before_what_else_had_failed():
    failure = Failure("pi-worker-0", "u", "Error", "no such data", "n1", 1, NOON)
    row = Condition(ConditionType.FAILED, True, "DeadlineExceeded", "too long", NOON, NOON)
    status = JobStatus(conditions=(row,), failure=failure)
    fact = explain(running(replace(job(), status=status)))[0]
    assert (fact.weight, fact.subject) == (Weight.CAUSE, "default/pi")


UNPLACED = {
    "no such label": ("3 node(s) didn't match Pod's node affinity/selector", "nodeSelector"),
    "no device": ("0/2 nodes are available: 2 Insufficient nvidia.com/gpu", "device plugin"),
    "no memory": ("0/2 nodes are available: 2 Insufficient memory", "Ask for less"),
    "no claim": ('persistentvolumeclaim "data" not found', "PersistentVolumeClaim"),
    "a taint": ("1 node(s) had untolerated taint {a: b}", "tolerate"),
}


@pytest.mark.parametrize(("message", "want"), UNPLACED.values(), ids=UNPLACED)
def test_what_helps_a_pod_that_no_node_takes(message, want):
    world = plumbed(told_job(1), workers=(pending(0, unschedulable=message),), launcher=launcher())
    assert want in explain(world)[0].advice


def test_a_launcher_that_runs_something_is_asked_for_its_last_words():
    assert list(questions(waiting())) == [("pi-launcher-x1", "wait-for-workers")]
