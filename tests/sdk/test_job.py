"""The MPIJob that a task's config means."""

import pytest

from mpijob.api import versions
from mpijob.core.job import MPIJob as Job
from mpijob.sdk import (
    CleanPodPolicy,
    HorovodJob,
    Launcher,
    MPIJob,
    Resources,
    RestartPolicy,
    RunPolicy,
    Worker,
)
from mpijob.sdk.job import Wanted, manifest, rank_count

TWO = MPIJob(num_workers=2, num_launcher_replicas=1)


def containers(wanted):
    """Return the containers of a wanted job, by role."""
    replicas = manifest(wanted)["spec"]["mpiReplicaSpecs"]
    return {role: each["template"]["spec"]["containers"][0] for role, each in replicas.items()}


def test_a_worker_has_the_task_s_resources_and_the_launcher_its_own():
    requests, limits = Resources(cpu="1", mem="3000Mi"), Resources(cpu="2", gpu=1)
    found = containers(Wanted("fit", TWO, ["true"], requests, limits))
    assert {role: container.get("resources") for role, container in found.items()} == {
        "Launcher": None,
        "Worker": {
            "requests": {"cpu": "1", "memory": "3000Mi"},
            "limits": {"cpu": "2", "nvidia.com/gpu": "1"},
        },
    }


def test_a_role_s_own_config_goes_before_the_task_s():
    config = MPIJob(
        worker=Worker(replicas=1, image="worker:1", requests=Resources(cpu=2)),
        launcher=Launcher(replicas=1, image="launcher:1", limits=Resources(mem="1Gi")),
    )
    found = containers(Wanted("fit", config, ["true"], Resources(cpu=1), image="task:1"))
    assert {role: (c["image"], c["resources"]) for role, c in found.items()} == {
        "Launcher": ("launcher:1", {"limits": {"memory": "1Gi"}}),
        "Worker": ("worker:1", {"requests": {"cpu": "2"}}),
    }


COMMANDS = {
    "a rank for every slot": (
        MPIJob(num_workers=2, num_launcher_replicas=1, slots=3),
        ["mpirun", "-n", "6", "fit"],
    ),
    "slots that follow the GPUs": (
        MPIJob(worker=Worker(replicas=2, limits=Resources(gpu=4)), num_launcher_replicas=1),
        ["mpirun", "-n", "8", "fit"],
    ),
    "a launcher with a command of its own": (
        MPIJob(num_workers=1, launcher=Launcher(replicas=1, command=["sleep", "1"])),
        ["sleep", "1"],
    ),
}


@pytest.mark.parametrize(("config", "command"), COMMANDS.values(), ids=COMMANDS)
def test_the_launcher_runs(config, command):
    assert containers(Wanted("fit", config, ["fit"]))["Launcher"]["command"] == command


def test_a_horovod_job_runs_horovodrun():
    config = HorovodJob(worker=Worker(replicas=2), launcher=Launcher(replicas=1), slots=2)
    command = containers(Wanted("fit", config, ["fit"]))["Launcher"]["command"]
    assert (command[:3], command[-1]) == (["horovodrun", "-np", "4"], "fit")


POLICIES = {
    "what nobody said": (
        RunPolicy(),
        None,
        {"cleanPodPolicy": "Running", "backoffLimit": 0},
    ),
    "all that can be said": (
        RunPolicy(CleanPodPolicy.ALL, 60, 3600, 2),
        None,
        {
            "cleanPodPolicy": "All",
            "backoffLimit": 2,
            "ttlSecondsAfterFinished": 60,
            "activeDeadlineSeconds": 3600,
        },
    ),
    "a task's timeout before the job's": (
        RunPolicy(active_deadline_seconds=3600),
        5,
        {"cleanPodPolicy": "Running", "backoffLimit": 0, "activeDeadlineSeconds": 5},
    ),
}


@pytest.mark.parametrize(("policy", "timeout_s", "want"), POLICIES.values(), ids=POLICIES)
def test_the_run_policy_is(policy, timeout_s, want):
    config = MPIJob(num_workers=1, num_launcher_replicas=1, run_policy=policy)
    made = manifest(Wanted("fit", config, ["true"], timeout_s=timeout_s))
    assert made["spec"]["runPolicy"] == want


def test_what_is_made_is_a_sound_job():
    config = MPIJob(
        worker=Worker(replicas=2, restart_policy=RestartPolicy.FAILURE),
        launcher=Launcher(replicas=1, restart_policy=RestartPolicy.FAILURE),
        slots=2,
    )
    wanted = Wanted("fit", config, ["fit"], image="train:1", environment={"A": "1"}, namespace="ml")
    made = manifest(wanted)
    made["metadata"] |= {"name": "fit-abcde"}
    job = versions.job(made)
    assert isinstance(job, Job)
    assert job.worker_count * job.slots_per_worker == rank_count(wanted)
