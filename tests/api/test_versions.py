"""An MPIJob's manifest to the core's values."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.api.versions import decode, encode_status, for_flavour, job
from mpijob.api.wire import SpecWire
from mpijob.core.draft import Draft, ReplicaDraft
from mpijob.core.job import (
    CleanPodPolicy,
    Flavour,
    Identity,
    Key,
    LauncherStart,
    MPIJob,
    Rejected,
    Replica,
    RestartPolicy,
    RunPolicy,
    SchedulingPolicy,
)
from mpijob.core.status import JobStatus
from mpijob.core.version import Version

TEMPLATE = {
    "metadata": {"labels": {"mine": "l"}},
    "spec": {"containers": [{"name": "mpi", "image": "example/mpi:1", "stdin": True}]},
}
FULL = {
    "apiVersion": "kubeflow.org/v2beta1",
    "kind": "MPIJob",
    "metadata": {
        "name": "pi",
        "namespace": "team",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 3,
        "creationTimestamp": "2026-01-01T12:00:00Z",
        "deletionTimestamp": "2026-01-01T12:00:01Z",
        "annotations": {"note": "n"},
        "labels": {"app": "pi"},
    },
    "spec": {
        "slotsPerWorker": 2,
        "runLauncherAsWorker": True,
        "runPolicy": {
            "cleanPodPolicy": "All",
            "ttlSecondsAfterFinished": 60,
            "activeDeadlineSeconds": 61,
            "backoffLimit": 3,
            "schedulingPolicy": {
                "minAvailable": 2,
                "queue": "q",
                "minResources": {"cpu": 4, "memory": "1Gi"},
                "priorityClass": "high",
                "scheduleTimeoutSeconds": 5,
            },
            "suspend": True,
            "managedBy": "kubeflow.org/mpi-operator",
        },
        "mpiReplicaSpecs": {
            "Launcher": {"replicas": 1, "restartPolicy": "Never", "template": TEMPLATE},
            "Worker": {"replicas": 2, "restartPolicy": "OnFailure", "template": TEMPLATE},
        },
        "sshAuthMountPath": "/home/mpiuser/.ssh",
        "launcherCreationPolicy": "WaitForWorkersReady",
        "mpiImplementation": "Intel",
    },
    "status": {"startTime": "2026-01-01T12:00:00Z"},
}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
IDENTITY = Identity(
    Key("team", "pi"),
    uid="u",
    version="7",
    created_at=NOON,
    generation=3,
    deleting=True,
    annotations={"note": "n"},
)
JOB = MPIJob(
    IDENTITY,
    launcher=Replica(1, RestartPolicy.NEVER, TEMPLATE),
    worker=Replica(2, RestartPolicy.ON_FAILURE, TEMPLATE),
    slots_per_worker=2,
    run_launcher_as_worker=True,
    run_policy=RunPolicy(
        clean_pods=CleanPodPolicy.ALL,
        ttl_s=60,
        active_deadline_s=61,
        backoff_limit=3,
        scheduling=SchedulingPolicy(2, "q", {"cpu": "4", "memory": "1Gi"}, "high", 5),
        suspended=True,
        managed_by="kubeflow.org/mpi-operator",
    ),
    ssh_auth_mount_path="/home/mpiuser/.ssh",
    launcher_start=LauncherStart.WHEN_WORKERS_READY,
    flavour=Flavour.INTEL,
    status=JobStatus(started_at=NOON),
)


def test_every_field_is_read():
    assert job(FULL) == JOB


def test_bytes_are_read_as_the_mapping_is():
    assert job(msgspec.json.encode(FULL)) == JOB


def test_the_least_job_has_every_default():
    least = {
        "metadata": {"name": "pi", "namespace": "team"},
        "spec": {"mpiReplicaSpecs": {"Launcher": {"template": TEMPLATE}}},
    }
    assert job(least) == MPIJob(
        Identity(Key("team", "pi"), uid="", version=""),
        launcher=Replica(1, RestartPolicy.ON_FAILURE, TEMPLATE),
    )


NULLS = {
    "no metadata, no spec": {},
    "a null spec": {"metadata": None, "spec": None, "status": None},
    "null fields": {
        "metadata": dict.fromkeys(FULL["metadata"]),
        "spec": dict.fromkeys(FULL["spec"]),
    },
    "a null policy": {"spec": {"runPolicy": dict.fromkeys(FULL["spec"]["runPolicy"])}},
    "fields that nobody knows": {"spec": {"odd": 1}, "odd": []},
}


@pytest.mark.parametrize("manifest", NULLS.values(), ids=NULLS)
def test_null_says_nothing(manifest):
    assert decode(manifest) == Draft(Identity(Key("", ""), uid="", version=""))


def test_a_role_that_is_null_is_not_there():
    replicas = {"Launcher": None, "Worker": {"replicas": 2}}
    draft = decode({"spec": {"mpiReplicaSpecs": replicas}})
    assert draft.replicas == {"Worker": ReplicaDraft(2)}


def test_a_rejected_job_keeps_what_it_is_and_whose():
    spec = FULL["spec"] | {"slotsPerWorker": -1}
    rejected = job(FULL | {"spec": spec})
    assert (rejected.identity, rejected.status, rejected.managed_by) == (
        IDENTITY,
        JobStatus(started_at=NOON),
        "kubeflow.org/mpi-operator",
    )


def test_a_wrong_type_is_a_problem_and_the_job_keeps_what_it_is_and_whose():
    spec = FULL["spec"] | {"slotsPerWorker": "two"}
    rejected = job(FULL | {"spec": spec})
    assert (rejected.identity, rejected.status, rejected.managed_by) == (
        IDENTITY,
        JobStatus(started_at=NOON),
        "kubeflow.org/mpi-operator",
    )


def test_an_empty_manager_is_none():
    run_policy = FULL["spec"]["runPolicy"] | {"managedBy": ""}
    assert (
        job(FULL | {"spec": FULL["spec"] | {"runPolicy": run_policy}}).run_policy.managed_by is None
    )


def test_an_odd_status_keeps_no_job_from_running():
    odd = job(FULL | {"status": {"startTime": 5, "restarts": 1}})
    assert odd.status == JobStatus(restarts=1)


def test_bytes_that_are_no_json_are_an_error():
    with pytest.raises(msgspec.DecodeError):
        job(b"{")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


def with_value(manifest, path, value):
    if not path:
        return value
    copy = list(manifest) if isinstance(manifest, list) else dict(manifest)
    copy[path[0]] = with_value(manifest[path[0]], path[1:], value)
    return copy


@given(st.sampled_from(sorted(paths(FULL), key=str)), json_values)
def test_any_value_in_any_field_gives_an_answer(path, value):
    answer = job(msgspec.json.encode(with_value(FULL, path, value)))
    assert isinstance(answer, MPIJob | Rejected)


@given(
    st.sampled_from(sorted((p for p in paths(FULL) if p and p[0] != "spec"), key=str)), json_values
)
def test_a_known_job_is_read_again_as_if_it_were_new(path, value):
    again = with_value(FULL, path, value)
    assert job(again, known={IDENTITY.key: JOB}) == job(again)


def with_metadata(**fields):
    return FULL | {"metadata": FULL["metadata"] | fields}


ANOTHER_SPEC = {
    "another generation": with_metadata(generation=4),
    "no generation at all": with_metadata(generation=None),
    "a namesake": with_metadata(uid="v"),
    "another annotation": with_metadata(annotations={"note": "m"}),
    "another version of its ways": with_metadata(annotations={"mpijob.dev/written-in": "v1"}),
}


@pytest.mark.parametrize("metadata", ANOTHER_SPEC.values(), ids=ANOTHER_SPEC)
def test_a_spec_that_may_be_another_is_read(metadata):
    again = metadata | {"spec": FULL["spec"] | {"slotsPerWorker": 3}}
    assert job(again, known={IDENTITY.key: JOB}) == job(again)


def test_a_spec_of_the_same_generation_is_not_read_again():
    again = FULL | {"spec": "not looked at"}
    assert job(again, known={IDENTITY.key: JOB}) == JOB


def test_all_wrong_types_are_told_at_once():
    wrong = {
        "spec": {
            "slotsPerWorker": "two",
            "runPolicy": {"suspend": "no"},
            "mpiReplicaSpecs": {"Launcher": {"template": {"spec": {"containers": "none"}}}},
        }
    }
    assert [problem.field for problem in job(wrong).problems] == [
        "spec.slotsPerWorker",
        "spec.runPolicy.suspend",
        "spec.mpiReplicaSpecs[Launcher].template.spec.containers",
    ]


def writer(version, time, **more):
    """One row of what a server notes of those who wrote a job."""
    row = {"apiVersion": f"kubeflow.org/{version}", "time": time, "fieldsV1": {"f:spec": {".": {}}}}
    return row | more


EARLY, LATE = "2026-01-01T12:00:00Z", "2026-01-01T12:00:01Z"
OLDEST = {"template": TEMPLATE, "replicas": 1}
ROLES = {"mpiReplicaSpecs": FULL["spec"]["mpiReplicaSpecs"]}
WRITTEN_IN = {
    "a file says it itself": (("v1alpha2", {}, {}), Version.V1ALPHA2),
    "what we recorded counts, however it is read": (
        ("v2beta1", {"annotations": {"mpijob.dev/written-in": "v1"}}, {}),
        Version.V1,
    ),
    "a record that names no version is none": (
        ("v1", {"annotations": {"mpijob.dev/written-in": "v9"}}, {}),
        Version.V1,
    ),
    "the server knows the first who wrote the spec": (
        (
            "v2beta1",
            {"managedFields": [writer("v1", LATE), writer("v1alpha2", EARLY)]},
            ROLES,
        ),
        Version.V1ALPHA2,
    ),
    "who wrote a status or a label wrote no spec": (
        (
            "v2beta1",
            {
                "managedFields": [
                    writer("v1alpha2", LATE),
                    writer("v2beta1", EARLY, subresource="status", fieldsV1={"f:status": {}}),
                ]
            },
            ROLES,
        ),
        Version.V1ALPHA2,
    ),
    "a job that was ever written in v2beta1 is one": (
        ("v2beta1", {"managedFields": [writer("v1", EARLY), writer("v2beta1", LATE)]}, ROLES),
        Version.V2BETA1,
    ),
    "writers without a time: the first row": (
        ("v2beta1", {"managedFields": [writer("v1", None)]}, ROLES),
        Version.V1,
    ),
    "a shape that only v1alpha1 has": (("v2beta1", {"uid": "u"}, OLDEST), Version.V1ALPHA1),
    "a field that v2beta1 has elsewhere": (
        ("v2beta1", {"uid": "u"}, ROLES | {"cleanPodPolicy": "All"}),
        Version.V1ALPHA2,
    ),
    "a file's own word counts, whatever its fields": (("v2beta1", {}, OLDEST), Version.V2BETA1),
    "nothing tells": (("v2beta1", {"uid": "u"}, ROLES), Version.V2BETA1),
}


@pytest.mark.parametrize(("seen", "want"), WRITTEN_IN.values(), ids=WRITTEN_IN)
def test_the_version_that_a_job_was_written_in(seen, want):
    version, metadata, spec = seen
    manifest = {"apiVersion": f"kubeflow.org/{version}", "metadata": metadata, "spec": spec}
    assert decode(msgspec.json.encode(manifest)).identity.written_in is want


def test_fields_of_another_version_have_no_effect():
    file = FULL | {"metadata": {"name": "pi"}}
    spec = FULL["spec"] | {"cleanPodPolicy": "None", "mainContainer": "other", "gpus": 3}
    assert job(file | {"spec": spec}) == job(file)


def test_an_older_versions_status_has_no_fields_of_ours_that_say_nothing():
    status = JobStatus(started_at=NOON, ready="1/2")
    said = {key for key, value in encode_status(status, Version.V1).items() if value is not None}
    assert said == {"conditions", "startTime"}


@given(
    st.sampled_from(Version),
    st.dictionaries(
        st.sampled_from([f.encode_name for f in msgspec.structs.fields(SpecWire)]), json_values
    ),
)
def test_any_spec_of_any_version_is_a_job_or_says_why_not(version, spec):
    manifest = {"apiVersion": version.api_version, "kind": "MPIJob", "spec": spec}
    assert isinstance(job(manifest), MPIJob | Rejected)


@pytest.mark.parametrize("version", Version)
def test_a_job_of_any_version_can_be_for_another_mpi(version):
    pod = {"spec": {"containers": [{"name": "mpi", "image": "example/mpi:1"}]}}
    roles = {"Launcher": {"template": pod}, "Worker": {"replicas": 2, "template": pod}}
    spec = (
        {"gpus": 2, "template": pod} if version is Version.V1ALPHA1 else {"mpiReplicaSpecs": roles}
    )
    manifest = {"apiVersion": version.api_version, "metadata": {"name": "pi"}, "spec": spec}
    assert job(for_flavour(manifest, Flavour.MPICH)).flavour is Flavour.MPICH
