"""What a v1alpha2 job means, and the transcript of the document that describes its operator."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from mpijob.api import versions
from mpijob.cluster.merge import merged
from mpijob.core.job import CleanPodPolicy, Flavour, Rejected, RestartPolicy
from mpijob.core.observed import End
from mpijob.core.report import next_status
from mpijob.testing import worlds

POD = {"spec": {"containers": [{"name": "c", "image": "i"}]}}


def manifest(worker=POD, launcher=POD, **spec):
    roles = {
        "Launcher": {"replicas": 1, "template": launcher},
        "Worker": {"replicas": 1, "template": worker},
    }
    return {
        "apiVersion": "kubeflow.org/v1alpha2",
        "kind": "MPIJob",
        "metadata": {"name": "pi", "namespace": "default", "uid": worlds.UID},
        "spec": {"mpiReplicaSpecs": roles, **spec},
    }


def job(**spec):
    return versions.job(manifest(**spec))


def test_what_is_not_said():
    found = job()
    assert (
        found.launcher.restart_policy,
        found.worker.restart_policy,
        found.slots_per_worker,
        found.run_policy.clean_pods,
        found.run_policy.backoff_limit,
        found.flavour,
    ) == (
        RestartPolicy.ON_FAILURE,
        RestartPolicy.ALWAYS,
        1,
        CleanPodPolicy.NONE,
        None,
        Flavour.OPEN_MPI,
    )


LIMITS = {
    "its own": ({"backoffLimit": 2, "activeDeadlineSeconds": 3}, (2, 3)),
    "those of the run policy": ({"runPolicy": {"backoffLimit": 0}}, (0, None)),
    "of both, the run policy's": (
        {"backoffLimit": 2, "activeDeadlineSeconds": 3, "runPolicy": {"backoffLimit": 5}},
        (5, 3),
    ),
}


@pytest.mark.parametrize(("spec", "want"), LIMITS.values(), ids=LIMITS)
def test_limits(spec, want):
    policy = job(**spec).run_policy
    assert (policy.backoff_limit, policy.active_deadline_s) == want


def test_nothing_else_of_the_run_policy_is_read():
    others = {"cleanPodPolicy": "All", "suspend": True, "ttlSecondsAfterFinished": 1}
    policy = job(cleanPodPolicy="Running", runPolicy=others).run_policy
    assert (policy.clean_pods, policy.suspended, policy.ttl_s) == (
        CleanPodPolicy.RUNNING,
        False,
        None,
    )


def test_intel_has_a_name_of_its_own():
    assert job(mpiDistribution="IntelMPI").flavour is Flavour.INTEL


def test_an_unknown_distribution_is_told_by_its_field():
    found = job(mpiDistribution="LAM")
    assert isinstance(found, Rejected)
    [problem] = found.problems
    assert (problem.field, problem.value, problem.detail) == (
        "spec.mpiDistribution",
        '"LAM"',
        'supported values: "IntelMPI", "MPICH", "OpenMPI"',
    )


def test_a_clean_up_policy_that_is_none_is_told_by_its_field():
    assert [problem.field for problem in job(cleanPodPolicy="Some").problems] == [
        "spec.cleanPodPolicy"
    ]


HOSTS = {
    "without a command it idles, whatever its arguments": ({"args": ["mpirun", "x"]}, {}),
    "with a command it runs that": (
        {"command": ["sshd"], "args": ["-D"]},
        {"command": ["sshd"], "args": ["-D"]},
    ),
}


@pytest.mark.parametrize(("written", "kept"), HOSTS.values(), ids=HOSTS)
def test_what_a_worker_runs(written, kept):
    container = {"name": "c", "image": "i"}
    found = job(worker={"spec": {"containers": [container | written]}})
    assert found.worker.template["spec"]["containers"] == [container | kept]


def at(clock):
    return datetime.fromisoformat(f"2019-07-09T{clock}+00:00").astimezone(UTC)


def test_the_status_is_that_of_the_documents_transcript():
    found = job(cleanPodPolicy="Running", slotsPerWorker=2)
    done = End(True, "CompletionsReached", "", at("22:17:06"))
    told = {}
    for clock, world in {
        "22:15:51": worlds.fresh(found),
        "22:15:54": worlds.running(found),
        "22:17:06": worlds.running(found, launcher=worlds.launcher(end=done), launcher_pods=()),
    }.items():
        status = next_status(replace(world, job=found), at(clock))
        told = merged(told, versions.encode_status(status, found.identity.written_in))
        found = versions.job(manifest() | {"status": told})
    assert told == {
        "completionTime": "2019-07-09T22:17:06Z",
        "conditions": [
            {
                "lastTransitionTime": "2019-07-09T22:15:51Z",
                "lastUpdateTime": "2019-07-09T22:15:51Z",
                "message": "MPIJob default/pi is created.",
                "reason": "MPIJobCreated",
                "status": "True",
                "type": "Created",
            },
            {
                "lastTransitionTime": "2019-07-09T22:15:54Z",
                "lastUpdateTime": "2019-07-09T22:15:54Z",
                "message": "MPIJob default/pi is running.",
                "reason": "MPIJobRunning",
                "status": "False",
                "type": "Running",
            },
            {
                "lastTransitionTime": "2019-07-09T22:17:06Z",
                "lastUpdateTime": "2019-07-09T22:17:06Z",
                "message": "MPIJob default/pi successfully completed.",
                "reason": "MPIJobSucceeded",
                "status": "True",
                "type": "Succeeded",
            },
        ],
        "replicaStatuses": {"Launcher": {"succeeded": 1}, "Worker": {}},
        "startTime": "2019-07-09T22:15:51Z",
    }
