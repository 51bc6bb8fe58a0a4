"""A task's template to the job that Flyte's backend makes of it."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.api import versions
from mpijob.core.job import CleanPodPolicy, MPIJob, Rejected
from mpijob.flyte import translate
from mpijob.flyte.template import BadTaskSpecification, Execution, Paths, Platform, read
from mpijob.sdk import task_config
from mpijob.sdk.task_config import (
    HorovodJob,
    Launcher,
    Resources,
    RestartPolicy,
    RunPolicy,
    Worker,
)

DOCUMENTS = task_config.MPIJob(num_workers=2, num_launcher_replicas=1, slots=1)
ASKED = {
    "requests": [{"name": "CPU", "value": "1"}, {"name": "MEMORY", "value": "3000Mi"}],
    "limits": [{"name": "CPU", "value": "2"}, {"name": "MEMORY", "value": "6000Mi"}],
}
PATHS = Paths("in/inputs.pb", "in", "out", "raw", "check", "")
EXECUTION = Execution(
    "f1-n0-0",
    "flyte-dev",
    labels={"domain": "development"},
    annotations={"team": "a"},
    service_account="runner",
    environment={"MODE": "fast"},
    id=("f1", "flyte", "development"),
    task=("flyte", "development", "train.fit", "v1"),
    attempt=1,
    paths=PATHS,
)


def template(task=DOCUMENTS, **changes):
    """Return the template of a task, as flytekit writes it with its plugin."""
    command = task_config.get_command(task, task_config.base_command("train", "fit"))
    said = {
        "type": "mpi",
        "taskTypeVersion": 1,
        # A Struct of protobuf has no whole numbers.
        "custom": _floating(task_config.get_custom(task)),
        "container": {
            "image": "example.com/train:1",
            "args": command,
            "env": [{"key": "A", "value": "b"}],
            "resources": ASKED,
        },
    }
    return read({**said, **changes})


def _floating(value):
    match value:
        case int():
            return float(value)
        case dict():
            return {key: _floating(inner) for key, inner in value.items()}
        case _:
            return value


def job(task=DOCUMENTS, execution=EXECUTION, **changes):
    return translate.job(template(task, **changes), execution)


def role(made, name):
    return made["spec"]["mpiReplicaSpecs"][name]


def container(made, name):
    return role(made, name)["template"]["spec"]["containers"][0]


LINE = shlex.split("""
mpirun --allow-run-as-root -bind-to none -map-by slot -x LD_LIBRARY_PATH -x PATH -x NCCL_DEBUG=INFO
-mca pml ob1 -mca btl ^openib -np 2 python /opt/venv/bin/entrypoint.py
pyflyte-execute --inputs in/inputs.pb --output-prefix out --raw-output-data-prefix raw
--checkpoint-path check --prev-checkpoint ''
--resolver flytekit.core.python_auto_container.default_task_resolver
-- task-module train task-name fit
""")
VARIABLES = {
    "A": "b",
    "FLYTE_INTERNAL_EXECUTION_ID": "f1",
    "FLYTE_INTERNAL_EXECUTION_PROJECT": "flyte",
    "FLYTE_INTERNAL_EXECUTION_DOMAIN": "development",
    "FLYTE_ATTEMPT_NUMBER": "1",
    "FLYTE_INTERNAL_TASK_PROJECT": "flyte",
    "FLYTE_INTERNAL_TASK_DOMAIN": "development",
    "FLYTE_INTERNAL_TASK_NAME": "train.fit",
    "FLYTE_INTERNAL_TASK_VERSION": "v1",
    "MODE": "fast",
}
POD = {
    "metadata": {"labels": {"domain": "development"}, "annotations": {"team": "a"}},
    "spec": {
        "containers": [
            {
                "name": "mpi",
                "image": "example.com/train:1",
                "args": LINE,
                "env": [{"name": name, "value": value} for name, value in VARIABLES.items()],
                "resources": {
                    "requests": {"cpu": "1", "memory": "3000Mi"},
                    "limits": {"cpu": "2", "memory": "6000Mi"},
                },
                "terminationMessagePolicy": "FallbackToLogsOnError",
            }
        ],
        "restartPolicy": "Never",
        "serviceAccountName": "runner",
        "affinity": {},
    },
}


def test_the_documents_task_is_the_job_that_flytes_backend_makes():
    assert job() == {
        "apiVersion": "kubeflow.org/v1",
        "kind": "MPIJob",
        "metadata": {
            "name": "f1-n0-0",
            "namespace": "flyte-dev",
            "labels": {"domain": "development"},
            "annotations": {"team": "a"},
        },
        "spec": {
            "slotsPerWorker": 1,
            "runPolicy": {},
            "mpiReplicaSpecs": {
                "Launcher": {"replicas": 1, "template": POD, "restartPolicy": "Never"},
                "Worker": {"replicas": 2, "template": POD, "restartPolicy": "Never"},
            },
        },
    }


def test_it_is_a_job_that_runs_here_its_workers_idle():
    found = versions.job(job())
    assert isinstance(found, MPIJob)
    first = found.worker.template["spec"]["containers"][0]
    assert (found.worker_count, first.get("command"), first.get("args")) == (2, None, None)


def with_roles(**changes):
    return task_config.MPIJob(
        worker=Worker(replicas=2, **changes), launcher=Launcher(replicas=1, **changes)
    )


RESTARTS = {
    None: "Never",
    RestartPolicy.NEVER: "Never",
    RestartPolicy.FAILURE: "OnFailure",
    RestartPolicy.ALWAYS: "Always",
}


@pytest.mark.parametrize(("said", "want"), RESTARTS.items())
def test_a_restart_policy_becomes(said, want):
    made = job(with_roles(restart_policy=said))
    assert {role(made, name)["restartPolicy"] for name in ("Launcher", "Worker")} == {want}


CLEANS = {
    None: "None",
    task_config.CleanPodPolicy.NONE: "None",
    task_config.CleanPodPolicy.RUNNING: "Running",
    task_config.CleanPodPolicy.ALL: "All",
}


@pytest.mark.parametrize(("said", "want"), CLEANS.items())
def test_a_clean_pod_policy_becomes(said, want):
    made = job(DOCUMENTS, custom=policy({"cleanPodPolicy": NAMES[said]} if said else {}))
    found = made["spec"]["runPolicy"]["cleanPodPolicy"]
    assert (found, versions.job(made).run_policy.clean_pods) == (want, CleanPodPolicy(want))


NAMES = {policy: f"CLEANPOD_POLICY_{policy.name}" for policy in task_config.CleanPodPolicy}


def policy(said):
    return {**task_config.get_custom(DOCUMENTS), "runPolicy": said}


def test_of_a_run_policy_what_is_zero_is_unsaid():
    limits = RunPolicy(ttl_seconds_after_finished=60, active_deadline_seconds=0, backoff_limit=2)
    config = task_config.MPIJob(num_workers=2, num_launcher_replicas=1, run_policy=limits)
    assert job(config)["spec"]["runPolicy"] == {
        "cleanPodPolicy": "None",
        "ttlSecondsAfterFinished": 60,
        "backoffLimit": 2,
    }


def test_enums_may_be_numbers():
    custom = {
        "workerReplicas": {"replicas": 1, "restartPolicy": 2},
        "runPolicy": {"cleanPodPolicy": 1},
    }
    made = job(custom=custom)
    assert (
        role(made, "Worker")["restartPolicy"],
        made["spec"]["runPolicy"]["cleanPodPolicy"],
    ) == ("Always", "Running")


def test_a_roles_command_becomes_its_arguments():
    config = task_config.MPIJob(
        launcher=Launcher(replicas=1), worker=Worker(replicas=1, command=["sshd", "-De"])
    )
    made = job(config)
    assert (container(made, "Worker")["args"], container(made, "Launcher")["args"][0]) == (
        ["sshd", "-De"],
        "mpirun",
    )


def test_a_role_may_have_an_image_and_amounts_of_its_own():
    worker = Worker(replicas=1, image="example.com/gpu:1", limits=Resources(gpu="2", cpu="4"))
    made = job(task_config.MPIJob(launcher=Launcher(replicas=1), worker=worker))
    found = container(made, "Worker")
    assert (found["image"], found["resources"], container(made, "Launcher")) == (
        "example.com/gpu:1",
        {
            "requests": {"cpu": "1", "memory": "3000Mi", "nvidia.com/gpu": "2"},
            "limits": {"cpu": "4", "memory": "6000Mi", "nvidia.com/gpu": "2"},
        },
        POD["spec"]["containers"][0] | {"args": container(made, "Launcher")["args"]},
    )


def test_what_all_kinds_of_jobs_have_in_common_counts_before_a_roles_own_words():
    common = {"replicas": 3, "image": "i:2", "restartPolicy": "RESTART_POLICY_ALWAYS"}
    made = job(custom={"workerReplicas": {"replicas": 1, "image": "i:1", "common": common}})
    found = role(made, "Worker")
    assert (found["replicas"], found["restartPolicy"], container(made, "Worker")["image"]) == (
        3,
        "Always",
        "i:2",
    )


AMOUNTS = {
    "nothing said: the platform's": (
        {},
        {"requests": {"cpu": "3", "memory": "7Gi"}, "limits": {"cpu": "3", "memory": "7Gi"}},
    ),
    "a limit stands for the request": (
        {"limits": [{"name": "CPU", "value": "2"}]},
        {"requests": {"cpu": "2", "memory": "7Gi"}, "limits": {"cpu": "2", "memory": "7Gi"}},
    ),
    "no request is above its limit; zero is nothing": (
        {
            "requests": [{"name": "CPU", "value": "4"}, {"name": "MEMORY", "value": "0"}],
            "limits": [{"name": "CPU", "value": "500m"}],
        },
        {
            "requests": {"cpu": "500m", "memory": "7Gi"},
            "limits": {"cpu": "500m", "memory": "7Gi"},
        },
    ),
    "disk and GPUs where there are some": (
        {
            "requests": [
                {"name": "EPHEMERAL_STORAGE", "value": "1Gi"},
                {"name": "GPU", "value": "1"},
            ]
        },
        {
            kind: {"cpu": "3", "memory": "7Gi", "ephemeral-storage": "1Gi", "nvidia.com/gpu": "1"}
            for kind in ("requests", "limits")
        },
    ),
}


@pytest.mark.parametrize(("said", "want"), AMOUNTS.values(), ids=AMOUNTS)
def test_a_container_gets(said, want):
    task = template(container={"image": "i", "args": ["mpirun"], "resources": said})
    made = translate.job(task, EXECUTION, Platform(cpu="3", memory="7Gi"))
    assert container(made, "Worker")["resources"] == want


def accelerated(**said):
    """Return where the pods go of a task that asks for particular GPUs."""
    made = job(
        container={
            "image": "i",
            "resources": {"limits": [{"name": "GPU", "value": "1"}]},
        },
        extendedResources={"gpuAccelerator": said},
    )
    spec = role(made, "Worker")["template"]["spec"]
    nodes = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = nodes["nodeSelectorTerms"]
    return term["matchExpressions"], [taint["value"] for taint in spec.get("tolerations", ())]


DEVICE, PARTITION = "k8s.amazonaws.com/accelerator", "k8s.amazonaws.com/gpu-partition-size"
PLACES = {
    "a device": (
        accelerated(device="nvidia-tesla-t4"),
        ([{"key": DEVICE, "operator": "In", "values": ["nvidia-tesla-t4"]}], ["nvidia-tesla-t4"]),
    ),
    "a part of one": (
        accelerated(partitionSize="1g.5gb"),
        ([{"key": PARTITION, "operator": "In", "values": ["1g.5gb"]}], ["1g.5gb"]),
    ),
    "one that is whole": (
        accelerated(unpartitioned=True),
        ([{"key": PARTITION, "operator": "DoesNotExist"}], []),
    ),
}


@pytest.mark.parametrize(("found", "want"), PLACES.values(), ids=PLACES)
def test_pods_go_where_the_gpus_are_that_are_meant(found, want):
    assert found == want


def test_a_pod_without_gpus_goes_anywhere():
    made = job(extendedResources={"gpuAccelerator": {"device": "nvidia-tesla-t4"}})
    assert role(made, "Worker")["template"]["spec"]["affinity"] == {}


# A task with a template of a whole pod.

POD_TASK = {
    "container": None,
    "config": {"primary_container_name": "trainer"},
    "k8sPod": {
        "metadata": {"labels": {"tier": "gold"}},
        "podSpec": {
            "containers": [
                {"name": "proxy", "image": "p"},
                {"name": "trainer", "image": "t", "args": ["mpirun", "{{.outputPrefix}}"]},
            ],
            "serviceAccountName": "own",
            "nodeSelector": {"disk": "fast"},
        },
    },
}


def test_of_a_pod_template_the_primary_container_runs_the_task():
    found = role(job(**POD_TASK), "Launcher")["template"]
    names = [(one["name"], one.get("args")) for one in found["spec"]["containers"]]
    assert (names, found["spec"]["serviceAccountName"], found["metadata"]["labels"]) == (
        [("proxy", None), ("mpi", ["mpirun", "out"])],
        "own",
        {"tier": "gold", "domain": "development"},
    )


def test_amounts_of_a_pod_template_may_be_numbers_and_its_claims_stay():
    primary = {"name": "trainer", "image": "t"}
    primary["resources"] = {"requests": {"cpu": 2.0}, "claims": [{"name": "gpu"}]}
    pod = {"podSpec": {"containers": [primary]}}
    found = container(job(**POD_TASK | {"k8sPod": pod}), "Worker")["resources"]
    amounts = {"cpu": "2", "memory": "1Gi"}
    assert found == {"claims": [{"name": "gpu"}], "requests": amounts, "limits": amounts}


def test_every_container_of_a_pod_knows_where_it_is_executed():
    spec = role(job(**POD_TASK), "Worker")["template"]["spec"]
    assert {one["env"][0]["value"] for one in spec["containers"]} == {"f1"}


# Version 0, which flytekit wrote until 2023.


def first(**changes):
    custom = {"numWorkers": 2.0, "numLauncherReplicas": 1.0, "slots": 4.0}
    return job(**{"taskTypeVersion": 0, "custom": custom, **changes})


def test_in_version_0_workers_have_no_command_and_slots_count():
    made = first()
    found = container(made, "Worker")
    assert (
        made["spec"]["slotsPerWorker"],
        made["spec"]["runPolicy"],
        role(made, "Worker")["replicas"],
        "args" in found,
        container(made, "Launcher"),
    ) == (4, {}, 2, False, POD["spec"]["containers"][0])


def test_in_version_0_the_config_says_what_workers_run():
    made = first(config={"worker_spec_command": "/usr/sbin/sshd -De"})
    assert container(made, "Worker")["args"] == ["/usr/sbin/sshd", "-De"]


def test_in_version_0_there_may_be_many_launchers_which_v1_refuses():
    made = first(custom={"numWorkers": 1, "numLauncherReplicas": 3})
    assert (role(made, "Launcher")["replicas"], type(versions.job(made))) == (3, Rejected)


def test_placeholders_stay_where_somebody_else_fills_them_in():
    made = job(execution=Execution("f1", "d"))
    assert "{{.input}}" in container(made, "Launcher")["args"]


def test_a_job_of_horovodrun_has_the_slots_that_it_counts_on():
    config = HorovodJob(worker=Worker(replicas=2), launcher=Launcher(replicas=1), slots=2)
    assert versions.job(job(config)).slots_per_worker == 2


def test_the_owner_of_a_job_is_said_where_there_is_one():
    owner = {"kind": "flyteworkflow", "name": "f1", "uid": "u", "apiVersion": "flyte.lyft.com/v1"}
    made = job(execution=Execution("f1", "d", owner=owner))
    assert made["metadata"]["ownerReferences"] == [owner]


BAD = {
    "no workers": ({"custom": {}}, "number of workers must be greater than 0"),
    "no workers, in version 0": (
        {"taskTypeVersion": 0, "custom": {}},
        "number of workers must be greater than 0",
    ),
    "a version that is none": (
        {"taskTypeVersion": 2},
        r"Invalid TaskSpecification, unsupported task template version \[2\] key",
    ),
    "a payload of another shape": (
        {"custom": {"workerReplicas": {"replicas": "two"}}},
        "invalid TaskSpecification .*Expected `int`, got `str` - at `.*replicas`",
    ),
    "a policy that is none": (
        {"custom": {"workerReplicas": {"replicas": 1, "restartPolicy": "SOMETIMES"}}},
        "invalid TaskSpecification, .*unknown value 'SOMETIMES'",
    ),
    "an amount that is none": (
        {"container": {"image": "i", "resources": {"limits": [{"name": "CPU", "value": "much"}]}}},
        "invalid TaskSpecification on Resources: CPU: ",
    ),
    "nothing to run": (
        {"container": None},
        "invalid TaskSpecification, unable to determine Pod configuration",
    ),
    "a pod without a spec": (
        {"container": None, "k8sPod": {}},
        "should specify their target as a K8sPod with a defined pod spec",
    ),
    "a pod of which nobody says which container it is": (
        POD_TASK | {"config": {}},
        r"config missing \[primary_container_name\] key",
    ),
    "a pod that has no such container": (
        POD_TASK | {"config": {"primary_container_name": "main"}},
        r"primary container \[main\] not defined",
    ),
    "a template that is the cluster's": (
        {"metadata": {"podTemplateName": "gold"}},
        "PodTemplate 'gold' cannot be merged",
    ),
}


@pytest.mark.parametrize(("changes", "want"), BAD.values(), ids=BAD)
def test_there_is_no_job_for(changes, want):
    with pytest.raises(BadTaskSpecification, match=want):
        job(**changes)


# Whatever a template says, there is a job, or a word on why not.

odd = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["", "1", "1Gi", "x", 2.0]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "image", "requests", "cpu", "value"]), inner)
    ),
    max_leaves=6,
)
amounts = st.fixed_dictionaries({}, optional={"requests": odd, "limits": odd})
roles = st.fixed_dictionaries(
    {"replicas": st.sampled_from([1.0, 0, "2"])},
    optional={"restartPolicy": odd, "resources": amounts, "command": odd, "common": odd},
)
containers = st.fixed_dictionaries(
    {"name": st.sampled_from(["trainer", "proxy"])},
    optional={"args": odd, "env": odd, "resources": amounts | odd},
)
pod_tasks = st.fixed_dictionaries(
    {
        "taskTypeVersion": st.just(1),
        "custom": st.just({"workerReplicas": {"replicas": 1}}),
        "config": st.just({"primary_container_name": "trainer"}),
        "k8sPod": st.fixed_dictionaries(
            {"podSpec": st.fixed_dictionaries({"containers": st.lists(containers, min_size=1)})}
        ),
    }
)
odd_tasks = st.fixed_dictionaries(
    {
        "taskTypeVersion": st.sampled_from([0, 1, 1, 2]),
        "custom": st.fixed_dictionaries({"workerReplicas": roles}) | odd,
    },
    optional={
        "container": st.fixed_dictionaries({"image": st.just("i"), "resources": amounts}) | odd,
        "k8sPod": st.fixed_dictionaries(
            {"podSpec": st.fixed_dictionaries({"containers": st.lists(containers) | odd}) | odd}
        ),
        "config": st.just({"primary_container_name": "trainer"}) | odd,
        "extendedResources": odd,
    },
)


@given(odd_tasks | pod_tasks)
def test_of_any_template_a_job_is_made_or_it_is_said_why_not(said):
    try:
        made = translate.job(read(said), EXECUTION)
    except BadTaskSpecification:
        return
    assert made["kind"] == "MPIJob"
