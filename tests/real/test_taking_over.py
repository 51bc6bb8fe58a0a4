"""From mpi-operator v0.8.2 to ours, back, and from one version of ours to the next, with live jobs.

Every job whose run under mpi-operator was recorded is loaded as it was in the midst of it: under
mpi-operator's own definition, with its children, keys and status. Then the cluster changes hands
again and again, on a real API server with its own Job controller; pods run on fake nodes. In more
detail in tests/engine/test_taking_over.py.
"""

from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from harness import upstream
from harness.fake_site import CHILDREN, JOBS, FakeSite
from harness.fake_site import fake_site as brought_up
from harness.unavailable import Unavailable
from mpijob.core import names
from mpijob.generate.settings import IMAGE, NAMESPACE

DATA = Path(__file__).parents[1] / "parity" / "data"
CASES = {
    case["job"]["metadata"]["name"]: case
    for path in sorted(DATA.glob("*.yaml"))
    for case in [yaml.load(path.read_text(), yaml.CSafeLoader)]
}
#: The jobs of which mpi-operator made something, each with whether its launcher is to end well.
LIVE = {name: index % 2 == 0 for index, name in enumerate(n for n in CASES if CASES[n]["children"])}
RUNNING = [name for name in LIVE if "running" in CASES[name]]
KINDS = {
    "service": "services",
    "config": "configmaps",
    "secret": "secrets",
    "launcher": "jobs",
}
RUNS_FOR, EXIT_CODE = "fake.mpijob.dev/runs-for", "fake.mpijob.dev/exit-code"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEFINITION = f"{DEFINITIONS}/mpijobs.kubeflow.org"
WHERE = "default"


# The cluster as mpi-operator left it.


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A cluster of this module's own, which knows MPIJobs as mpi-operator defines them."""
    try:
        definition = upstream.definition()
        with brought_up(tmp_path_factory.mktemp("site"), node_count=4) as there:
            there.api.create(DEFINITIONS, definition)
            there.api.until_answers(JOBS.format(WHERE))
            yield there
    except Unavailable as lacking:
        pytest.skip(f"no cluster of mpi-operator's: {lacking}")


def _load(api, name, *, well):
    """Make a job of mpi-operator's with all its children, as they were recorded."""
    case = deepcopy(CASES[name])
    written, limits = case["job"], {"backoffLimit": 0}
    written["spec"]["runPolicy"] = written["spec"].get("runPolicy", {}) | limits
    job = api.create(JOBS.format(WHERE), written)
    told = _status(case.get("running") or case["suspended"])
    api.merge(f"{JOBS.format(WHERE)}/{name}/status", {"status": told})
    for kind, child in case["children"].items():
        if kind == "workers":
            for worker, pod in _workers(name, child):
                pod["metadata"] |= {"name": worker}
                _make(api, "pods", pod, job)
        elif kind in KINDS:
            keys = child.pop("keys", None)
            if keys:
                child["data"] = dict.fromkeys(keys, "dGhlaXJz")
            if kind == "launcher":
                child["spec"] |= limits
                marks = {RUNS_FOR: "ever", EXIT_CODE: "0" if well else "3"}
                child["spec"]["template"]["metadata"].setdefault("annotations", {}).update(marks)
            _make(api, KINDS[kind], child, job)


def _make(api, plural, child, job):
    child["metadata"] |= {"namespace": WHERE, "ownerReferences": [_owner(job)]}
    api.create(CHILDREN[plural].format(WHERE), child)


def _owner(job):
    about = {"apiVersion": job["apiVersion"], "kind": "MPIJob", "uid": job["metadata"]["uid"]}
    flags = {"controller": True, "blockOwnerDeletion": True}
    return {**about, "name": job["metadata"]["name"], **flags}


def _workers(name, recorded):
    """Yield every worker's pod; of many, the recording keeps two."""
    count = CASES[name]["running"]["status"]["replicas"]["Worker"].get("active", 0)
    indices = {pod["metadata"]["labels"][names.REPLICA_INDEX_LABEL] for pod in recorded.values()}
    yield from recorded.items()
    for index in map(str, range(count if len(recorded) < count else 0)):
        if index not in indices:
            pod = deepcopy(next(iter(recorded.values())))
            pod["metadata"]["labels"][names.REPLICA_INDEX_LABEL] = index
            pod["spec"]["hostname"] = f"{name}-worker-{index}"
            yield f"{name}-worker-{index}", pod


def _status(moment):
    """What mpi-operator said of a job at a moment, as if that were now."""
    told, at = moment["status"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    times = {"lastUpdateTime": at, "lastTransitionTime": at}
    conditions = [{**row, **times} for row in told.get("conditions", ())]
    return {
        "conditions": conditions,
        "replicaStatuses": told.get("replicas", {}),
        **dict.fromkeys(told["times"], at),
    }


@dataclass(frozen=True)
class Moment:
    """What is there of the jobs at one moment.

    Args:
        jobs: Each job's uid and what was asked for.
        children: Each child's uid by kind and name; the launchers' pods are among them.
        keys: What each Secret holds.
        restarts: How often each pod's containers were started again.
        states: What each job says of itself.

    """

    jobs: dict
    children: dict
    keys: dict
    restarts: dict
    states: dict


def _seen(site: FakeSite) -> Moment:
    found = {kind: site.api.read(path.format(WHERE))["items"] for kind, path in CHILDREN.items()}
    owned = {
        (kind, item["metadata"]["name"]): item
        for kind, items in found.items()
        for item in items
        if item["metadata"].get("ownerReferences")
    }
    jobs = {job["metadata"]["name"]: job for job in site.api.read(JOBS.format(WHERE))["items"]}
    return Moment(
        jobs={name: (job["metadata"]["uid"], job["spec"]) for name, job in jobs.items()},
        children={key: item["metadata"]["uid"] for key, item in owned.items()},
        keys={name: item["data"] for (kind, name), item in owned.items() if kind == "secrets"},
        restarts={
            name: [row["restartCount"] for row in item["status"].get("containerStatuses", ())]
            for (kind, name), item in owned.items()
            if kind == "pods"
        },
        states={name: _conditions(job) for name, job in jobs.items()},
    )


def _conditions(job):
    rows = job.get("status", {}).get("conditions") or ()
    return {row["type"] for row in rows if row["status"] == "True"}


def _runs(pod):
    return pod.get("status", {}).get("phase") == "Running"


@pytest.fixture(scope="module")
def left(site):
    """The cluster in the midst of mpi-operator's jobs."""
    for name, case in CASES.items():
        if name in LIVE:
            _load(site.api, name, well=LIVE[name])
        else:
            site.api.create(JOBS.format(WHERE), case["job"])
    wanted = {
        pod: f"batch.kubernetes.io/job-name={pod}" for pod in map("{}-launcher".format, RUNNING)
    }
    for label in wanted.values():
        site.api.until(CHILDREN["pods"].format(WHERE), _runs, labelSelector=label)
    for _, pod in [key for key in _seen(site).children if key[0] == "pods"]:
        field = f"metadata.name={pod}"
        site.api.until(CHILDREN["pods"].format(WHERE), _runs, fieldSelector=field)
    return _seen(site)


# How it changes hands.


def _ours(site, *words):
    """Install ours, have it act, and return its process once it has looked at all that is there."""
    code, _, complaint = site.mpijob("install", "--wait", *words)
    assert code == 0, complaint
    return _acting(site)


def _acting(site):
    """Run the operator that is installed; return it once it has brought a job of its own to an end.

    The job is the last that the operator comes to see: by then it has looked at all others.
    """
    probe = _plain("probe")
    process = site.operator(NAMESPACE)
    space = "probes"
    site.api.create(JOBS.format(space), probe)
    site.until(space, "probe", lambda job: "Succeeded" in _conditions(job))
    site.api.delete(f"{JOBS.format(space)}/probe")
    for kind, found in site.children(space, "probe").items():
        for name in found:
            site.api.until_gone(CHILDREN[kind].format(space), name)
    return process


def _plain(name):
    case = deepcopy(CASES["plain"]["job"])
    return {**case, "metadata": {"name": name}}


@pytest.fixture(scope="module")
def taken_over(site, left):
    """Ours after mpi-operator."""
    site.space("probes")
    process = _ours(site)
    for kind in KINDS.values():
        path = CHILDREN[kind].format(WHERE)
        for _, name in [key for key in left.children if key[0] == kind]:
            field = f"metadata.name={name}"
            site.api.until(path, _is_adopted, fieldSelector=field)
    return process, _seen(site)


def _is_adopted(child):
    return names.CHILD_LABEL in child["metadata"].get("labels", {})


@pytest.fixture(scope="module")
def handed_back(site, taken_over):
    """mpi-operator's definition after ours, by the command that its documentation gives."""
    process, _ = taken_over
    process.stop()
    path = upstream.folder() / upstream.NEWEST.definition
    words = ["apply", "--server-side", "--force-conflicts", "-f", str(path)]
    code, _, complaint = site.kubectl(*words)
    assert code == 0, complaint
    site.api.until(DEFINITIONS, _is_theirs, fieldSelector="metadata.name=mpijobs.kubeflow.org")
    site.api.merge(f"{JOBS.format(WHERE)}/plain", {"metadata": {"labels": {"written": "there"}}})
    return _seen(site)


def _is_theirs(crd):
    rows = {row["type"]: row["status"] for row in crd["status"]["conditions"]}
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return rows.get("Established") == "True" and "x-kubernetes-validations" not in schema


@pytest.fixture(scope="module")
def ours_again(site, handed_back):
    """Ours once more."""
    return _ours(site), _seen(site)


@pytest.fixture(scope="module")
def upgraded(site, ours_again):
    """The next version of ours: its process is started, and the one before it stopped."""
    process, _ = ours_again
    process.ask_to_end()
    return _ours(site, "--image=mpijob/operator:next"), _seen(site)


@pytest.fixture(scope="module")
def downgraded(site, upgraded):
    """And the version before it."""
    process, _ = upgraded
    process.ask_to_end()
    return _ours(site, f"--image={IMAGE}"), _seen(site)


@pytest.fixture(scope="module")
def ended(site, downgraded):
    """The end of every job: the suspended one is resumed, and every launcher ends as it will."""
    path = JOBS.format(WHERE)
    site.api.merge(f"{path}/suspended", {"spec": {"runPolicy": {"suspend": False}}})
    site.until(WHERE, "suspended", lambda job: "Running" in _conditions(job))
    pods = CHILDREN["pods"].format(WHERE)
    launchers = site.api.read(pods, labelSelector=f"{names.JOB_ROLE_LABEL}=launcher")["items"]
    for pod in launchers:
        unmarked = {"metadata": {"annotations": {RUNS_FOR: None}}}
        site.api.merge(f"{pods}/{pod['metadata']['name']}", unmarked)
    for name in LIVE:
        site.until(WHERE, name, _has_ended)
    return _seen(site)


@pytest.fixture(scope="module")
def examples(site, downgraded):
    """What became of mpi-operator's own examples, applied as they are."""
    spaces = {path.stem: site.space(f"their-{path.stem}") for path in upstream.examples()}
    for path in upstream.examples():
        code, _, complaint = site.kubectl("apply", "-n", spaces[path.stem], "-f", str(path))
        assert code == 0, complaint
    return {
        example: _conditions(site.api.until(JOBS.format(space), _has_ended))
        for example, space in spaces.items()
    }


def _has_ended(job):
    return "completionTime" in job.get("status", {})


# What is to be seen of it.

HANDS = ("taken_over", "ours_again", "upgraded", "downgraded")


@pytest.fixture
def after(request):
    """What was there once the cluster had changed hands."""
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, Moment) else found[1]


each_time = pytest.mark.parametrize("after", ["handed_back", *HANDS], indirect=True)


def test_the_cluster_was_in_the_midst_of_every_job(left):
    states = {name: {"Created", "Running"} for name in RUNNING}
    others = {name: left.states[name] for name in CASES if name not in RUNNING}
    assert (left.states, len(left.states)) == (
        {**states, **others, "suspended": {"Created", "Suspended"}},
        17,
    )


@each_time
def test_no_job_is_lost_and_none_is_asked_for_anything_else(left, after):
    assert after.jobs == left.jobs


@each_time
def test_no_pod_and_no_other_child_is_made_anew(left, after):
    assert after.children == left.children


@each_time
def test_no_container_is_started_again(left, after):
    assert after.restarts == left.restarts


@each_time
def test_no_key_is_drawn_again(left, after):
    assert after.keys == left.keys


@pytest.mark.parametrize("after", HANDS, indirect=True)
def test_every_job_says_what_it_said_and_an_invalid_one_that_it_is(left, after):
    invalid = next(name for name in CASES if name.startswith("invalid"))
    assert after.states == {**left.states, invalid: {"Invalid"}}


def test_every_job_ends_as_its_launcher_does(ended):
    ends = {name: {"Created", "Succeeded" if well else "Failed"} for name, well in LIVE.items()}
    assert {name: ended.states[name] for name in LIVE} == ends


def test_the_pods_that_are_left_are_those_that_mpi_operator_made(left, ended):
    made = {
        key: uid
        for key, uid in ended.children.items()
        if key[0] == "pods" and not key[1].startswith("suspended")
    }
    assert made.items() <= left.children.items()


def test_their_examples_run_unchanged(examples):
    names = ("pi", "pi-intel", "pi-mpich", "tensorflow-benchmarks", "tensorflow-mnist")
    assert examples == {name: {"Created", "Succeeded"} for name in names}
