"""Hosts of the openmpi package on real nodes that are not as the pods need them.

A node that comes late, a driver that does not come, Secrets that are not there or lack a key, and a
command that fails.
All stories are told at the same time.
"""

import pytest

from mpijob.generate.openmpi.objects import CONTROLLER, PROTOTYPE
from mpijob.generate.prototype import Setting
from mpijob.kube.apply import path_of
from mpijob.sidecar.course import DRIVER

pytestmark = [
    pytest.mark.slow,  # Containers are made.
    pytest.mark.root,
    pytest.mark.timeout(300, func_only=True),
]

#: What no node has until the test says so.
LATE = "mpijob.test/late"
MPIEXEC = "mpiexec -n 2 --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root"
#: How long who waits for a driver that does not come waits, in seconds.
SOON = 8
STORIES = {
    "late": {"customResources": f"{LATE}=1", "exec": f"{MPIEXEC} hostname", "secret": "keys"},
    "driverless": {"gpu": "1", "initTimeout": str(SOON), "secret": "keys"},
    "keyless": {"secret": "nowhere"},
    "half-a-key": {"secret": "half"},
    "failing": {"exec": f"{MPIEXEC} sh -c 'exit 3'", "secret": "keys"},
}
_PODS = "/api/v1/namespaces/{}/pods"
_EVENTS = "/api/v1/namespaces/{}/events"
_SECRETS = "/api/v1/namespaces/{}/secrets"
_RIGHTS = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/"
_LOOKING = {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods"]}


def _has_ended(pod):
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def _is_unschedulable(pod):
    rows = pod["status"].get("conditions", ())
    return any(row.get("reason") == "Unschedulable" for row in rows)


def _reason(pod):
    rows = pod["status"]["conditions"]
    return next(row["message"] for row in rows if row["type"] == "PodScheduled")


class Hosts:
    """The pods of the stories, by the stories' names."""

    def __init__(self, site, space, api):
        self.site, self.api = site, api
        self.pods, self.events = _PODS.format(space), _EVENTS.format(space)

    def until(self, name, is_so):
        return self.api.until(self.pods, is_so, fieldSelector=f"metadata.name={name}")

    def ended(self, name, container=""):
        """Return how a pod ended, and what it, or another of its containers, printed."""
        pod = self.until(name, _has_ended)
        rows = pod["status"]["containerStatuses"]
        wanted = container or pod["spec"]["containers"][0]["name"]
        [state] = [row["state"]["terminated"] for row in rows if row["name"] == wanted]
        return state["exitCode"], self.site.log(pod, wanted)


@pytest.fixture(scope="module")
def hosts(site, space, images):
    """The pods, made."""
    with site.api() as api:
        site.mpijob("keys", "create", "keys", "-n", space)
        keys = api.read(f"{_SECRETS.format(space)}/keys")["data"]
        del keys["authorized_keys"]
        api.create(_SECRETS.format(space), {"metadata": {"name": "half"}, "data": keys})
        # One account for all, with the rights that the package's own would have.
        api.create(
            f"{_RIGHTS.format(space)}roles",
            {"metadata": {"name": "view"}, "rules": [_LOOKING]},
        )
        api.create(
            f"{_RIGHTS.format(space)}rolebindings",
            {
                "metadata": {"name": "view"},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "Role",
                    "name": "view",
                },
                "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": space}],
            },
        )
        shared = {
            "image": images["openmpi-5"],
            "controllerImage": images["openmpi-controller"],
            "serviceAccountName": "default",
            "workers": "2",
        }
        for name, given in STORIES.items():
            made = PROTOTYPE.manifests({"name": name, **shared, **given}, Setting(space))
            for manifest in made:
                api.create(path_of(manifest).rpartition("/")[0], manifest)
        yield Hosts(site, space, api)


@pytest.fixture(scope="module")
def late(hosts):
    """Why the workers waited, and what came of the master once nodes had what they asked for."""
    waiting = [hosts.until(f"late-worker-{index}", _is_unschedulable) for index in range(2)]
    reasons = [_reason(pod) for pod in waiting]
    hosts.site.equip(LATE, 2)
    return reasons, *hosts.ended("late-master")


def test_the_scheduler_says_what_no_node_has(late):
    reasons, _, _ = late
    assert [f"Insufficient {LATE}" in reason for reason in reasons] == [True, True]


def test_ranks_run_on_workers_whose_nodes_came_late(late):
    _, code, said = late
    hosts = {line for line in said.splitlines() if line.startswith("late-worker-")}
    assert (code, hosts) == (0, {"late-worker-0", "late-worker-1"}), said


def test_a_driver_that_does_not_come_is_told_by_the_controller(hosts):
    # Its time is over when the master's is, or a little before.
    code, said = hosts.ended("driverless-worker-0", CONTROLLER)
    told = f"there is no driver of the GPUs: {DRIVER} is not there"
    assert (code != 0, told in said) == (True, True), said


def test_the_master_of_workers_without_a_driver_gives_up_too(hosts):
    code, said = hosts.ended("driverless-master")
    assert (code, "2 of 2 workers did not let the master in" in said) == (124, True), said


def test_a_secret_that_is_not_there_is_told_by_the_pods_events(hosts):
    def tells(event):
        about = event["involvedObject"]["name"]
        return about == "keyless-master" and 'secret "nowhere" not found' in event["message"]

    assert hosts.api.until(hosts.events, tells)["reason"] == "FailedMount"


@pytest.mark.parametrize("pod", ["half-a-key-master", "half-a-key-worker-0"])
def test_a_secret_that_lacks_a_key_is_told_by_the_pod(hosts, pod):
    code, said = hosts.ended(pod)
    assert (code, "the Secret has no key authorized_keys;" in said) == (1, True), said


def test_a_master_ends_as_its_command_does(hosts):
    code, said = hosts.ended("failing-master")
    assert code == 3, said


@pytest.mark.parametrize("index", range(2))
def test_the_workers_of_a_master_that_failed_end_well(hosts, index):
    assert hosts.until(f"failing-worker-{index}", _has_ended)["status"]["phase"] == "Succeeded"
