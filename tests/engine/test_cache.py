"""The cache: changes in, one job's world out, and which job a change concerns."""

import json
from datetime import UTC, datetime

import pytest

from mpijob.core.job import Key, Rejected
from mpijob.core.observed import PodPhase
from mpijob.core.plan import Kind, Ref
from mpijob.engine.cache import Cache
from mpijob.ports import Change, ChangeType

PI = Key("default", "pi")
JOB_LABELS = {"training.kubeflow.org/job-name": "pi"}


def meta(name, owner=None, **more):
    made = {"namespace": "default", "name": name, "uid": f"{name}-uid", "resourceVersion": "1"}
    if owner:
        kind, of, uid = owner
        made["ownerReferences"] = [{"kind": kind, "name": of, "uid": uid, "controller": True}]
    return {**made, **more}


OURS = ("MPIJob", "pi", "pi-uid")


def mpi_job(**spec):
    template = {"spec": {"containers": [{"name": "mpi", "image": "x"}]}}
    replicas = {
        "Launcher": {"replicas": 1, "template": template},
        "Worker": {"replicas": 2, "template": template},
    }
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": meta("pi"),
        "spec": {"mpiReplicaSpecs": replicas, **spec},
    }


def pod(name, owner=OURS, **more):
    return {
        "kind": "Pod",
        "metadata": meta(name, owner, labels=JOB_LABELS),
        "status": {"phase": "Running"},
        **more,
    }


def fill(*manifests, cache=None):
    cache = cache or Cache()
    concerned = [
        cache.apply(Kind(manifest["kind"]), Change(ChangeType.ADDED, manifest))
        for manifest in manifests
    ]
    return cache, concerned


LAUNCHER = {"kind": "Job", "metadata": meta("pi-launcher", OURS), "spec": {"suspend": False}}


def test_a_jobs_children_are_found():
    cache, _ = fill(
        mpi_job(),
        {"kind": "Service", "metadata": meta("pi", OURS)},
        {"kind": "ConfigMap", "metadata": meta("pi-config", OURS), "data": {"hostfile": "x"}},
        {"kind": "Secret", "metadata": meta("pi-ssh", OURS), "data": {"k": "c2VjcmV0"}},
        LAUNCHER,
        pod("pi-worker-0"),
        pod("pi-launcher-x1", ("Job", "pi-launcher", "pi-launcher-uid")),
    )
    seen = cache.observed(PI)
    found = [seen.service, seen.config, seen.secret, seen.launcher]
    assert [child.name for child in (*found, *seen.workers, *seen.launcher_pods)] == [
        "pi",
        "pi-config",
        "pi-ssh",
        "pi-launcher",
        "pi-worker-0",
        "pi-launcher-x1",
    ]


def test_a_launcher_that_v1s_operators_made_is_a_pod_and_no_worker():
    cache, _ = fill(mpi_job(), pod("pi-launcher"), pod("pi-worker-0"))
    seen = cache.observed(PI)
    assert (
        (seen.launcher.name, seen.launcher.kind, seen.launcher.end),
        [view.name for view in seen.launcher_pods],
        [view.name for view in seen.workers],
    ) == (("pi-launcher", Kind.POD, None), ["pi-launcher"], ["pi-worker-0"])


def test_where_there_is_a_launchers_job_that_is_the_launcher():
    cache, _ = fill(mpi_job(), pod("pi-launcher"), LAUNCHER)
    assert cache.observed(PI).launcher.kind is Kind.JOB


ENDS = {"Succeeded": (True, 0), "Failed": (False, 1)}


@pytest.mark.parametrize(("phase", "want"), ENDS.items(), ids=ENDS)
def test_the_end_of_such_a_pod_is_the_launchers(phase, want):
    ended = {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T12:00:00Z"}}
    rows = [{"name": "mpi", "state": ended}]
    cache, _ = fill(
        mpi_job(), pod("pi-launcher", status={"phase": phase, "containerStatuses": rows})
    )
    launcher = cache.observed(PI).launcher
    assert (launcher.end.succeeded, launcher.end.at, launcher.failed_count) == (
        want[0],
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        want[1],
    )


def test_every_child_concerns_its_job():
    _, concerned = fill(
        mpi_job(),
        LAUNCHER,
        pod("pi-worker-0"),
        pod("pi-launcher-x1", ("Job", "pi-launcher", "pi-launcher-uid")),
    )
    assert concerned == [PI] * 4


def test_a_stranger_under_our_name_concerns_us():
    _, concerned = fill(mpi_job(), {"kind": "Service", "metadata": meta("pi")})
    assert concerned == [PI, PI]


def test_a_stranger_elsewhere_does_not():
    _, concerned = fill(mpi_job(), {"kind": "Service", "metadata": meta("web")})
    assert concerned == [PI, None]


def test_what_is_secret_is_not_kept():
    secret = {"kind": "Secret", "metadata": meta("pi-ssh", OURS), "data": {"key": "c2VjcmV0"}}
    cache, _ = fill(mpi_job(), secret)
    view = cache.observed(PI).secret
    assert (view.keys, "c2VjcmV0" in repr(view)) == (frozenset(("key",)), False)


def test_bytes_are_read_like_mappings():
    cache = Cache()
    for manifest in (mpi_job(), pod("pi-worker-0")):
        told = Change(ChangeType.ADDED, json.dumps(manifest).encode())
        cache.apply(Kind(manifest["kind"]), told)
    assert cache.observed(PI).workers[0].phase is PodPhase.RUNNING


def test_what_is_deleted_is_gone():
    cache, _ = fill(mpi_job(), pod("pi-worker-0"))
    cache.apply(Kind.POD, Change(ChangeType.DELETED, pod("pi-worker-0")))
    assert cache.observed(PI).workers == ()


@pytest.mark.parametrize(
    ("has_ended", "told_to_go", "is_news"),
    [(True, True, False), (True, False, True), (False, True, True)],
)
def test_a_worker_that_was_told_to_go_is_no_news_where_its_job_has_ended(
    has_ended, told_to_go, is_news
):
    row = {"type": "Succeeded", "status": "True", "reason": "MPIJobSucceeded", "message": ""}
    job = {**mpi_job(), "status": {"conditions": [row] if has_ended else []}}
    cache, _ = fill(job, pod("pi-worker-0"))
    if told_to_go:
        cache.learn_deleted(Ref(Kind.POD, "default", "pi-worker-0"), "pi-worker-0-uid")
    concerned = cache.apply(Kind.POD, Change(ChangeType.DELETED, pod("pi-worker-0")))
    assert (concerned == PI) == is_news


def test_a_pod_that_we_deleted_is_on_its_way_out_until_the_watch_says_more():
    cache, _ = fill(mpi_job(), pod("pi-worker-0"))
    cache.learn_deleted(Ref(Kind.POD, "default", "pi-worker-0"), "pi-worker-0-uid")
    assert [view.deleting for view in cache.observed(PI).workers] == [True]


UNREAD = b"not read"


@pytest.mark.parametrize("kind", [Kind.MPI_JOB, Kind.POD])
def test_a_version_that_is_known_is_not_read_again(kind):
    cache, _ = fill(at(5, mpi_job()), at(5, pod("pi-worker-0")))
    key = PI if kind is Kind.MPI_JOB else PI._replace(name="pi-worker-0")
    assert cache.apply(kind, Change(ChangeType.MODIFIED, UNREAD, key, "5")) is None


def test_of_what_is_known_the_name_says_who_is_gone():
    cache, _ = fill(mpi_job(), at(5, pod("pi-worker-0")))
    gone = Change(ChangeType.DELETED, UNREAD, PI._replace(name="pi-worker-0"), "7")
    concerned = cache.apply(Kind.POD, gone)
    assert (concerned, cache.observed(PI).workers) == (PI, ())


def test_an_older_end_takes_no_namesake_away():
    # Its answer came before the watch told of the end of the one that stood there.
    cache, _ = fill(mpi_job(), at(9, pod("pi-worker-0")))
    key = PI._replace(name="pi-worker-0")
    cache.apply(Kind.POD, Change(ChangeType.DELETED, UNREAD, key, "7"))
    assert len(cache.observed(PI).workers) == 1


def at(version, manifest, **metadata):
    """The same object at another version."""
    changed = {**manifest["metadata"], "resourceVersion": str(version), **metadata}
    return {**manifest, "metadata": changed}


def told(type_, manifest):
    return Change(ChangeType(type_), manifest)


def test_a_late_answer_does_not_bring_back_what_is_gone():
    # Hours of the simulator: a pod whose creation was answered after its deletion was told.
    worker = pod("pi-worker-0")
    cache, _ = fill(mpi_job(), at(20, worker))
    cache.apply(Kind.POD, told("DELETED", at(25, worker)))
    cache.learn(Kind.POD, at(20, worker))
    assert cache.observed(PI).workers == ()


def test_a_late_answer_does_not_undo_what_followed_on_it():
    # Hour 42: a status written at 110 was answered after the user's change at 111 was told; every
    # later report was refused, until somebody changed the job again.
    cache, _ = fill(at(111, mpi_job(mpiImplementation="MPICH")))
    cache.learn(Kind.MPI_JOB, at(110, mpi_job()))
    assert cache.observed(PI).job.identity.version == "111"


def test_a_late_watch_does_not_undo_what_an_answer_told():
    cache, _ = fill(at(9, mpi_job()))
    cache.learn(Kind.MPI_JOB, at(12, mpi_job()))
    cache.apply(Kind.MPI_JOB, told("MODIFIED", at(10, mpi_job())))
    assert cache.observed(PI).job.identity.version == "12"


NEWS = {
    "the echo of an answer": (pod("pi-worker-0"), 20, None),
    "what is not looked at": (pod("pi-worker-0", spec={"priority": 7}), 25, None),
    "where it goes": (pod("pi-worker-0", spec={"nodeName": "n1"}), 25, None),
    "that it failed": (pod("pi-worker-0", status={"phase": "Failed"}), 25, PI),
}


@pytest.mark.parametrize(("manifest", "version", "want"), NEWS.values(), ids=NEWS)
def test_a_change_concerns_a_job_where_it_is_news(manifest, version, want):
    cache, _ = fill(mpi_job())
    cache.learn(Kind.POD, at(20, pod("pi-worker-0")))
    assert cache.apply(Kind.POD, told("MODIFIED", at(version, manifest))) == want


def test_the_echo_of_a_status_is_no_news():
    cache, _ = fill(mpi_job())
    cache.learn(Kind.MPI_JOB, at(20, mpi_job()))
    assert cache.apply(Kind.MPI_JOB, told("MODIFIED", at(20, mpi_job()))) is None


def test_a_change_without_news_is_the_version_to_act_on():
    cache, _ = fill(mpi_job(), at(20, LAUNCHER))
    cache.apply(Kind.JOB, told("MODIFIED", at(25, LAUNCHER)))
    assert cache.observed(PI).launcher.version == "25"


def test_the_deletion_of_a_predecessor_leaves_its_successor():
    worker = pod("pi-worker-0")
    cache, _ = fill(mpi_job(), at(20, worker))
    cache.learn(Kind.POD, at(30, worker, uid="successor"))
    cache.apply(Kind.POD, told("DELETED", at(25, worker)))
    assert [view.uid for view in cache.observed(PI).workers] == ["successor"]


def test_a_late_answer_to_a_deletion_leaves_a_namesake_alone():
    service = {"kind": "Service", "metadata": meta("pi", OURS)}
    cache, _ = fill(mpi_job(), at(30, service, uid="namesake"))
    cache.learn_deleted(Ref(Kind.SERVICE, "default", "pi"), "pi-uid")
    assert cache.observed(PI).service.uid == "namesake"


def test_a_job_that_is_gone_is_not_observed():
    cache, _ = fill(mpi_job())
    cache.apply(Kind.MPI_JOB, Change(ChangeType.DELETED, mpi_job()))
    assert cache.observed(PI) is None


def test_a_job_that_cannot_be_run_is_observed_with_its_problems():
    cache, _ = fill(mpi_job(mpiImplementation="LAM"))
    assert isinstance(cache.observed(PI).job, Rejected)


def test_a_pod_that_changes_hands_is_no_longer_ours():
    cache, _ = fill(mpi_job(), pod("pi-worker-7"))
    fill(pod("pi-worker-7", ("MPIJob", "other", "other-uid")), cache=cache)
    assert cache.observed(PI).workers == ()


def test_priorities_are_known_by_name():
    cache, _ = fill(
        mpi_job(), {"kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000}
    )
    assert cache.observed(PI).priorities == {"high": 1000}


def test_an_answer_that_is_read_late_does_not_undo_what_the_watch_has_told():
    cache, _ = fill(at("10", mpi_job()), at("10", LAUNCHER))
    cache.learn(Kind.MPI_JOB, at("9", mpi_job()))
    cache.learn(Kind.JOB, at("9", LAUNCHER))
    seen = cache.observed(PI)
    assert (seen.job.identity.version, seen.launcher.version) == ("10", "10")


def test_an_answer_about_another_object_of_that_name_is_news():
    cache, _ = fill(mpi_job(), at("10", LAUNCHER))
    successor = {**LAUNCHER, "metadata": {**LAUNCHER["metadata"], "uid": "successor"}}
    cache.learn(Kind.JOB, at("11", successor))
    assert cache.observed(PI).launcher.uid == "successor"


THEIRS = {"kind": "Service", "metadata": meta("pi")}
SERVICE = Ref(Kind.SERVICE, "default", "pi")


def met():
    cache, _ = fill(mpi_job())
    cache.meet(PI, Kind.SERVICE, THEIRS)
    return cache


def test_what_was_met_is_asked_for_again():
    assert met().met(PI) == (SERVICE,)


def test_what_a_watch_tells_of_is_not_asked_for():
    cache, _ = fill(THEIRS, cache=met())
    assert cache.met(PI) == ()


def test_what_a_watch_told_of_before_is_not_asked_for():
    cache, _ = fill(mpi_job(), THEIRS)
    cache.meet(PI, Kind.SERVICE, THEIRS)
    assert cache.met(PI) == ()


def test_what_was_met_and_is_missed_is_not_seen():
    cache = met()
    cache.miss(PI, SERVICE)
    assert (cache.observed(PI).service, cache.met(PI)) == (None, ())


def test_what_a_job_met_is_forgotten_with_it():
    # Seed 60431: a namesake that came later was blocked by what had gone meanwhile.
    cache = met()
    cache.apply(Kind.MPI_JOB, Change(ChangeType.DELETED, mpi_job()))
    fill(mpi_job(), cache=cache)
    assert (cache.met(PI), cache.observed(PI).service) == ((), None)


def answered():
    cache, _ = fill(mpi_job())
    cache.learn(Kind.SERVICE, {"kind": "Service", "metadata": meta("pi", OURS)})
    return cache


def test_what_came_and_went_while_a_watch_was_broken_off_is_let_go_of():
    # Seed 505432: a pod that an operator had made stood in the way of its job's namesake for ever.
    cache = answered()
    assert (cache.listed(Kind.SERVICE, "1"), cache.observed(PI).service) == ((PI,), None)


def test_what_was_made_after_the_list_is_kept():
    cache = answered()
    assert (cache.listed(Kind.SERVICE, "0"), cache.observed(PI).service.name) == ((), "pi")


def test_what_the_list_has_is_kept():
    cache, _ = fill({"kind": "Service", "metadata": meta("pi", OURS)}, cache=answered())
    assert (cache.listed(Kind.SERVICE, "2"), cache.observed(PI).service.name) == ((), "pi")
