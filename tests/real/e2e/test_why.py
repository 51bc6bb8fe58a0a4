"""`why` names the true cause of real faults, and says of nothing else that it is the cause.

The jobs are made at the same time, each with one fault, and `why` is asked of all of them again and
again, by somebody who may only look. So what it says while a fault is still unfolding counts, too.
Last the operator is taken away, and a node is lost.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness import faults
from harness.api import Api, Object
from harness.cluster import write_kubeconfig
from harness.fake_nodes import is_ready
from harness.manifests import AS_ROOT, job
from harness.node_settings import BUSYBOX
from harness.site import OPERATOR_SPACE, Site
from mpijob.cli.root import cli

pytestmark = [
    pytest.mark.slow,  # Faults take their time to unfold.
    pytest.mark.root,
    pytest.mark.timeout(600, func_only=True),
]

_JOBS = "/apis/kubeflow.org/v2beta1/namespaces/{}/mpijobs"
_PODS = "/api/v1/namespaces/{}/pods"
_ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings"
_OPERATOR = f"/apis/apps/v1/namespaces/{OPERATOR_SPACE}/deployments/mpijob-operator"
#: How long all faults together may take until each is named.
_LIMIT_S = 240
_PAUSE_S = 1.0
_LOST_NODE = "node-1"


@dataclass(frozen=True)
class Fault:
    """One fault of one job.

    Args:
        image: What launcher and workers run in.
        command: What the launcher runs.
        launcher: Fields of the launcher's pod.
        worker: Fields of the workers' pods.
        spec: Fields of the job's spec.
        restarts: The workers' restart policy.
        labels: Of the job.
        workers: How many there are.
        space: Which namespace the job is in, by what is special about it.
        cause: What the first fact says, as a pattern.
        advice: What is in the advice.
        also: What else is true, and may be named first while the fault unfolds.

    """

    cause: str
    advice: str
    also: str = "^$"
    image: str = "openmpi-5"
    command: tuple[str, ...] = AS_ROOT
    launcher: Object | None = None
    worker: Object | None = None
    spec: Mapping[str, object] | None = None
    restarts: str = "Never"
    labels: Mapping[str, str] | None = None
    workers: int = 1
    space: str = "plain"


def _container(**fields: object) -> Object:
    return {"containers": [fields]}


_LOCAL = {"image": BUSYBOX, "imagePullPolicy": "Never"}
_ONCE = {"runPolicy": {"backoffLimit": 0}}
_FETCH = {**_LOCAL, "name": "fetch", "command": ["sh", "-c", "echo no such bucket; exit 4"]}
_NO_DNS = {
    "dnsPolicy": "None",
    "dnsConfig": {
        "nameservers": ["192.0.2.53"],
        "options": [{"name": "timeout", "value": "1"}, {"name": "attempts", "value": "1"}],
    },
}
_OWN_SSHD = "/usr/sbin/sshd -De -h /keys/id_rsa"


def _volume(**source: object) -> Object:
    mount = {"name": "data", "mountPath": "/data"}
    return {"volumes": [{"name": "data", **source}], **_container(volumeMounts=[mount])}


EVICTED = "an eviction"
FAULTS = {
    "an image that nobody has": Fault(
        cause=r"waits \((ErrImagePull|ImagePullBackOff)\).*no-such-image",
        advice="image's name",
        image="no-such-image",
    ),
    "a quota that is used up": Fault(
        cause="was refused: .*exceeded quota: two-pods",
        advice="quota",
        workers=3,
        space="quota",
    ),
    "a label that no node bears": Fault(
        cause="cannot be scheduled: .*node affinity/selector",
        advice="nodeSelector",
        worker={"nodeSelector": {"disk": "none"}},
    ),
    "more GPUs than a node has": Fault(
        cause="cannot be scheduled: .*Insufficient nvidia.com/gpu",
        advice="device plugin",
        worker=_container(resources={"limits": {"nvidia.com/gpu": "64"}}),
    ),
    "a worker without memory": Fault(
        cause="OOMKilled",
        advice="memory limit",
        worker=_container(
            **_LOCAL,
            command=["sh", "-c", "tail /dev/zero"],
            resources={"limits": {"memory": "20Mi"}},
        ),
        spec=_ONCE,
    ),
    "a launcher without memory": Fault(
        cause="OOMKilled",
        advice="memory limit",
        command=("sh", "-c", "tail /dev/zero"),
        launcher=_container(resources={"limits": {"memory": "40Mi"}}),
        spec=_ONCE,
    ),
    "a key that others may read": Fault(
        cause="failed .*(too open|no hostkeys)",
        advice="owner alone",
        worker=_container(command=["/bin/sh", "-c", _OWN_SSHD]),
        spec={**_ONCE, "sshAuthMountPath": "/keys"},
    ),
    "an image without sshd": Fault(
        cause="image has no sshd",
        advice="openssh-server",
        worker=_container(**_LOCAL),
        spec=_ONCE,
    ),
    "a DNS that does not answer": Fault(
        cause="in vain:.*name resolution",
        advice="DNS",
        launcher=_NO_DNS,
    ),
    "a claim that is not there": Fault(
        cause='persistentvolumeclaim "nowhere" not found',
        advice="PersistentVolumeClaim",
        worker=_volume(persistentVolumeClaim={"claimName": "nowhere"}),
    ),
    "more ranks than slots": Fault(
        cause="not enough slots",
        advice="slotsPerWorker",
        command=("mpirun", "--allow-run-as-root", "-n", "64", "hostname"),
        spec=_ONCE,
    ),
    "a launcher's program that is not there": Fault(
        cause="executable file not found",
        advice="PATH",
        command=("mpirum", "hostname"),
        spec=_ONCE,
    ),
    "a rank's program that is not there": Fault(
        cause="/no/such/program",
        advice="PATH",
        command=("mpirun", "--allow-run-as-root", "/no/such/program"),
        spec=_ONCE,
    ),
    "workers that run no sshd": Fault(
        cause="in vain:.*refused",
        advice="sshd does not listen",
        worker=_container(command=["sleep", "3600"]),
    ),
    "a ConfigMap that is not there": Fault(
        cause=r'CreateContainerConfigError.*configmap "nowhere" not found',
        advice="ConfigMap",
        worker=_container(envFrom=[{"configMapRef": {"name": "nowhere"}}]),
    ),
    "a Secret that is to be mounted and is not there": Fault(
        cause='cannot start: .*secret "nowhere" not found',
        advice="Create what",
        worker=_volume(secret={"secretName": "nowhere"}),
    ),
    "a standard that the pods do not keep": Fault(
        cause="was refused: .*violates PodSecurity",
        advice="securityContext",
        space="restricted",
    ),
    "a service account that is not there": Fault(
        cause='was refused: .*serviceaccount "nobody" not found',
        advice="service account",
        worker={"serviceAccountName": "nobody"},
    ),
    "an init container that fails again and again": Fault(
        cause="(fails again and again|failed).*exit code 4.*no such bucket",
        advice="",
        worker={"initContainers": [_FETCH]},
        restarts="OnFailure",
    ),
    "a deadline that has passed": Fault(
        cause="has failed: DeadlineExceeded",
        advice="activeDeadlineSeconds",
        command=("sleep", "3600"),
        spec={"runPolicy": {"activeDeadlineSeconds": 8}},
    ),
    "more pods on the nodes' network than nodes": Fault(
        cause="cannot be scheduled: .*free ports",
        advice="hostNetwork",
        workers=3,
        worker={"hostNetwork": True},
    ),
    "a queue that has not admitted it": Fault(
        cause="is suspended until queue team-a admits it",
        advice="localqueue",
        spec={"runPolicy": {"suspend": True}},
        labels={"kueue.x-k8s.io/queue-name": "team-a"},
    ),
    "a probe that fails while the launcher waits for ready workers": Fault(
        cause="is not ready: Readiness probe failed",
        advice="probe",
        worker=_container(
            readinessProbe={"exec": {"command": ["test", "-e", "/no/such"]}, "periodSeconds": 1}
        ),
        spec={"launcherCreationPolicy": "WaitForWorkersReady"},
    ),
    EVICTED: Fault(
        cause="failed on node .* \\(Evicted.*low on resource: memory",
        advice="node ran short",
        command=("sleep", "3600"),
        spec=_ONCE,
    ),
}
#: Those that take the site apart, and so come last.
LATE = {
    "no operator": Fault(cause="was not noticed by any operator", advice="doctor --cluster"),
    "a node that is lost": Fault(
        cause=f"runs on node {_LOST_NODE}, which does not answer",
        advice="lost",
        command=("sleep", "3600"),
        launcher={"nodeSelector": {"kubernetes.io/hostname": "node-0"}},
        worker={"nodeSelector": {"kubernetes.io/hostname": _LOST_NODE}},
    ),
}
NAMES = {reason: f"f{index}" for index, reason in enumerate({**FAULTS, **LATE})}


class Clinic:
    """Where jobs with faults are, and somebody who may only look asks why they do not run."""

    def __init__(self, site: Site, spaces: Mapping[str, str], kubeconfigs: Mapping[str, str]):
        self.site = site
        self._spaces = spaces
        self._kubeconfigs = kubeconfigs
        #: What was said first of each job, look by look.
        self.said: dict[str, list[Object]] = {}

    def make(self, api: Api, reason: str, fault: Fault) -> None:
        """Make a job with that fault."""
        image = self.site.images.get(fault.image) or f"{self.site.cluster.registry}/{fault.image}"
        roles = {"launcher": fault.launcher, "worker": fault.worker}
        made = job(
            NAMES[reason], image, *fault.command, workers=fault.workers, **roles,
            **(fault.spec or {}),
        )  # fmt: skip
        made["metadata"]["labels"] = dict(fault.labels or {})
        for role, policy in (("Worker", fault.restarts), ("Launcher", "Never")):
            made["spec"]["mpiReplicaSpecs"][role]["restartPolicy"] = policy
        api.create(_JOBS.format(self._spaces[fault.space]), made)

    def evict(self, api: Api) -> None:
        """Say of a worker what a kubelet says that evicts it, once it runs."""
        pod = f"{_PODS.format(self._spaces['plain'])}/{NAMES[EVICTED]}-worker-0"
        there = api.ask("GET", pod)
        if there.is_good and there.body["status"].get("phase") == "Running":
            told = "The node was low on resource: memory."
            status = {"phase": "Failed", "reason": "Evicted", "message": told}
            api.merge(f"{pod}/status", {"status": status})

    def ask_until_all_are_named(
        self, wanted: Mapping[str, Fault], meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Ask why, of every job, until each answer is the cause or time is over."""
        moment, over_at = threading.Event(), time.monotonic() + _LIMIT_S
        while time.monotonic() < over_at:
            meanwhile()
            left = [reason for reason, fault in wanted.items() if not self._is_named(reason, fault)]
            for reason in left:
                self._ask(reason, wanted[reason])
            if not left or moment.wait(_PAUSE_S):
                return

    def _is_named(self, reason: str, fault: Fault) -> bool:
        said = self.said.get(reason)
        return bool(said) and bool(re.search(fault.cause, _text(said[-1]), re.DOTALL))

    def _ask(self, reason: str, fault: Fault) -> None:
        space = self._spaces[fault.space]
        words = ["--kubeconfig", self._kubeconfigs[fault.space], "-n", space]
        done = CliRunner().invoke(cli, [*words, "why", NAMES[reason], "-o", "json"])
        assert done.exit_code == 0, done.output
        self.said.setdefault(reason, []).append(json.loads(done.stdout)[0])


def _text(fact: Object) -> str:
    return f"{fact['subject']} {fact['what']}"


def _runs(made: Object) -> bool:
    return made.get("status", {}).get("state") == "Running"


@pytest.fixture(scope="module")
def clinic(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """Return the clinic after all jobs have been asked about."""
    folder = tmp_path_factory.mktemp("why")
    with ExitStack() as opened:
        spaces = {
            "plain": opened.enter_context(site.space()),
            "quota": opened.enter_context(site.space()),
            "restricted": opened.enter_context(site.space("restricted")),
        }
        api = opened.enter_context(site.api())
        viewers = {kind: _viewer(site, api, space, folder) for kind, space in spaces.items()}
        quota = {"metadata": {"name": "two-pods"}, "spec": {"hard": {"pods": "2"}}}
        api.create(f"/api/v1/namespaces/{spaces['quota']}/resourcequotas", quota)
        found = Clinic(site, spaces, viewers)
        lost = "a node that is lost"
        for reason, fault in {**FAULTS, lost: LATE[lost]}.items():
            found.make(api, reason, fault)
        found.ask_until_all_are_named(FAULTS, lambda: found.evict(api))
        query = {"fieldSelector": f"metadata.name={NAMES[lost]}"}
        api.until(_JOBS.format(spaces["plain"]), _runs, limit_s=_LIMIT_S, **query)
        with _without_operator(api), faults.lost(site.cluster, _LOST_NODE):
            found.make(api, "no operator", LATE["no operator"])
            found.ask_until_all_are_named(LATE)
        query = {"fieldSelector": f"metadata.name={_LOST_NODE}"}
        api.until("/api/v1/nodes", is_ready, limit_s=_LIMIT_S, **query)
        yield found


def _viewer(site: Site, api: Api, space: str, folder: Path) -> str:
    """Return the kubeconfig of somebody who has Kubernetes' own role `view` in a namespace."""
    accounts = f"/api/v1/namespaces/{space}/serviceaccounts"
    api.create(accounts, {"metadata": {"name": "viewer"}})
    binding = {
        "metadata": {"name": "viewer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": space}],
    }
    api.create(_ROLES.format(space), binding)
    token = api.create(f"{accounts}/viewer/token", {"spec": {}})["status"]["token"]
    path = folder / f"{space}.kubeconfig"
    where = {"url": site.cluster.url, "ca": Path(site.cluster.ca)}
    return str(write_kubeconfig(path, **where, user={"token": token}))


def _ready_count(deployment: Object) -> int:
    return int(deployment.get("status", {}).get("readyReplicas", 0))


@contextmanager
def _without_operator(api: Api) -> Iterator[None]:
    before = api.read(_OPERATOR)["spec"]["replicas"]
    api.merge(_OPERATOR, {"spec": {"replicas": 0}})
    pods = _PODS.format(OPERATOR_SPACE)
    for pod in api.read(pods)["items"]:
        api.until_gone(pods, pod["metadata"]["name"])
    try:
        yield
    finally:
        api.merge(_OPERATOR, {"spec": {"replicas": before}})
        path, _, name = _OPERATOR.rpartition("/")
        query = {"fieldSelector": f"metadata.name={name}"}
        api.until(path, lambda it: _ready_count(it) == before, limit_s=_LIMIT_S, **query)


@pytest.mark.parametrize(("reason", "fault"), {**FAULTS, **LATE}.items(), ids=NAMES)
def test_the_true_cause_is_named_first(clinic: Clinic, reason: str, fault: Fault) -> None:
    fact = clinic.said[reason][-1]
    matches = bool(re.search(fault.cause, _text(fact), re.DOTALL))
    helps = fault.advice in fact["advice"]
    assert (matches, fact["weight"], helps) == (True, "cause", True), fact


@pytest.mark.parametrize(("reason", "fault"), {**FAULTS, **LATE}.items(), ids=NAMES)
def test_nothing_else_is_ever_called_the_cause(clinic: Clinic, reason: str, fault: Fault) -> None:
    causes = [_text(fact) for fact in clinic.said[reason] if fact["weight"] == "cause"]
    true = re.compile(f"({fault.cause})|({fault.also})", re.DOTALL)
    assert [text for text in causes if not true.search(text)] == []
