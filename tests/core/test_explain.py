"""Why a job is not running: the first fact is the cause, and says what to do."""

from dataclasses import replace

import pytest

from mpijob.core.explain import explain
from mpijob.core.job import Problem, Rejected, RunPolicy
from mpijob.core.observed import ContainerView, End, Observed, PodPhase, ServiceView
from mpijob.core.report import next_status
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
                    PodPhase.PENDING, containers=(ContainerView("wait", init=True, running=True),)
                ),
            ),
        ),
        ("pod pi-launcher-x1", "is starting"),
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
