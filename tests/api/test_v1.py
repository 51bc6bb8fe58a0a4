"""What a v1 job means, whichever of its two operators it was written for."""

import pytest

from mpijob.api import versions
from mpijob.core.job import CleanPodPolicy, Rejected, RestartPolicy

CONTAINER = {"name": "mpi", "image": "i"}
MPIRUN = ["mpirun", "-np", "2", "python", "train.py"]


def pod(**more):
    return {"spec": {"containers": [CONTAINER | more]}}


def manifest(roles=None, **spec):
    usual = {"Launcher": {"template": pod()}, "Worker": {"replicas": 2, "template": pod()}}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "MPIJob",
        "metadata": {"name": "pi", "namespace": "team"},
        "spec": {"mpiReplicaSpecs": usual | (roles or {}), **spec},
    }


def job(roles=None, **spec):
    return versions.job(manifest(roles, **spec))


POLICIES = {
    "nothing said": ({}, CleanPodPolicy.NONE),
    "at the top, as mpi-operator has it": ({"cleanPodPolicy": "Running"}, CleanPodPolicy.RUNNING),
    "in the run policy, as the training-operator has it": (
        {"runPolicy": {"cleanPodPolicy": "All"}},
        CleanPodPolicy.ALL,
    ),
    "in both: the run policy's": (
        {"cleanPodPolicy": "Running", "runPolicy": {"cleanPodPolicy": "All"}},
        CleanPodPolicy.ALL,
    ),
}


@pytest.mark.parametrize(("spec", "want"), POLICIES.values(), ids=POLICIES)
def test_which_pods_go(spec, want):
    assert job(**spec).run_policy.clean_pods is want


def with_restarts(launcher, worker):
    return {
        "Launcher": {"template": pod(), "restartPolicy": launcher},
        "Worker": {"replicas": 2, "template": pod(), "restartPolicy": worker},
    }


RESTARTS = {
    "nothing said: never": (with_restarts(None, None), ("Never", "Never", 0)),
    "by exit code: never": (with_restarts("ExitCode", "ExitCode"), ("Never", "Never", 0)),
    "a launcher always: on failure": (
        with_restarts("Always", "Always"),
        ("OnFailure", "Always", None),
    ),
    "on failure": (with_restarts("OnFailure", "OnFailure"), ("OnFailure", "OnFailure", None)),
}


@pytest.mark.parametrize(("roles", "want"), RESTARTS.values(), ids=RESTARTS)
def test_restarts_and_tries(roles, want):
    found = job(roles)
    assert (
        found.launcher.restart_policy,
        found.worker.restart_policy,
        found.run_policy.backoff_limit,
    ) == want


def test_tries_that_are_said_count():
    assert job(runPolicy={"backoffLimit": 3}).run_policy.backoff_limit == 3


def test_a_job_may_have_no_workers():
    assert job({"Worker": {"replicas": 0, "template": pod()}}).worker is None


def test_a_launcher_with_gpus_runs_ranks():
    gpus = {"Launcher": {"template": pod(resources={"limits": {"nvidia.com/gpu": 1}})}}
    assert (job(gpus).run_launcher_as_worker, job().run_launcher_as_worker) == (True, False)


def test_a_worker_does_not_run_the_launchers_command_line():
    """Flyte writes it into both, as arguments alone."""
    found = job({role: {"template": pod(args=MPIRUN)} for role in ("Launcher", "Worker")})
    launcher = found.launcher.template["spec"]["containers"][0]
    assert (launcher["args"], found.worker) == (MPIRUN, None)
    found = job(
        {
            "Launcher": {"template": pod(args=MPIRUN)},
            "Worker": {"replicas": 1, "template": pod(args=MPIRUN)},
        }
    )
    assert found.worker.template["spec"]["containers"] == [CONTAINER]


SSHD = ["/usr/sbin/sshd", "-De"]
WORKERS_ARGUMENTS = {
    "its own, of a job by ssh": ("ssh", SSHD, SSHD),
    "the launcher's, of a job by ssh": ("ssh", MPIRUN, None),
    "its own, of a job by exec": ("exec", SSHD, None),
}


@pytest.mark.parametrize(
    ("transport", "args", "want"), WORKERS_ARGUMENTS.values(), ids=WORKERS_ARGUMENTS
)
def test_a_worker_that_ssh_is_to_reach_runs_arguments_of_its_own(transport, args, want):
    roles = {
        "Launcher": {"template": pod(args=MPIRUN)},
        "Worker": {"replicas": 1, "template": pod(args=args)},
    }
    made = manifest(roles)
    made["metadata"]["annotations"] = {"mpijob.dev/transport": transport}
    found = versions.job(made).worker.template["spec"]["containers"][0]
    assert found.get("args") == want


def flytes(args, workers=2, **spec):
    """Return the slots of a job that Flyte's backend made."""
    container = pod(args=args, env=[{"name": "FLYTE_INTERNAL_EXECUTION_ID", "value": "f1"}])
    roles = {
        "Launcher": {"template": container},
        "Worker": {"replicas": workers, "template": container},
    }
    return job(roles, **{"slotsPerWorker": 1, **spec}).slots_per_worker


HOROVODRUN = ["horovodrun", "-np", "6", "--min-np", "6", "--slots-per-host", "3", "python", "t.py"]
SLOTS = {
    "as many ranks as workers": (flytes(MPIRUN), 1),
    "two ranks a worker": (flytes(["mpirun", "-np", "4", "python", "t.py"]), 2),
    "by horovodrun": (flytes(HOROVODRUN), 3),
    "no multiple of the workers": (flytes(["mpirun", "-np", "5", "python", "t.py"]), 1),
    "as said, where anything is said": (flytes(MPIRUN, slotsPerWorker=4), 4),
    "no command line that is known": (flytes(["python", "-np", "4"]), 1),
    "a job that is not Flyte's": (
        job({"Launcher": {"template": pod(args=["mpirun", "-np", "4", "t"])}}).slots_per_worker,
        1,
    ),
}


@pytest.mark.parametrize(("found", "want"), SLOTS.values(), ids=SLOTS)
def test_flytes_jobs_have_the_slots_that_their_command_line_counts_on(found, want):
    assert found == want


WRONG = {
    "a role that is none": (
        job({"Master": {"template": pod()}}),
        ["spec.mpiReplicaSpecs[Master]"],
    ),
    "two launchers": (
        job({"Launcher": {"replicas": 2, "template": pod()}}),
        ["spec.mpiReplicaSpecs[Launcher].replicas"],
    ),
    "a container without an image": (
        job({"Launcher": {"template": {"spec": {"containers": [{"name": "c"}]}}}}),
        ["spec.mpiReplicaSpecs[Launcher].template.spec.containers[0].image"],
    ),
    "another version's manager": (
        job(runPolicy={"managedBy": "kubeflow.org/mpi-operator"}),
        ["spec.runPolicy.managedBy"],
    ),
}


@pytest.mark.parametrize(("found", "fields"), WRONG.values(), ids=WRONG)
def test_what_is_wrong(found, fields):
    assert isinstance(found, Rejected)
    assert [problem.field for problem in found.problems] == fields


def test_its_manager_is_the_training_operator():
    named = {"managedBy": "kubeflow.org/training-operator"}
    assert job(runPolicy=named).run_policy.managed_by == named["managedBy"]


def test_a_worker_starts_never_again_unless_told():
    assert job().worker.restart_policy is RestartPolicy.NEVER
