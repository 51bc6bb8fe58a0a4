"""What is wrong with a job of one version, or is another version's, is named; nothing breaks."""

import itertools

import pytest

from mpijob.api import versions
from mpijob.core.finding import Severity
from mpijob.core.job import MPIJob, Rejected
from mpijob.core.version import Version
from mpijob.jobfile.inspection import manifest_findings

LIMITS = {"limits": {"cpu": "1", "memory": "1Gi"}}
CONTAINER = {"name": "c", "image": "i:1", "resources": LIMITS}
LAUNCHER = {"spec": {"containers": [{**CONTAINER, "command": ["mpirun", "x"]}]}}
ROLES = {
    "Launcher": {"replicas": 1, "template": LAUNCHER},
    "Worker": {"replicas": 2, "template": {"spec": {"containers": [CONTAINER]}}},
}
#: Every field of any version, with a sound value, and the versions that have it.
ALPHA1, ALPHA2, V1, BETA = Version.V1ALPHA1, Version.V1ALPHA2, Version.V1, Version.V2BETA1
FIELDS = {
    "gpus": (2, {ALPHA1}),
    "gpusPerNode": (1, {ALPHA1}),
    "processingUnits": (2, {ALPHA1}),
    "processingUnitsPerNode": (2, {ALPHA1}),
    "processingResourceType": ("cpu", {ALPHA1}),
    "launcherOnMaster": (True, {ALPHA1}),
    "replicas": (2, {ALPHA1}),
    "template": (LAUNCHER, {ALPHA1}),
    "backoffLimit": (1, {ALPHA1, ALPHA2}),
    "activeDeadlineSeconds": (60, {ALPHA1, ALPHA2}),
    "cleanPodPolicy": ("All", {ALPHA2, V1}),
    "mainContainer": ("c", {ALPHA2, V1}),
    "mpiDistribution": ("MPICH", {ALPHA2}),
    "runPolicy": ({"backoffLimit": 1}, {ALPHA2, V1, BETA}),
    "slotsPerWorker": (1, set(Version)),
    "mpiReplicaSpecs": (ROLES, {ALPHA2, V1, BETA}),
    "mpiImplementation": ("MPICH", {BETA}),
    "sshAuthMountPath": ("/home/u/.ssh", {BETA}),
    "launcherCreationPolicy": ("AtStartup", {BETA}),
    "runLauncherAsWorker": (True, {BETA}),
}
#: Ways to say how many workers, of which a v1alpha1 job has one.
COUNTS = ("gpus", "processingUnits", "replicas")


def _job(version, **fields):
    counted = {} if set(COUNTS) & fields.keys() else {"replicas": 2}
    spec = {"template": LAUNCHER, **counted} if version is ALPHA1 else {"mpiReplicaSpecs": ROLES}
    return {
        "apiVersion": version.api_version,
        "kind": "MPIJob",
        "metadata": {"name": "pi"},
        "spec": {**spec, **fields},
    }


def _named(manifest):
    """The fields at which something is said of a job that is more than advice."""
    found = manifest_findings(manifest)
    return [one.field for one in found if one.severity is not Severity.ADVICE]


EVERY = list(itertools.product(Version, FIELDS))


@pytest.mark.parametrize(("version", "field"), EVERY, ids=[f"{v}-{f}" for v, f in EVERY])
def test_a_field_of_another_version_is_named_and_one_of_its_own_is_not(version, field):
    value, owners = FIELDS[field]
    want = [] if version in owners else [f"spec.{field}"]
    assert _named(_job(version, **{field: value})) == want


WRONG = {
    "three GPUs": (_job(ALPHA1, gpus=3), "spec.gpus"),
    "twelve GPUs": (_job(ALPHA1, gpus=12), "spec.gpus"),
    "GPUs and workers": (_job(ALPHA1, gpus=2, replicas=2), "spec.replicas"),
    "GPUs and units": (_job(ALPHA1, gpus=2, processingUnits=2), "spec.processingUnits"),
    "no GPUs": (_job(ALPHA1, gpus=0), "spec.gpus"),
    "GPUs in words": (_job(ALPHA1, gpus="two"), "spec.gpus"),
    "an unknown distribution": (_job(ALPHA2, mpiDistribution="LAM"), "spec.mpiDistribution"),
    "v2beta1's name for Intel": (_job(ALPHA2, mpiDistribution="Intel"), "spec.mpiDistribution"),
    "v1alpha2's name for Intel": (
        _job(BETA, mpiImplementation="IntelMPI"),
        "spec.mpiImplementation",
    ),
    "an unknown policy": (_job(ALPHA2, cleanPodPolicy="Some"), "spec.cleanPodPolicy"),
    "slots below none": (_job(ALPHA2, slotsPerWorker=-1), "spec.slotsPerWorker"),
}


@pytest.mark.parametrize(("manifest", "field"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(manifest, field):
    assert field in _named(manifest)


@pytest.mark.parametrize("version", [ALPHA2, V1, BETA])
def test_two_launchers_are_named(version):
    two = {**ROLES, "Launcher": {**ROLES["Launcher"], "replicas": 2}}
    assert "spec.mpiReplicaSpecs[Launcher].replicas" in _named(_job(version, mpiReplicaSpecs=two))


BROKEN = ("", "{", "[]", "null", "v9", "exec;ssh", "\n", "$(reboot)", "ü", "x" * 10_000)
KEYS = ("written-in", "converted-from", "transport", "mpi-implementation", "environment", "elastic")
BREAKS = list(itertools.product(Version, KEYS))


@pytest.mark.parametrize(("version", "key"), BREAKS, ids=[f"{v}-{k}" for v, k in BREAKS])
def test_an_annotation_that_somebody_broke_leaves_the_job_what_it_is(version, key):
    sound = versions.job(_job(version))
    for text in BROKEN:
        manifest = _job(version)
        manifest["metadata"]["annotations"] = {f"mpijob.dev/{key}": text}
        job = versions.job(manifest)
        assert not isinstance(job, Rejected)
        assert (job.ways, job.flavour, job.worker) == (sound.ways, sound.flavour, sound.worker)


CHOSEN = ("written-in", "transport", "mpi-implementation", "elastic")


@pytest.mark.parametrize("key", CHOSEN)
def test_an_annotation_that_says_nothing_is_named(key):
    manifest = _job(V1)
    manifest["metadata"]["annotations"] = {f"mpijob.dev/{key}": "mail"}
    assert _named(manifest) == [f"metadata.annotations[mpijob.dev/{key}]"]


def test_an_annotation_that_says_what_it_may_is_not_named():
    manifest = _job(V1)
    said = {"transport": "exec", "mpi-implementation": "MPICH", "environment": "A, B"}
    manifest["metadata"]["annotations"] = {f"mpijob.dev/{k}": v for k, v in said.items()}
    assert (_named(manifest), isinstance(versions.job(manifest), MPIJob)) == ([], True)
