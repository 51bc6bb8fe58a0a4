"""From an operator of older versions to ours, with jobs that wait, run and have ended.

Each definition of older versions that a server of today takes is put in place first, and in it jobs
with the children that their operator makes. Pods run on fake nodes, and the launchers, which v1's
operators made as pods by themselves, end when the test says so. test_taking_over.py has v2beta1.
"""

from dataclasses import dataclass

import pytest
import yaml

from harness import upstream
from harness.fake_site import DEFINITIONS
from harness.fake_site import fake_site as brought_up
from harness.recipes import TOP
from harness.unavailable import Unavailable
from mpijob.core.version import Version
from mpijob.generate.settings import NAMESPACE

RELEASES = {
    "mpi-operator-v0.3": (upstream.WITH_ALL, ("v1alpha2", "v1", "v2beta1")),
    "training-operator-v1.9": (upstream.TRAINING, ("v1",)),
}
#: The labels of v1's pods, by whose they are.
LABELS = {
    "mpi-operator-v0.3": {
        "launcher": {
            "group-name": "kubeflow.org",
            "mpi-job-name": "{}",
            "mpi-job-role": "launcher",
        },
        "worker": {"group-name": "kubeflow.org", "mpi-job-name": "{}", "mpi-job-role": "worker"},
    },
    "training-operator-v1.9": {
        role: {
            "training.kubeflow.org/operator-name": "mpijob-controller",
            "training.kubeflow.org/job-name": "{}",
            "training.kubeflow.org/replica-type": role,
        }
        for role in ("launcher", "worker")
    },
}
JOBS = "/apis/kubeflow.org/v1/namespaces/default/mpijobs"
PODS = "/api/v1/namespaces/default/pods"
LAUNCHERS = "/apis/batch/v1/namespaces/default/jobs"
AT = "2026-01-01T12:00:00Z"
#: The jobs that run while the cluster changes hands, each with how its launcher is to end.
RUNNING = {"runs-well": "Succeeded", "runs-ill": "Failed"}
ENDED = "ended"


def _owner(job):
    about = {"apiVersion": job["apiVersion"], "kind": "MPIJob", "name": job["metadata"]["name"]}
    return {**about, "uid": job["metadata"]["uid"], "controller": True}


def _example(version, name):
    made = yaml.safe_load((TOP / "examples" / version / "pi.yaml").read_text())
    made["metadata"]["name"] = name
    return made


class Theirs:
    """The cluster as another operator keeps it."""

    def __init__(self, site, labels):
        self.api, self.labels = site.api, labels

    def begin(self, name, **phases):
        """Make a v1 job with all its children, and have it run or end."""
        written = _example("v1", name)
        # Not where v1 has it, beside `runPolicy`: a server that stores mpi-operator v0.3's v2beta1
        # drops what that version does not have.
        policy = "All" if name == ENDED else written["spec"].pop("cleanPodPolicy")
        written["spec"]["runPolicy"] = {"cleanPodPolicy": policy}
        job = self.api.create(JOBS, written)
        rights = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
        account = {"kind": "ServiceAccount", "name": f"{name}-launcher", "namespace": "default"}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role"}
        made = {
            "/api/v1/namespaces/default/configmaps": (f"{name}-config", {"data": _texts(name)}),
            "/api/v1/namespaces/default/serviceaccounts": (f"{name}-launcher", {}),
            f"{rights}/roles": (f"{name}-launcher", {"rules": _rules(name)}),
            f"{rights}/rolebindings": (
                f"{name}-launcher",
                {"subjects": [account], "roleRef": {**role, "name": f"{name}-launcher"}},
            ),
        }
        for path, (child, fields) in made.items():
            about = {"name": child, "labels": {"app": name}, "ownerReferences": [_owner(job)]}
            self.api.create(path, {"metadata": about, **fields})
        for role, pods in {"worker": _workers(name), "launcher": [f"{name}-launcher"]}.items():
            for pod in pods:
                self._pod(job, role, pod, phases.get(role))
        return job

    def _pod(self, job, role, pod, phase):
        name = job["metadata"]["name"]
        labels = {key: value.format(name) for key, value in self.labels[role].items()}
        about = {"name": pod, "labels": labels, "ownerReferences": [_owner(job)]}
        container = {"name": "mpi", "image": "example.com/mpi:1", "command": ["sleep", "365d"]}
        spec = {"restartPolicy": "Never", "containers": [container]}
        if role == "launcher":
            spec["serviceAccountName"] = f"{name}-launcher"
        self.api.create(PODS, {"metadata": about, "spec": spec})
        self.api.until(PODS, _runs, fieldSelector=f"metadata.name={pod}")
        if phase is not None:
            self.end(pod, phase)

    def end(self, pod, phase):
        """Have a pod end."""
        code = 0 if phase == "Succeeded" else 3
        ended = {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": AT}
        row = {"name": "mpi", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
        rows = [{**row, "state": {"terminated": ended}}]
        self.api.merge(
            f"{PODS}/{pod}/status", {"status": {"phase": phase, "containerStatuses": rows}}
        )

    def tell(self, name, **more):
        """Write the status that their operator wrote."""
        rows = [("Created", "created", True), ("Running", "running", "completionTime" not in more)]
        rows += [("Succeeded", "done", True)] if "completionTime" in more else []
        conditions = [
            {
                "type": type_,
                "status": str(true),
                "reason": f"MPIJob{type_}",
                "message": f"MPIJob default/{name} is {what}.",
                "lastUpdateTime": AT,
                "lastTransitionTime": AT,
            }
            for type_, what, true in rows
        ]
        status = {"conditions": conditions, "startTime": AT, "replicaStatuses": {}, **more}
        self.api.merge(f"{JOBS}/{name}/status", {"status": status})


def _workers(name):
    return [f"{name}-worker-{index}" for index in range(2)]


def _texts(name):
    agent = '#!/bin/sh\nset -x\nPOD_NAME=$1\nshift\n/opt/kube/kubectl exec ${POD_NAME} -- "$*"'
    hosts = "".join(f"{worker} slots=2\n" for worker in _workers(name))
    return {"hostfile": hosts, "kubexec.sh": agent, "discover_hosts.sh": "#!/bin/sh"}


def _rules(name):
    pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    named = {"resources": ["pods/exec"], "resourceNames": _workers(name), "verbs": ["create"]}
    return [pods, {"apiGroups": [""], **named}]


def _runs(pod):
    return pod.get("status", {}).get("phase") == "Running"


def _true(job):
    rows = job.get("status", {}).get("conditions") or ()
    return {row["type"] for row in rows if row["status"] == "True"}


def _has_ended(job):
    return "completionTime" in job.get("status", {})


@dataclass(frozen=True)
class Moment:
    """What is there at one moment: jobs by name, pods' uids by name, and launchers' Jobs."""

    jobs: dict
    pods: dict
    launchers: set


def _seen(site):
    def found(path):
        return {item["metadata"]["name"]: item for item in site.api.read(path)["items"]}

    pods = {name: pod["metadata"]["uid"] for name, pod in found(PODS).items()}
    return Moment(found(JOBS), pods, set(found(LAUNCHERS)))


def _asked(moment):
    return {name: (job["metadata"]["uid"], job["spec"]) for name, job in moment.jobs.items()}


@pytest.fixture(scope="module", params=RELEASES)
def whose(request):
    """Whose cluster it was."""
    return request.param


@pytest.fixture(scope="module")
def site(whose, tmp_path_factory):
    """A cluster that knows MPIJobs as that operator defines them."""
    try:
        definition = upstream.definition(RELEASES[whose][0])
        with brought_up(tmp_path_factory.mktemp("site"), node_count=2) as there:
            there.api.create(DEFINITIONS, definition)
            there.api.until_answers(JOBS)
            yield there
    except Unavailable as lacking:
        pytest.skip(f"no cluster of that operator's: {lacking}")


@pytest.fixture(scope="module")
def theirs(site, whose):
    return Theirs(site, LABELS[whose])


@pytest.fixture(scope="module")
def left(site, theirs, whose):
    """The cluster as that operator left it."""
    for version in RELEASES[whose][1]:
        path = JOBS.replace("/v1/", f"/{version}/")
        site.api.create(path, _example(version, f"waits-{version}"))
    for name in RUNNING:
        theirs.begin(name)
        theirs.tell(name, replicaStatuses={"Launcher": {"active": 1}, "Worker": {"active": 2}})
    theirs.begin(ENDED, launcher="Succeeded")
    theirs.tell(ENDED, completionTime=AT)
    return _seen(site)


@pytest.fixture(scope="module")
def taken_over(site, left):
    """The cluster once ours has looked at all that is there."""
    words = [f"--serve={version.value}" for version in Version]
    code, _, complaint = site.mpijob("install", "--force", *words)
    assert code == 0, complaint
    site.operator(NAMESPACE)
    for name in (*(job for job in left.jobs if job.startswith("waits")), "probe"):
        if name == "probe":
            site.api.create(JOBS, _example("v1", name))
        site.api.until(JOBS, _has_ended, fieldSelector=f"metadata.name={name}")
    return _seen(site)


@pytest.fixture(scope="module")
def done(site, theirs, taken_over):
    """The cluster once the launchers have ended."""
    for name, phase in RUNNING.items():
        theirs.end(f"{name}-launcher", phase)
        site.api.until(JOBS, _has_ended, fieldSelector=f"metadata.name={name}")
        for worker in _workers(name):
            site.api.until_gone(PODS, worker)
    return _seen(site)


def test_no_job_is_lost_and_none_reads_otherwise(left, taken_over):
    assert _asked(taken_over).items() >= _asked(left).items()


def test_jobs_that_waited_have_run(left, taken_over):
    waited = [name for name in left.jobs if name.startswith("waits")]
    assert {name: _true(taken_over.jobs[name]) for name in waited} == {
        name: {"Created", "Succeeded"} for name in waited
    }


def test_jobs_that_ran_go_on_in_the_very_same_pods(left, taken_over):
    names = [pod for name in RUNNING for pod in (f"{name}-launcher", *_workers(name))]
    assert {name: taken_over.pods.get(name) for name in names} == {
        name: left.pods[name] for name in names
    }


def test_no_second_launcher_is_made_for_them(taken_over):
    assert taken_over.launchers.isdisjoint(f"{name}-launcher" for name in (*RUNNING, ENDED))


def test_they_say_that_they_run(taken_over):
    assert [_true(taken_over.jobs[name]) for name in RUNNING] == [{"Created", "Running"}] * 2


@pytest.mark.parametrize(("name", "end"), RUNNING.items(), ids=RUNNING)
def test_they_end_as_their_launchers_do(done, name, end):
    assert _true(done.jobs[name]) == {"Created", end}


def test_a_job_that_had_ended_keeps_its_status_and_its_launchers_log(left, done):
    kept = f"{ENDED}-launcher"
    assert (done.jobs[ENDED]["status"], done.pods.get(kept)) == (
        left.jobs[ENDED]["status"],
        left.pods[kept],
    )


def test_launchers_of_ended_jobs_stay(left, done):
    names = [f"{name}-launcher" for name in RUNNING]
    assert [done.pods.get(name) for name in names] == [left.pods[name] for name in names]


def test_what_a_server_of_today_does_not_take_is_still_older(site):
    path = upstream.folder(upstream.OLDEST) / upstream.OLDEST.definition
    code, _, complaint = site.kubectl("create", "-f", str(path))
    assert (code, "apiextensions.k8s.io/v1beta1" in complaint) == (1, True)
