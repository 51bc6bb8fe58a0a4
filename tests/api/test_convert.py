"""A job file in another version means the same as far as that version can say it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(files, st.sampled_from(Version))
def test_what_is_not_told_of_is_not_lost(source, to):
    there = converted(source, to)
    now, was = versions.job(there.manifest), versions.job(source)
    nobody = Identity(Key("", ""), "", "")
    same = replace(was, identity=nobody) == replace(now, identity=nobody)
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
