"""A job file in another version means the same as far as that version can say it."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mpijob.api import versions
from mpijob.api.convert import Converted, converted
from mpijob.core.job import Identity, Key, Rejected
from mpijob.core.version import Version

POD = {"spec": {"containers": [{"name": "c", "image": "i", "command": ["mpirun", "x"]}]}}
HOST = {"spec": {"containers": [{"name": "c", "image": "i"}]}}


def file(version, **spec):
    if version is not Version.V1ALPHA1:
        roles = {"Launcher": {"template": POD}, "Worker": {"replicas": 2, "template": HOST}}
        spec = {"mpiReplicaSpecs": roles, **spec}
    return {
        "apiVersion": version.api_version,
        "kind": "MPIJob",
        "metadata": {"name": "pi", "annotations": {"note": "n"}},
        "spec": spec,
    }


def optional(**fields):
    return st.fixed_dictionaries({}, optional=fields)


number = st.integers(0, 9)
clean = st.sampled_from(["None", "Running", "All"])
policy = optional(
    cleanPodPolicy=clean,
    backoffLimit=number,
    activeDeadlineSeconds=number,
    ttlSecondsAfterFinished=number,
    suspend=st.booleans(),
)
DRAWN = {
    Version.V2BETA1: optional(
        slotsPerWorker=number,
        runPolicy=policy,
        sshAuthMountPath=st.just("/home/u/.ssh"),
        runLauncherAsWorker=st.booleans(),
        mpiImplementation=st.sampled_from(["OpenMPI", "Intel", "MPICH"]),
        launcherCreationPolicy=st.sampled_from(["AtStartup", "WaitForWorkersReady"]),
    ),
    Version.V1: optional(
        slotsPerWorker=number, runPolicy=policy, cleanPodPolicy=clean, mainContainer=st.just("c")
    ),
    Version.V1ALPHA2: optional(
        slotsPerWorker=number,
        runPolicy=policy,
        cleanPodPolicy=clean,
        mainContainer=st.just("c"),
        backoffLimit=number,
        mpiDistribution=st.sampled_from(["OpenMPI", "IntelMPI", "MPICH"]),
    ),
    Version.V1ALPHA1: st.one_of(
        st.fixed_dictionaries({"gpus": st.sampled_from([1, 2, 8]), "template": st.just(POD)}),
        st.fixed_dictionaries({"replicas": st.integers(1, 4), "template": st.just(POD)}),
    ),
}
files = st.sampled_from(Version).flatmap(
    lambda version: DRAWN[version].map(lambda spec: file(version, **spec))
)


@given(files, st.sampled_from(Version))
def test_there_and_back_is_the_file_as_it_was(source, to):
    there = converted(source, to)
    assert isinstance(there, Converted)
    back = converted(there.manifest, versions.job(source).identity.written_in)
    assert back == Converted(source)


def _whoever(job):
    """A job as it is meant, whoever it is.

    Kubernetes tries six times where a job does not say; a template's own `restartPolicy` is no
    word of a job's.
    """
    policy = job.run_policy
    tries = 6 if policy.backoff_limit is None else policy.backoff_limit
    nobody = Identity(Key("", ""), "", "")
    return replace(
        job,
        identity=nobody,
        run_policy=replace(policy, backoff_limit=tries),
        launcher=_role_meant(job.launcher),
        worker=job.worker and _role_meant(job.worker),
    )


def _role_meant(replica):
    spec = {**replica.template["spec"]}
    spec.pop("restartPolicy", None)
    return replace(replica, template={**replica.template, "spec": spec})


@given(files, st.sampled_from(Version))
def test_what_is_not_told_of_is_not_lost(source, to):
    there = converted(source, to)
    now, was = versions.job(there.manifest), versions.job(source)
    same = _whoever(was) == _whoever(now)
    ways = was.ways.execs == now.ways.execs
    assert (same and ways) or there.lost != ()


def test_a_file_that_was_edited_is_not_undone():
    there = converted(file(Version.V1ALPHA2, cleanPodPolicy="All"), Version.V2BETA1).manifest
    edited = {**there, "spec": {**there["spec"], "slotsPerWorker": 7}}
    back = converted(edited, Version.V1ALPHA2).manifest
    assert (back["spec"]["slotsPerWorker"], back["spec"]["cleanPodPolicy"]) == (7, "All")


def test_what_cannot_be_said_is_told():
    source = file(Version.V2BETA1, mpiImplementation="MPICH", runPolicy={"suspend": True})
    source["spec"]["mpiReplicaSpecs"]["Worker"]["restartPolicy"] = "Never"
    assert converted(source, Version.V1).lost == (
        "the MPI implementation: MPICH, where v1 has OpenMPI",
        "how ranks are started: ssh, where v1 has kubectl exec",
    )


BROKEN = {
    "no JSON": "{",
    "no object": "3",
    "no file": '{"apiVersion": "kubeflow.org/v1"}',
    "no version": '{"apiVersion": 5, "spec": []}',
}


@pytest.mark.parametrize("kept", BROKEN.values(), ids=BROKEN)
def test_an_annotation_that_somebody_broke_does_not_count(kept):
    source = file(Version.V2BETA1)
    source["metadata"]["annotations"]["mpijob.dev/converted-from"] = kept
    assert isinstance(converted(source, Version.V1), Converted)


def test_an_unsound_job_is_not_converted():
    assert isinstance(converted(file(Version.V1ALPHA1), Version.V1), Rejected)


# 10,000 jobs, drawn by a dice of ours: Hypothesis takes thirty times as long for so many.

A1, A2, V1, BETA = Version.V1ALPHA1, Version.V1ALPHA2, Version.V1, Version.V2BETA1
#: What can be said in which versions, by what `convert` calls it.
SAYABLE = {
    "the launcher's pod": {A1, A2, V1, BETA},
    "the workers' pods": {A2, V1, BETA},
    "how many workers": {A1, A2, V1, BETA},
    "when the launcher starts again": {A1, A2, V1, BETA},
    "when workers start again": {V1, BETA},
    "slots a worker": {A1, A2, V1, BETA},
    "which pods go at the end": {A2, V1, BETA},
    "the time to live": {V1, BETA},
    "the deadline": {A1, A2, V1, BETA},
    "how often it is tried again": {A1, A2, V1, BETA},
    "gang scheduling": {V1, BETA},
    "whether it is suspended": {V1, BETA},
    "who looks after it": {V1, BETA},
    "the MPI implementation": {A2, BETA},
    "the main container": {A2, V1},
}
POLICY = {
    "cleanPodPolicy": ("None", "Running", "All"),
    "backoffLimit": (0, 1, 6),
    "activeDeadlineSeconds": (1, 600),
    "ttlSecondsAfterFinished": (0, 60),
    "suspend": (True, False),
    "schedulingPolicy": ({"minAvailable": 2}, {"queue": "q", "priorityClass": "high"}),
}
MANAGERS = {V1: "kubeflow.org/training-operator", BETA: "kubeflow.org/mpi-operator"}
TOP = {
    A1: {"backoffLimit": (0, 6), "activeDeadlineSeconds": (1, 600), "slotsPerWorker": (1, 8)},
    A2: {
        "cleanPodPolicy": POLICY["cleanPodPolicy"],
        "backoffLimit": (0, 6),
        "activeDeadlineSeconds": (1, 600),
        "slotsPerWorker": (1, 8),
        "mainContainer": ("c",),
        "mpiDistribution": ("OpenMPI", "IntelMPI", "MPICH"),
    },
    V1: {"slotsPerWorker": (1, 8), "mainContainer": ("c",), "cleanPodPolicy": ("All", "None")},
    BETA: {
        "slotsPerWorker": (1, 8),
        "mpiImplementation": ("OpenMPI", "Intel", "MPICH"),
        "sshAuthMountPath": ("/home/u/.ssh",),
        "launcherCreationPolicy": ("WaitForWorkersReady",),
    },
}


def _some(dice, fields):
    """Some of these fields, with one of their values each."""
    return {name: dice.choice(values) for name, values in fields.items() if dice.random() < 0.5}


def _pod(dice, *, runs):
    container = {"name": "c", "image": dice.choice(["i", "j:1"])}
    if runs:
        container["command"] = ["mpirun", "x"]
    if dice.random() < 0.5:
        container["env"] = [{"name": "A", "value": "b=c\n"}]
    node = {"nodeSelector": {"disk": "ssd"}} if dice.random() < 0.3 else {}
    return {"spec": {"containers": [container], **node}}


def _role(dice, pod, policies):
    return {"template": pod, **_some(dice, {"restartPolicy": policies})}


def _drawn(dice, version):
    """A job of that version."""
    spec = _some(dice, TOP[version])
    if version is A1:
        count = {dice.choice(["gpus", "processingUnits", "replicas"]): dice.choice([1, 2, 8])}
        return file(version, template=_pod(dice, runs=True), **count, **spec)
    often = ("Never", "OnFailure")
    launcher = _role(dice, _pod(dice, runs=True), often)
    worker = _role(dice, _pod(dice, runs=False), often if version in MANAGERS else ("Always",))
    spec["mpiReplicaSpecs"] = {
        "Launcher": launcher,
        "Worker": {**worker, "replicas": dice.randint(1, 9)},
    }
    if version in MANAGERS:
        managed = {"managedBy": (MANAGERS[version], "kueue.x-k8s.io/multikueue")}
        spec["runPolicy"] = _some(dice, {**POLICY, **managed})
    return file(version, **spec)


@pytest.mark.parametrize("start", range(0, 10_000, 1_000))
def test_of_10000_jobs_none_loses_what_both_versions_can_say(start):
    for seed in range(start, start + 1_000):
        dice = Random(seed)
        source, to = dice.choice(list(Version)), dice.choice(list(Version))
        written = _drawn(dice, source)
        there = converted(written, to)
        assert isinstance(there, Converted), (seed, there)
        both = {name for name, those in SAYABLE.items() if {source, to} <= those}
        lost = {line.partition(":")[0] for line in there.lost} & both
        back = converted(there.manifest, source)
        assert (seed, lost, back) == (seed, set(), Converted(written))
