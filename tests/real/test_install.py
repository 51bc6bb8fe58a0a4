"""An operator that `mpijob install` put into a cluster, under the rights that it was given there.

Its pods run on fake nodes, which only say so; the operator that acts is a process here, with the
token of its service account and the arguments of its Deployment. Pods of jobs run as the fake nodes
say: at once, and a launcher's ends well unless told otherwise. The server guards owner references,
as some clusters do.
"""

import threading
import time

import pytest
import yaml

from harness.fake_site import CHILDREN, JOBS, job_of
from harness.fake_site import fake_site as brought_up
from harness.unavailable import Unavailable
from mpijob.core import names
from mpijob.generate.rights import lease_rules, operator_rules
from mpijob.generate.settings import NAME, NAMESPACE, Installation

GUARDED = "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"
TEAM, TEAM_OPERATOR = "team", "team-operator"
EVER = {"fake.mpijob.dev/runs-for": "ever"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A cluster of this module's own."""
    try:
        with brought_up(tmp_path_factory.mktemp("site"), options=[GUARDED]) as there:
            yield there
    except Unavailable as lacking:
        pytest.skip(f"no real control plane: {lacking}")


#: v2beta1 alone, by ssh alone: what the jobs of these tests need, and so all that is granted.
ALONE = ("--serve=v2beta1", "--kubectl-delivery-image=")


@pytest.fixture(scope="module")
def installed(site):
    """What the installation said, once its operator runs."""
    code, said, complaint = site.mpijob("install", "--wait", *ALONE)
    assert code == 0, complaint
    site.operator(NAMESPACE)
    return said


@pytest.fixture(scope="module")
def user_space(site, installed):
    """A namespace of somebody who uses MPIJobs."""
    return site.space("somebody")


def _job(name, workers=2, *, annotations=None, **run_policy):
    container = {"name": "mpi", "image": "example/mpi:1", "command": ["mpirun", "hostname"]}
    role = {"metadata": {"annotations": annotations or {}}, "spec": {"containers": [container]}}
    plain = {"spec": {"containers": [{"name": "mpi", "image": "example/mpi:1"}]}}
    roles = {
        "Launcher": {"replicas": 1, "template": role},
        "Worker": {"replicas": workers, "template": plain},
    }
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": name},
        "spec": {"runPolicy": run_policy, "mpiReplicaSpecs": roles},
    }


def _is(state, ready=None):
    def so(job):
        status = job.get("status", {})
        return status.get("state") == state and ready in (None, status.get("ready"))

    return so


# What is installed.


def test_the_installation_says_what_it_made(installed):
    made = [line.split() for line in installed.splitlines()]
    assert ["deployment.apps/mpijob-operator", "created"] in made


def test_an_installation_that_is_complete_changes_nothing(site, installed):
    _, said, _ = site.mpijob("install", "--force", *ALONE)
    assert [line for line in said.splitlines() if not line.endswith(" unchanged")] == []


def test_a_dry_run_says_what_would_change(site, installed):
    words = ["--force", "--dry-run", "--cluster-domain=example.org"]
    _, said, _ = site.mpijob("install", *words, *ALONE)
    changed = [line for line in said.splitlines() if "unchanged" not in line]
    assert changed == ["deployment.apps/mpijob-operator configured (dry run)"]


def test_its_pods_keep_the_restricted_standard(site, installed):
    space = site.api.read(f"/api/v1/namespaces/{NAMESPACE}")
    enforced = space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    pods = site.api.read(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
    assert (enforced, len(pods)) == ("restricted", 2)


def test_users_with_kubernetes_own_roles_may_use_jobs(site, installed):
    def may(role, verb):
        binding = {
            "metadata": {"name": f"{role}-somebody"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "apiGroup": RBAC, "name": role}],
        }
        bindings = f"/apis/{RBAC}/v1/namespaces/default/rolebindings"
        site.api.ask("POST", bindings, binding)
        attributes = {"group": "kubeflow.org", "resource": "mpijobs", "verb": verb}
        spec = {"user": role, "resourceAttributes": {**attributes, "namespace": "default"}}
        review = {"kind": "SubjectAccessReview", "apiVersion": REVIEW, "spec": spec}
        return site.api.create(f"/apis/{REVIEW}/subjectaccessreviews", review)["status"]["allowed"]

    def may_soon(role, verb):
        """Ask until it is so: who guards rights hears of a new binding a moment later."""
        moment, over_at = threading.Event(), time.monotonic() + 30
        while not may(role, verb) and time.monotonic() < over_at:
            moment.wait(0.1)
        return may(role, verb)

    rights = {role: (may_soon(role, "list"), may(role, "create")) for role in ("edit", "view")}
    assert rights == {"edit": (True, True), "view": (True, False)}


RBAC, REVIEW = "rbac.authorization.k8s.io", "authorization.k8s.io/v1"

# What the operator does there. Each story is played once and told to those who ask.


@pytest.fixture(scope="module")
def succeeded(site, user_space):
    """A job that ran to its end, and its children."""
    site.api.create(JOBS.format(user_space), _job("pi"))
    job = site.until(user_space, "pi", _is("Succeeded"))
    return job, site.children(user_space, "pi")


@pytest.fixture(scope="module")
def resumed(site, user_space):
    """The states of a job that was made suspended, let run, held, and let run again."""
    path = f"{JOBS.format(user_space)}/held"
    site.api.create(JOBS.format(user_space), _job("held", annotations=EVER, suspend=True))
    seen = [site.until(user_space, "held", _is("Suspended", "0/2"))]
    for suspend, so in (
        (False, _is("Running", "2/2")),
        (True, _is("Suspended", "0/2")),
        (False, _is("Running", "2/2")),
    ):
        site.api.merge(path, {"spec": {"runPolicy": {"suspend": suspend}}})
        seen.append(site.until(user_space, "held", so))
    return seen


@pytest.fixture(scope="module")
def scaled(site, user_space):
    """The children of a job that was scaled up and down."""
    path = f"{JOBS.format(user_space)}/elastic"
    site.api.create(JOBS.format(user_space), _job("elastic", annotations=EVER))
    site.until(user_space, "elastic", _is("Running", "2/2"))
    for count in (3, 1):
        fields = {"mpiReplicaSpecs": {"Worker": {"replicas": count}}}
        site.api.merge(path, {"spec": fields})
        site.until(user_space, "elastic", _is("Running", f"{count}/{count}"))
    return site.children(user_space, "elastic")


@pytest.fixture(scope="module")
def mended(site, user_space, scaled):
    """The Service of a running job whose selector somebody had changed."""
    services = f"/api/v1/namespaces/{user_space}/services"
    site.api.merge(f"{services}/elastic", {"spec": {"selector": {"stray": "yes"}}})
    query = {"fieldSelector": "metadata.name=elastic"}
    return site.api.until(services, lambda s: "stray" not in s["spec"]["selector"], **query)


@pytest.fixture(scope="module")
def tidied(site, user_space):
    """What is left of a job whose time to live ran out."""
    site.api.create(JOBS.format(user_space), _job("brief", ttlSecondsAfterFinished=1))
    job = site.until(user_space, "brief", _is("Succeeded"))
    for path in CHILDREN.values():
        collection = path.format(user_space)
        for item in site.api.read(collection)["items"]:
            if job_of(item) == "brief":
                site.api.until_gone(collection, item["metadata"]["name"])
    return job["status"]["state"], site.children(user_space, "brief")


@pytest.fixture(scope="module")
def adopted(site, user_space):
    """The labels of children that stood there before the operator looked at their job."""
    jobs = JOBS.format(user_space)
    # A job of another manager is left alone for as long as it takes to give it children.
    made = site.api.create(jobs, _job("old", annotations=EVER, managedBy=ELSEWHERE))
    owner = {
        "apiVersion": made["apiVersion"],
        "kind": "MPIJob",
        "name": "old",
        "uid": made["metadata"]["uid"],
        "controller": True,
    }
    containers = [{"name": "mpi", "image": "example/mpi:1"}]
    template = {"metadata": {"annotations": EVER}, "spec": {"containers": containers}}
    template["spec"]["restartPolicy"] = "Never"
    selector = {names.OPERATOR_NAME_LABEL: "mpi-operator", names.JOB_NAME_LABEL: "old"}
    bodies = {
        ("services", "old"): {"spec": {"clusterIP": "None", "selector": selector}},
        ("configmaps", "old-config"): {"data": {}},
        ("secrets", "old-ssh"): {"stringData": {"ssh-privatekey": "a", "ssh-publickey": "b"}},
        ("jobs", "old-launcher"): {"spec": {"suspend": True, "template": template}},
    }
    for (kind, name), body in bodies.items():
        metadata = {"name": name, "ownerReferences": [owner]}
        site.api.create(CHILDREN[kind].format(user_space), {"metadata": metadata, **body})
    # As a launcher's Job is that ran before it was held. Kubernetes takes the start from it itself,
    # but once only: as it notes that the Job is held.
    collection = CHILDREN["jobs"].format(user_space)
    site.api.until(collection, _is_held, fieldSelector="metadata.name=old-launcher")
    started = {"status": {"startTime": made["metadata"]["creationTimestamp"]}}
    site.api.merge(f"{collection}/old-launcher/status", started)
    site.api.merge(f"{jobs}/old", {"spec": {"runPolicy": {"managedBy": None}}})
    site.until(user_space, "old", _is("Running"))
    return {
        kind: site.api.read(f"{CHILDREN[kind].format(user_space)}/{name}")["metadata"]["labels"]
        for kind, name in bodies
    }


def _is_held(launcher):
    rows = launcher.get("status", {}).get("conditions", ())
    return any(row["type"] == "Suspended" and row["status"] == "True" for row in rows)


ELSEWHERE = "kueue.x-k8s.io/multikueue"


@pytest.fixture(scope="module")
def blocked(site, user_space):
    """A job that finds somebody else's pod under a worker's name."""
    pod = {"containers": [{"name": "mine", "image": "example/mine:1"}]}
    pods = CHILDREN["pods"].format(user_space)
    site.api.create(pods, {"metadata": {"name": "late-worker-0"}, "spec": pod})
    site.api.create(JOBS.format(user_space), _job("late"))
    return site.until(user_space, "late", _is("Blocked"))


@pytest.fixture(scope="module")
def deleted(site, user_space):
    """What is left of a running job that was deleted."""
    jobs = JOBS.format(user_space)
    site.api.create(jobs, _job("short", annotations=EVER))
    site.until(user_space, "short", _is("Running"))
    there = site.children(user_space, "short")
    site.api.delete(f"{jobs}/short")
    for kind, found in there.items():
        for name in found:
            site.api.until_gone(CHILDREN[kind].format(user_space), name)
    return site.children(user_space, "short")


def test_a_job_runs_to_its_end(succeeded):
    job, _ = succeeded
    assert {key: job["status"][key] for key in ("state", "ready", "restarts")} == {
        "state": "Succeeded",
        "ready": "0/2",
        "restarts": 0,
    }


def test_a_job_has_the_children_that_it_needs(succeeded):
    assert succeeded[1] == {
        "services": ["pi"],
        "configmaps": ["pi-config"],
        "secrets": ["pi-ssh", "pi-ssh-host"],
        "pods": ["pi-worker-0", "pi-worker-1"],
        "jobs": ["pi-launcher"],
    }


def test_a_job_is_held_and_let_go_on(resumed):
    started = [bool(job["status"].get("startTime")) for job in resumed]
    assert started == [False, True, False, True]


def test_a_job_is_scaled(scaled):
    assert scaled["pods"] == ["elastic-worker-0"]


def test_a_service_that_somebody_changed_is_mended(mended):
    wanted = {
        names.JOB_NAME_LABEL: "elastic",
        names.OPERATOR_NAME_LABEL: "mpi-operator",
    }
    assert mended["spec"]["selector"] == wanted


def test_a_job_whose_time_is_up_leaves_nothing_but_itself(tidied):
    assert tidied == ("Succeeded", {})


def test_children_that_another_operator_made_are_adopted(adopted):
    assert {kind: names.CHILD_LABEL in labels for kind, labels in adopted.items()} == dict.fromkeys(
        adopted, True
    )


def test_a_job_whose_names_are_taken_says_so(blocked):
    assert "late-worker-0" in str(blocked["status"]["conditions"])


def test_a_job_that_is_deleted_leaves_nothing(deleted):
    assert deleted == {}


def _granted(rules):
    return {
        (resource, verb)
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.usefixtures(
    "succeeded", "resumed", "scaled", "mended", "tidied", "adopted", "blocked", "deleted"
)
def test_every_right_is_used_and_no_other_is_needed(site):
    asked = [row for row in site.cluster.requests() if row.user == site.user(NAMESPACE)]
    used = {
        (f"{row.resource}/{row.subresource}".rstrip("/"), row.verb) for row in asked if row.resource
    }
    refused = {(row.resource, row.subresource, row.verb) for row in asked if row.code == 403}
    # The server itself looks at that right, where it guards owner references.
    granted = _granted(
        [
            *operator_rules(Installation(served=("v2beta1",), kubectl_delivery_image="")),
            *lease_rules(),
        ]
    ) - {("mpijobs/finalizers", "update")}
    assert (used ^ granted, refused) == (set(), set())


# One namespace.


@pytest.fixture(scope="module")
def team(site, installed):
    """A namespace with an operator of its own, and what was said when it was installed."""
    site.space(TEAM)
    words = ["install", f"--namespace={TEAM_OPERATOR}", f"--watch-namespace={TEAM}", *ALONE]
    refusal = site.mpijob(*words)
    code, _, complaint = site.mpijob(*words, "--force", "--wait")
    assert code == 0, complaint
    site.operator(TEAM_OPERATOR)
    return refusal


def test_an_operator_for_all_is_in_the_way_of_one_for_a_team(team):
    code, said, complaint = team
    assert (code, said, "Deployment mpi-operator/mpijob-operator" in complaint) == (4, "", True)


def test_the_operator_of_a_team_sees_its_namespace_alone(site, team):
    site.api.create(JOBS.format(TEAM), _job("ours"))
    site.until(TEAM, "ours", _is("Succeeded"))
    asked = [row for row in site.cluster.requests() if row.user == site.user(TEAM_OPERATOR)]
    # Which versions are served, everybody may ask; that is about no resource.
    rows = [row for row in asked if row.resource]
    assert ({row.namespace for row in rows}, {row.code for row in rows if row.code >= 400}) <= (
        {TEAM, TEAM_OPERATOR},
        {404, 409},
    )


def test_the_operator_of_a_team_has_no_right_beyond_it(site, team):
    bindings = site.api.read(f"/apis/{RBAC}/v1/clusterrolebindings")["items"]
    bound = [
        item["metadata"]["name"]
        for item in bindings
        for subject in item.get("subjects", ())
        if (subject.get("namespace"), subject["name"]) == (TEAM_OPERATOR, NAME)
    ]
    assert bound == []


def test_the_manifests_that_are_printed_are_those_that_are_there(site, installed):
    _, printed, _ = site.mpijob("install", "-o", "yaml")
    kinds = [manifest["kind"] for manifest in yaml.safe_load_all(printed)]
    assert len(kinds) == len(installed.splitlines()) - 1
