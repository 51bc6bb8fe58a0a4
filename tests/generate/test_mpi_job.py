"""The jobs that mpi-job-simple and mpi-job-custom make."""

import pytest

from mpijob.api import versions
from mpijob.core.allocation import UnitDefaults
from mpijob.core.version import Version
from mpijob.generate.mpi_job import CUSTOM, GPUS_PER_NODE, IMAGE, SIMPLE
from mpijob.generate.parameters import WrongParameters
from mpijob.generate.prototype import Setting, parameter_lines

OLD = Setting("team", Version.V1ALPHA1)
#: What the document says of the parameters.
DESCRIBED = {
    "simple": (
        SIMPLE,
        {
            "name": ("Name to give to each of the components", "string", None),
            "gpus": ("Total number of GPUs for the job; default to 1", "number", "1"),
            "image": ("The image to user for the job", "string", IMAGE),
            "command": ("Command to pass to the job", "string", "null"),
            "args": ("Comma separated list of arguments to pass to the job", "string", "null"),
        },
    ),
    "custom": (
        CUSTOM,
        {
            "name": ("Name to give to each of the components", "string", None),
            "replicas": ("Total number of replicas for the job; default to 1", "number", "1"),
            "gpusPerReplica": ("Total number of GPUs per replica; default to 1", "number", "1"),
            "image": ("The image to user for the job", "string", IMAGE),
            "command": ("Command to pass to the job", "string", "null"),
            "args": ("Comma separated list of arguments to pass to the job", "string", "null"),
        },
    ),
}


@pytest.mark.parametrize(("prototype", "said"), DESCRIBED.values(), ids=DESCRIBED)
def test_parameters_are_those_of_the_document(prototype, said):
    table = {
        one.name: (one.description, str(one.type), one.default) for one in prototype.parameters
    }
    assert {name: table[name] for name in said} == said


def test_a_parameters_line():
    assert parameter_lines(SIMPLE.parameters[1:2]) == (
        "  --gpus=<gpus> Total number of GPUs for the job; default to 1 [default: 1, type: number]"
    )


def _made(prototype, setting=OLD, **given):
    [job] = prototype.manifests({"name": "a-job", **given}, setting)
    return job


def test_a_simple_job_of_defaults():
    assert _made(SIMPLE) == {
        "apiVersion": "kubeflow.org/v1alpha1",
        "kind": "MPIJob",
        "metadata": {"name": "a-job", "namespace": "team"},
        "spec": {
            "gpus": 1,
            "template": {"spec": {"containers": [{"name": "a-job", "image": IMAGE}]}},
        },
    }


def test_a_custom_job_of_defaults():
    assert _made(CUSTOM) == {
        "apiVersion": "kubeflow.org/v1alpha1",
        "kind": "MPIJob",
        "metadata": {"name": "a-job", "namespace": "team"},
        "spec": {
            "replicas": 1,
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "a-job",
                            "image": IMAGE,
                            "resources": {"limits": {"nvidia.com/gpu": 1}},
                        }
                    ]
                }
            },
        },
    }


def _container(job):
    return job["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("prototype", [SIMPLE, CUSTOM], ids=["simple", "custom"])
def test_command_and_arguments_are_split_at_commas(prototype):
    container = _container(_made(prototype, command="mpirun,-mca,x", args="--a,--b=1"))
    assert (container["command"], container["args"]) == (["mpirun", "-mca", "x"], ["--a", "--b=1"])


def test_the_documents_sixteen_gpus_are_two_workers_of_eight_for_its_operator():
    job = versions.job(_made(SIMPLE, gpus="16"), UnitDefaults(gpus_per_node=GPUS_PER_NODE))
    limits = job.worker.template["spec"]["containers"][0]["resources"]["limits"]
    assert (job.worker_count, job.slots_per_worker, limits) == (2, 8, {"nvidia.com/gpu": 8})


def test_a_claim_and_a_path_make_a_volume():
    pod = _made(CUSTOM, pvcName="data", volumeMountPath="/data")["spec"]["template"]["spec"]
    assert (pod["volumes"], pod["containers"][0]["volumeMounts"]) == (
        [{"name": "persistent-storage", "persistentVolumeClaim": {"claimName": "data"}}],
        [{"name": "persistent-storage", "mountPath": "/data"}],
    )


HALVES = {"a claim": {"pvcName": "data"}, "a path": {"volumeMountPath": "/data"}}


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_half_a_volume_is_none(half):
    assert _made(CUSTOM, **half) == _made(CUSTOM)


LATER = [Version.V1ALPHA2, Version.V1, Version.V2BETA1]
MEANT = {
    "simple": (SIMPLE, {"gpus": "16", "command": "mpirun,hostname"}),
    "custom": (
        CUSTOM,
        {
            "replicas": "3",
            "gpusPerReplica": "2",
            "pvcName": "data",
            "volumeMountPath": "/data",
            "args": "x",
        },
    ),
}


def _meaning(job):
    job = versions.job(job, UnitDefaults(gpus_per_node=GPUS_PER_NODE))
    worker = dict(job.worker.template["spec"]["containers"][0])
    launcher = job.launcher.template["spec"]["containers"][0]
    restarts = job.launcher.restart_policy
    return (
        job.worker_count,
        job.slots_per_worker,
        (job.run_policy.clean_pods, job.run_policy.backoff_limit or 6, restarts),
        worker,
        launcher,
    )


@pytest.mark.parametrize("version", LATER)
@pytest.mark.parametrize(("prototype", "given"), MEANT.values(), ids=MEANT)
def test_a_job_means_the_same_in_every_version(prototype, given, version):
    old, new = _made(prototype, **given), _made(prototype, Setting("team", version), **given)
    assert (new["apiVersion"], _meaning(new)) == (version.api_version, _meaning(old))


@pytest.mark.parametrize("version", LATER)
def test_a_job_of_a_later_version_keeps_no_file_that_nobody_wrote(version):
    assert _made(SIMPLE, Setting("team", version))["metadata"] == {
        "name": "a-job",
        "namespace": "team",
    }


WRONG = {
    "three GPUs": (SIMPLE, {"gpus": "3"}, "parameter gpus: must be 1, 2, 4 or a multiple of 8"),
    "twelve GPUs": (SIMPLE, {"gpus": "12"}, "parameter gpus: must be 1, 2, 4 or a multiple of 8"),
    "no GPU": (SIMPLE, {"gpus": "0"}, "parameter gpus: 0 is too small"),
    "no workers": (CUSTOM, {"replicas": "0"}, "parameter replicas: 0 is too small"),
    "GPUs in words": (CUSTOM, {"gpusPerReplica": "two"}, "parameter gpusPerReplica: “two” is not"),
    "replicas of a simple job": (SIMPLE, {"replicas": "2"}, "parameter replicas: there is no such"),
    "a name too long for workers": (CUSTOM, {"name": "a" * 60}, "parameter name: "),
    "too many workers": (CUSTOM, {"replicas": "99999999999"}, "parameter replicas: "),
    "a path that is none": (
        CUSTOM,
        {"pvcName": "data", "volumeMountPath": "/etc/mpi"},
        "parameter volumeMountPath: ",
    ),
}


@pytest.mark.parametrize(("prototype", "given", "said"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("version", [Version.V1ALPHA1, Version.V2BETA1])
def test_what_makes_no_sound_job_is_told_by_the_parameters_name(prototype, given, said, version):
    with pytest.raises(WrongParameters) as wrong:
        prototype.manifests({"name": "a-job", **given}, Setting("team", version))
    assert str(wrong.value).startswith(said)
