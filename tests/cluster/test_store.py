"""The store keeps objects as an API server does, in its words."""

import contextlib
import re
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.cluster.store import (
    AlreadyExists,
    BadRequest,
    ChangeType,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Refused,
    Store,
    snapshot_of,
)
from mpijob.core.job import Problem
from mpijob.core.plan import Kind, Ref

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
CONFIG = Ref(Kind.CONFIG_MAP, "default", "c")
POD = Ref(Kind.POD, "default", "p")
JOB = Ref(Kind.JOB, "default", "j")


def test_an_object_is_stored_with_uid_version_and_time(cluster, config_map):
    assert cluster.make(config_map())["metadata"] == {
        "namespace": "default",
        "name": "c",
        "uid": "u1",
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T12:00:00Z",
    }


def test_a_name_is_made_of_a_prefix_and_drawn_letters(cluster, config_map):
    manifest = config_map()
    manifest["metadata"] = {"namespace": "default", "generateName": "x" * 70}
    made = cluster.store.create(manifest, now=NOON, uid="u", suffix="abcde")
    assert made["metadata"]["name"] == "x" * 58 + "abcde"


def test_a_taken_name_is_refused_in_kubernetes_words(cluster, job):
    cluster.make(job())
    with pytest.raises(AlreadyExists, match=r'^jobs\.batch "j" already exists$'):
        cluster.make(job())


def test_a_taken_name_says_that_its_object_is_going(cluster, config_map):
    cluster.make(config_map(finalizers=["a/b"]))
    cluster.store.delete(CONFIG, now=NOON)
    message = r'^object is being deleted: configmaps "c" already exists$'
    with pytest.raises(AlreadyExists, match=message):
        cluster.make(config_map())


def test_what_is_wrong_with_an_object_is_said_before_its_name_is_looked_up(config_map):
    store = Store(admit=lambda new: tuple(Problem(key, "Forbidden", "no") for key in new["data"]))
    store.create({**config_map(), "data": {}}, now=NOON, uid="u1")
    with pytest.raises(Invalid):
        store.create(config_map(), now=NOON, uid="u2")


def test_empty_metadata_is_not_kept(cluster, config_map):
    made = cluster.make(config_map(labels={}, finalizers=[]))
    assert {"labels", "finalizers"} & set(made["metadata"]) == set()


@pytest.mark.parametrize(
    "claim",
    [
        {"uid": "u9"},
        {"deletionTimestamp": "2026-01-01T12:00:00Z"},
        {"deletionGracePeriodSeconds": 5},
    ],
)
def test_a_patch_may_not_make_an_object_another(cluster, config_map, claim):
    cluster.make(config_map())
    (name,) = claim
    with pytest.raises(Invalid, match=f"metadata.{name}: Invalid value: .*: field is immutable"):
        cluster.store.patch(CONFIG, {"metadata": claim}, now=NOON)


MPI_JOB = {
    "apiVersion": "kubeflow.org/v2beta1",
    "kind": "MPIJob",
    "metadata": {"namespace": "default", "name": "m"},
    "spec": {},
}


def test_a_custom_object_is_not_replaced_without_a_version(cluster):
    cluster.make(MPI_JOB)
    message = (
        'mpijobs.kubeflow.org "m" is invalid: metadata.resourceVersion: Invalid value: 0: '
        "must be specified for an update"
    )
    with pytest.raises(Invalid) as refused:
        cluster.store.replace(MPI_JOB, now=NOON)
    assert refused.value.message == message


def test_a_status_of_a_custom_object_says_nothing_of_its_metadata(cluster):
    made = cluster.make(MPI_JOB)
    fields = {"metadata": {"uid": "u9"}, "status": {"restarts": 1}}
    ref = Ref(Kind.MPI_JOB, "default", "m")
    patched = cluster.store.patch(ref, fields, now=NOON, subresource="status")
    assert (patched["metadata"]["uid"], patched["status"]) == (
        made["metadata"]["uid"],
        {"restarts": 1},
    )


def test_watchers_of_a_pod_see_its_grace_end_before_it_goes(cluster, pod):
    cluster.make(pod())
    cluster.store.delete(POD, now=NOON)
    seen = [
        (change.type.value, change.manifest["metadata"].get("deletionGracePeriodSeconds"))
        for change in cluster.store.changes(0)
    ]
    assert seen == [("ADDED", None), ("MODIFIED", 0), ("DELETED", 0)]


def test_an_object_without_a_name_is_invalid(cluster, config_map):
    manifest = config_map()
    del manifest["metadata"]["name"]
    message = (
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
    )
    with pytest.raises(Invalid) as refused:
        cluster.make(manifest)
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("change", "message"),
    {
        "a version": (
            {"resourceVersion": "3"},
            "resourceVersion should not be set on objects to be created",
        ),
        "no namespace": (
            {"namespace": ""},
            "an empty namespace may not be set during creation",
        ),
    }.values(),
)
def test_a_creation_that_makes_no_sense_is_a_bad_request(cluster, config_map, change, message):
    with pytest.raises(BadRequest, match=message):
        cluster.make(config_map(**change))


def test_an_unknown_kind_is_not_found(cluster):
    with pytest.raises(NotFound, match='no matches for kind "Cat" in version "v1"'):
        cluster.make({"apiVersion": "v1", "kind": "Cat", "metadata": {"name": "tom"}})


def test_what_admission_finds_is_said_all_at_once(config_map):
    problems = (Problem("data", "Forbidden", "no"), Problem("x", "Required value", ""))
    store = Store(admit=lambda _: problems)
    with pytest.raises(Invalid) as refused:
        store.create(config_map(), now=NOON, uid="u1")
    want = 'ConfigMap "c" is invalid: [data: Forbidden: no, x: Required value]'
    assert (refused.value.message, refused.value.problems) == (want, problems)


def test_a_missing_object_is_not_found(cluster):
    with pytest.raises(NotFound, match=r'^configmaps "c" not found$'):
        cluster.store.patch(CONFIG, {}, now=NOON)


def test_a_patch_merges_and_removes(cluster, config_map):
    cluster.make(config_map())
    patched = cluster.store.patch(CONFIG, {"data": {"a": None, "b": "2"}}, now=NOON)
    assert (patched["data"], patched["metadata"]["resourceVersion"]) == ({"b": "2"}, "2")


def test_a_patch_that_changes_nothing_makes_no_version(cluster, config_map):
    made = cluster.make(config_map())
    assert cluster.store.patch(CONFIG, {"data": {"a": "1", "b": None}}, now=NOON) is made


def test_a_patch_at_an_old_version_conflicts(cluster, config_map):
    cluster.make(config_map())
    cluster.store.patch(CONFIG, {"data": {"b": "2"}}, now=NOON)
    message = (
        'Operation cannot be fulfilled on configmaps "c": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    with pytest.raises(Conflict) as refused:
        cluster.store.patch(CONFIG, {"data": {"b": "3"}}, now=NOON, version="1")
    assert refused.value.message == message


def test_a_namesake_of_another_uid_is_not_patched(cluster, config_map):
    cluster.make(config_map())
    with pytest.raises(Conflict, match="UID in precondition: u9, UID in object meta: u1"):
        cluster.store.patch(CONFIG, {"data": {"b": "3"}}, now=NOON, uid="u9")


def test_a_replacement_may_bear_the_version_it_was_read_at(cluster, config_map):
    made = cluster.make(config_map())
    cluster.store.replace({**made, "data": {}}, now=NOON)
    with pytest.raises(Conflict, match="the object has been modified"):
        cluster.store.replace({**made, "data": {"x": "y"}}, now=NOON)


def test_a_write_of_the_object_leaves_its_status_alone(cluster, job):
    cluster.make(job())
    cluster.store.patch(JOB, {"status": {"active": 1}}, now=NOON, subresource="status")
    fields = {"spec": {"backoffLimit": 1}, "status": {"active": 7}}
    assert cluster.store.patch(JOB, fields, now=NOON)["status"] == {"active": 1}


def test_a_write_of_the_status_leaves_the_rest_alone(cluster, job):
    made = cluster.make(job())
    fields = {"spec": {"backoffLimit": 1}, "status": {"active": 7}}
    patched = cluster.store.patch(JOB, fields, now=NOON, subresource="status")
    assert (patched["spec"], patched["status"]) == (made["spec"], {"active": 7})


def test_a_generation_counts_changes_of_the_spec_alone(cluster, job):
    cluster.make(job())
    seen = [
        cluster.store.patch(JOB, {"metadata": {"labels": {"a": "b"}}}, now=NOON),
        cluster.store.patch(JOB, {"status": {"active": 1}}, now=NOON, subresource="status"),
        cluster.store.patch(JOB, {"spec": {"suspend": True}}, now=NOON),
    ]
    assert [made["metadata"]["generation"] for made in seen] == [1, 1, 2]


def test_a_subresource_that_is_not_there_is_not_found(cluster, config_map):
    cluster.make(config_map())
    with pytest.raises(NotFound, match="the server could not find the requested resource"):
        cluster.store.patch(CONFIG, {"status": {}}, now=NOON, subresource="status")


def test_what_only_the_server_writes_is_passed_over(cluster, config_map):
    made = cluster.make(config_map())
    fields = {"metadata": {"creationTimestamp": None, "generation": 7, "name": "other"}}
    assert cluster.store.patch(CONFIG, fields, now=NOON) is made


def test_a_deleted_object_is_gone_under_a_version_of_its_own(cluster, config_map):
    cluster.make(config_map())
    left = cluster.store.delete(CONFIG, now=NOON)
    last = cluster.store.changes(1)[0]
    assert (left, cluster.store.get(CONFIG), last.type, last.manifest["metadata"]) == (
        None,
        None,
        ChangeType.DELETED,
        {
            "namespace": "default",
            "name": "c",
            "uid": "u1",
            "resourceVersion": "2",
            "creationTimestamp": "2026-01-01T12:00:00Z",
        },
    )


@pytest.mark.parametrize(
    ("precondition", "message"),
    [
        (
            {"uid": "u9"},
            (
                "the UID in the precondition (u9) does not match the UID in record (u1). "
                "The object might have been deleted and then recreated"
            ),
        ),
        (
            {"version": "9"},
            (
                "the ResourceVersion in the precondition (9) does not match the ResourceVersion "
                "in record (1). The object might have been modified"
            ),
        ),
    ],
)
def test_a_deletion_holds_to_its_preconditions(cluster, config_map, precondition, message):
    cluster.make(config_map())
    with pytest.raises(Conflict, match=re.escape(message)):
        cluster.store.delete(CONFIG, now=NOON, **precondition)


def test_a_finalizer_holds_an_object_until_it_is_taken_off(cluster, config_map):
    cluster.make(config_map(finalizers=["a/b"]))
    held = cluster.store.delete(CONFIG, now=NOON)
    again = cluster.store.delete(CONFIG, now=NOON + timedelta(seconds=9))
    cluster.store.patch(CONFIG, {"metadata": {"finalizers": None}}, now=NOON)
    types = [change.type.value for change in cluster.store.changes(0)]
    assert (held["metadata"]["deletionTimestamp"], again is held, types) == (
        "2026-01-01T12:00:00Z",
        True,
        ["ADDED", "MODIFIED", "DELETED"],
    )


def test_who_releases_an_object_sees_what_was_written_and_watchers_what_was_stored(
    cluster, config_map
):
    cluster.make(config_map(finalizers=["a/b"]))
    held = cluster.store.delete(CONFIG, now=NOON)["metadata"]
    released = cluster.store.patch(CONFIG, {"metadata": {"finalizers": None}}, now=NOON)
    deleted = cluster.store.changes(0)[-1].manifest["metadata"]
    without = {name: value for name, value in held.items() if name != "finalizers"}
    deletion = {**held, "resourceVersion": str(cluster.store.version)}
    assert (released["metadata"], deleted) == (without, deletion)


def test_no_finalizer_is_added_to_an_object_that_is_being_deleted(cluster, config_map):
    cluster.make(config_map(finalizers=["a/b"]))
    cluster.store.delete(CONFIG, now=NOON)
    with pytest.raises(Invalid, match="no new finalizers can be added"):
        cluster.store.patch(CONFIG, {"metadata": {"finalizers": ["a/b", "c/d"]}}, now=NOON)


def test_a_pod_that_runs_is_given_its_grace(cluster, pod):
    cluster.make(pod(terminationGracePeriodSeconds=5))
    cluster.store.bind(POD, "n", now=NOON)
    metadata = cluster.store.delete(POD, now=NOON)["metadata"]
    assert (
        metadata["deletionTimestamp"],
        metadata["deletionGracePeriodSeconds"],
        metadata["generation"],
    ) == ("2026-01-01T12:00:05Z", 5, 2)


def test_whoever_runs_a_pod_removes_it_with_no_grace(cluster, pod):
    cluster.make(pod())
    cluster.store.bind(POD, "n", now=NOON)
    cluster.store.delete(POD, now=NOON)
    assert cluster.store.delete(POD, now=NOON, grace_s=0) is None


def test_a_grace_is_made_shorter_and_never_longer(cluster, pod):
    cluster.make(pod())
    cluster.store.bind(POD, "n", now=NOON)
    cluster.store.delete(POD, now=NOON)
    later = NOON + timedelta(seconds=3)
    shorter = cluster.store.delete(POD, now=later, grace_s=10)
    longer = cluster.store.delete(POD, now=later, grace_s=20)
    assert (shorter["metadata"]["deletionTimestamp"], longer is shorter) == (
        "2026-01-01T12:00:10Z",
        True,
    )


@pytest.mark.parametrize("phase", ["", "Succeeded", "Failed"])
def test_a_pod_with_nothing_to_end_goes_at_once(cluster, pod, phase):
    cluster.make(pod())
    if phase:
        cluster.store.bind(POD, "n", now=NOON)
        cluster.store.patch(POD, {"status": {"phase": phase}}, now=NOON, subresource="status")
    assert cluster.store.delete(POD, now=NOON) is None


def test_a_bound_pod_says_so(cluster, pod):
    cluster.make(pod())
    bound = cluster.store.bind(POD, "n", now=NOON)
    assert (
        bound["spec"]["nodeName"],
        bound["status"]["conditions"],
        bound["metadata"]["generation"],
    ) == (
        "n",
        [
            {
                "type": "PodScheduled",
                "status": "True",
                "lastTransitionTime": "2026-01-01T12:00:00Z",
            }
        ],
        1,
    )


def test_a_pod_is_bound_once(cluster, pod):
    cluster.make(pod())
    cluster.store.bind(POD, "n", now=NOON)
    with pytest.raises(Conflict, match='pod p is already assigned to node "n"'):
        cluster.store.bind(POD, "m", now=NOON)


def test_a_gated_pod_is_not_bound(cluster, pod):
    cluster.make(pod(schedulingGates=[{"name": "quota"}]))
    with pytest.raises(Conflict, match=r"pod p has non-empty \.spec\.schedulingGates"):
        cluster.store.bind(POD, "n", now=NOON)


def test_a_pod_of_an_unknown_priority_class_is_forbidden(cluster, pod):
    with pytest.raises(Forbidden, match="no PriorityClass with name high was found"):
        cluster.make(pod(priorityClassName="high"))


def test_lists_go_by_namespace_and_name(cluster, config_map):
    for namespace, name in (("b", "x"), ("a", "z"), ("a", "y")):
        cluster.make(config_map(name, namespace=namespace))
    listed = cluster.store.list(Kind.CONFIG_MAP)
    assert [(m["metadata"]["namespace"], m["metadata"]["name"]) for m in listed] == [
        ("a", "y"),
        ("a", "z"),
        ("b", "x"),
    ]


def test_a_list_may_be_of_one_namespace(cluster, config_map):
    cluster.make(config_map("x", namespace="a"))
    wanted = cluster.make(config_map("x", namespace="b"))
    assert cluster.store.list(Kind.CONFIG_MAP, "b") == (wanted,)


def test_a_trimmed_history_says_where_it_begins(cluster, config_map):
    for name in "abc":
        cluster.make(config_map(name))
    cluster.store.trim(2)
    with pytest.raises(Gone, match=r"^too old resource version: 1 \(2\)$"):
        cluster.store.changes(1)


def test_what_was_not_trimmed_is_still_told(cluster, config_map):
    for name in "abc":
        cluster.make(config_map(name))
    cluster.store.trim(2)
    assert [change.ref.name for change in cluster.store.changes(2)] == ["c"]


def test_a_journal_brings_a_store_back(cluster, config_map):
    made = cluster.make(config_map())
    store = Store.restored(snapshot_of(7, [made]))
    patched = store.patch(CONFIG, {"data": {"b": "2"}}, now=NOON)
    assert (patched["metadata"]["resourceVersion"], patched["data"]) == ("8", {"a": "1", "b": "2"})


NAMES = st.sampled_from(["a", "b"])
DATA = st.dictionaries(st.sampled_from("xy"), st.sampled_from(["1", "2", None]), max_size=2)
REQUESTS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMES, st.booleans()),
        st.tuples(st.just("patch"), NAMES, DATA),
        st.tuples(st.just("release"), NAMES),
        st.tuples(st.just("delete"), NAMES),
        st.tuples(st.just("restore")),
    ),
    max_size=25,
)


def _ask(store: Store, number: int, request: tuple) -> None:
    verb, *rest = request
    ref = Ref(Kind.CONFIG_MAP, "default", rest[0])
    match verb:
        case "create":
            metadata = {"namespace": "default", "name": ref.name}
            if rest[1]:
                metadata["finalizers"] = ["a/b"]
            manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
            store.create(manifest, now=NOON, uid=f"u{number}")
        case "patch":
            store.patch(ref, {"data": rest[1]}, now=NOON)
        case "release":
            store.patch(ref, {"metadata": {"finalizers": None}}, now=NOON)
        case "delete":
            store.delete(ref, now=NOON)


def _play(requests: list[tuple]) -> tuple[Store, list[dict]]:
    """Play requests on a store; return it, and the world as it was at each of its versions."""
    store, worlds = Store(), [{}]
    for number, request in enumerate(requests):
        if request[0] == "restore":
            store = Store.restored(store.snapshot())
            continue
        with contextlib.suppress(Refused):
            _ask(store, number, request)
        if store.version == len(worlds):
            worlds.append({m["metadata"]["name"]: deepcopy(m) for m in store.list(Kind.CONFIG_MAP)})
    return store, worlds


@given(REQUESTS)
def test_every_write_is_one_version(requests):
    store, worlds = _play(requests)
    assert store.version == len(worlds) - 1 == len(store.changes(0))


@given(REQUESTS)
def test_the_past_is_seen_as_it_was(requests):
    store, worlds = _play(requests)
    seen = [store.as_of(Kind.CONFIG_MAP, version) for version in range(store.version + 1)]
    assert [{name: m for (_, name), m in world.items()} for world in seen] == worlds


@given(REQUESTS)
def test_folding_the_changes_gives_the_present(requests):
    store, worlds = _play(requests)
    folded = {}
    for change in store.changes(0):
        if change.type is ChangeType.DELETED:
            del folded[change.ref.name]
        else:
            folded[change.ref.name] = change.manifest
    assert folded == worlds[-1]


@given(REQUESTS, REQUESTS)
def test_what_goes_on_from_a_snapshot_leaves_the_snapshot_alone(before, after):
    store, _ = _play(before)
    snapshot = store.snapshot()
    kept = deepcopy(snapshot)
    branch = Store.restored(snapshot)
    for number, request in enumerate(after):
        try:
            if request[0] != "restore":
                _ask(branch, 100 + number, request)
        except Refused:
            pass
    assert (snapshot, store.snapshot()) == (kept, kept)
