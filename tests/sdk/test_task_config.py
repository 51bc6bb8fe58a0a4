"""What a task's config makes of itself for Flyte, and which configs are refused."""

import pytest

from mpijob.sdk.task_config import (
    CleanPodPolicy,
    HorovodJob,
    Launcher,
    MPIJob,
    Resources,
    RestartPolicy,
    RunPolicy,
    Worker,
    base_command,
    check,
    get_command,
    get_custom,
    gpu_count,
    requests_and_limits,
    slot_count,
    worker_count,
)

DOCUMENTS = MPIJob(num_workers=2, num_launcher_replicas=1, slots=1)
NEW_STYLE = MPIJob(
    worker=Worker(
        replicas=3,
        image="registry/train:1",
        requests=Resources(cpu=1, mem="2Gi"),
        limits=Resources(gpu="2", ephemeral_storage="1Gi"),
        restart_policy=RestartPolicy.FAILURE,
        command=["sshd"],
    ),
    launcher=Launcher(replicas=1, restart_policy=RestartPolicy.NEVER),
    run_policy=RunPolicy(CleanPodPolicy.ALL, 60, 3600, 2),
    slots=4,
)
HOROVOD = HorovodJob(worker=Worker(replicas=2), launcher=Launcher(replicas=1), slots=2)

CUSTOM = {
    "the document's": (
        DOCUMENTS,
        {
            "workerReplicas": {"replicas": 2, "resources": {}},
            "launcherReplicas": {"replicas": 1, "resources": {}},
            "slots": 1,
        },
    ),
    "all that the new style can say": (
        NEW_STYLE,
        {
            "workerReplicas": {
                "replicas": 3,
                "image": "registry/train:1",
                "restartPolicy": "RESTART_POLICY_ON_FAILURE",
                "command": ["sshd"],
                "resources": {
                    "requests": [
                        {"name": "CPU", "value": "1"},
                        {"name": "MEMORY", "value": "2Gi"},
                    ],
                    "limits": [
                        {"name": "GPU", "value": "2"},
                        {"name": "EPHEMERAL_STORAGE", "value": "1Gi"},
                    ],
                },
            },
            "launcherReplicas": {"replicas": 1, "resources": {}},
            "slots": 4,
            "runPolicy": {
                "cleanPodPolicy": "CLEANPOD_POLICY_ALL",
                "ttlSecondsAfterFinished": 60,
                "activeDeadlineSeconds": 3600,
                "backoffLimit": 2,
            },
        },
    ),
    "a run policy that says nothing": (
        MPIJob(num_workers=1, num_launcher_replicas=1, run_policy=RunPolicy()),
        {
            "workerReplicas": {"replicas": 1, "resources": {}},
            "launcherReplicas": {"replicas": 1, "resources": {}},
            "slots": 1,
            "runPolicy": {},
        },
    ),
}


@pytest.mark.parametrize(("config", "custom"), CUSTOM.values(), ids=CUSTOM)
def test_the_payload_of(config, custom):
    assert get_custom(config) == custom


COMMANDS = {
    "an MPI job": (
        DOCUMENTS,
        (
            "mpirun --allow-run-as-root -bind-to none -map-by slot -x LD_LIBRARY_PATH -x PATH "
            "-x NCCL_DEBUG=INFO -mca pml ob1 -mca btl ^openib -np 2 "
            "python /opt/venv/bin/entrypoint.py pyflyte-execute"
        ),
    ),
    "as many ranks as there are slots": (
        NEW_STYLE,
        (
            "mpirun --allow-run-as-root -bind-to none -map-by slot -x LD_LIBRARY_PATH -x PATH "
            "-x NCCL_DEBUG=INFO -mca pml ob1 -mca btl ^openib -np 12 "
            "python /opt/venv/bin/entrypoint.py pyflyte-execute"
        ),
    ),
    "a Horovod job, without Python": (
        HOROVOD,
        (
            "horovodrun -np 4 --log-level INFO --network-interface eth0 --min-np 4 --max-np 4 "
            "--slots-per-host 2 --host-discovery-script /etc/mpi/discover_hosts.sh "
            "--elastic-timeout 1200 pyflyte-execute"
        ),
    ),
    "a Horovod job that tells what it does": (
        HorovodJob(num_workers=1, num_launcher_replicas=1, verbose=True, log_level="DEBUG"),
        (
            "horovodrun -np 1 --log-level DEBUG --network-interface eth0 --min-np 1 --max-np 1 "
            "--slots-per-host 1 --host-discovery-script /etc/mpi/discover_hosts.sh "
            "--elastic-timeout 1200 --verbose pyflyte-execute"
        ),
    ),
}


@pytest.mark.parametrize(("config", "line"), COMMANDS.values(), ids=COMMANDS)
def test_the_command_of(config, line):
    assert get_command(config, ["pyflyte-execute"]) == line.split()


def test_the_command_of_a_task_in_one_process():
    assert " ".join(base_command("train", "mpi_task")) == (
        "pyflyte-execute --inputs {{.input}} --output-prefix {{.outputPrefix}} "
        "--raw-output-data-prefix {{.rawOutputDataPrefix}} "
        "--checkpoint-path {{.checkpointOutputPrefix}} --prev-checkpoint {{.prevCheckpointPrefix}} "
        "--resolver flytekit.core.python_auto_container.default_task_resolver "
        "-- task-module train task-name mpi_task"
    )


REFUSED = {
    "workers said twice": (
        MPIJob(num_workers=2, worker=Worker(replicas=2), num_launcher_replicas=1),
        "number of workers is given twice",
    ),
    "workers not said": (MPIJob(num_launcher_replicas=1), "number of workers is not given"),
    "launchers said twice": (
        MPIJob(num_workers=2, num_launcher_replicas=1, launcher=Launcher(replicas=1)),
        "number of launchers is given twice",
    ),
    "launchers not said": (HorovodJob(num_workers=2), "number of launchers is not given"),
}


@pytest.mark.parametrize(("config", "told"), REFUSED.values(), ids=REFUSED)
def test_a_config_is_refused_with(config, told):
    with pytest.raises(ValueError, match=told):
        check(config)


def test_a_config_that_says_each_number_once_is_good():
    check(NEW_STYLE)


@pytest.mark.parametrize("count", [0, -1])
def test_a_job_has_a_worker(count):
    with pytest.raises(ValueError, match=f"at least 1 worker, not {count}"):
        worker_count(MPIJob(num_workers=count, num_launcher_replicas=1))


def test_a_worker_has_a_slot():
    with pytest.raises(ValueError, match="at least 1 slot, not 0"):
        slot_count(MPIJob(num_workers=1, slots=0))


SLOTS = {
    "those that are given, whatever the GPUs": (MPIJob(num_workers=1, slots=3), 2, 3),
    "those of its GPUs, where none are given": (MPIJob(num_workers=1), 2, 2),
    "one, where nothing is said": (MPIJob(num_workers=1), 0, 1),
}


@pytest.mark.parametrize(("config", "gpus", "slots"), SLOTS.values(), ids=SLOTS)
def test_the_slots_of_a_worker_are(config, gpus, slots):
    assert slot_count(config, gpus) == slots


def test_a_worker_s_own_resources_say_its_gpus():
    config = MPIJob(worker=Worker(replicas=1, limits=Resources(gpu="4")))
    assert gpu_count(config, Resources(gpu=1), None) == 4


def test_a_task_s_resources_say_a_worker_s_gpus_where_it_says_none():
    assert gpu_count(DOCUMENTS, None, Resources(gpu=2)) == 2


WRONG = {
    "a list of bytes": (lambda: Resources(cpu=b"1"), TypeError),
    "memory in halves": (lambda: Resources(mem=0.5), TypeError),
    "three of a pair": (lambda: Resources(cpu=("1", "2", "3")), ValueError),
}


@pytest.mark.parametrize(("make", "raised"), WRONG.values(), ids=WRONG)
def test_no_resources_are(make, raised):
    with pytest.raises(raised, match=r"^Resources: "):
        make()


def test_a_role_says_a_request_or_a_limit_not_both_in_one():
    config = MPIJob(worker=Worker(replicas=1, limits=Resources(cpu=("1", "2"))))
    with pytest.raises(ValueError, match="a request and a limit"):
        get_custom(config)


SAID = {
    "apart": ((None, Resources(cpu=1), Resources(cpu=2)), (Resources(cpu=1), Resources(cpu=2))),
    "in one, a request and a limit": (
        (Resources(cpu=("1", "2"), mem="1Gi"), None, None),
        (Resources(cpu="1", mem="1Gi"), Resources(cpu="2")),
    ),
    "not at all": ((None, None, None), (None, None)),
}


@pytest.mark.parametrize(("said", "want"), SAID.values(), ids=SAID)
def test_requests_and_limits_said(said, want):
    assert requests_and_limits(*said) == want


TWICE = {
    "in both ways": (Resources(cpu=1), Resources(cpu=1), None),
    "as a pair where one is to be": (None, Resources(cpu=("1", "2")), None),
}


@pytest.mark.parametrize("said", TWICE.values(), ids=TWICE)
def test_requests_and_limits_are_not_said(said):
    with pytest.raises(ValueError, match="request"):
        requests_and_limits(*said)
