"""What people write: jobs from the whole space of sound ones, and the edits that they make."""

from random import Random
from typing import Any

from mpijob.core import options
from mpijob.core.job import CleanPodPolicy, Flavour, LauncherStart, Manifest, RestartPolicy
from mpijob.core.plan import Kind, Ref
from mpijob.core.version import Version

NAMESPACE = "default"
NAME = "pi"
JOB = Ref(Kind.MPI_JOB, NAMESPACE, NAME)
WORKERS_MAX = 4
MULTI_KUEUE = "kueue.x-k8s.io/multikueue"

_LAUNCHER = {"name": "mpi", "image": "example/mpi:1", "command": ["mpirun", "-n", "2", "train"]}
_WORKER = {"name": "mpi", "image": "example/mpi:1"}
#: A worker with a command of its own has a set-up of its own.
_EQUIPPED = {**_WORKER, "command": ["/usr/sbin/sshd", "-De"]}


def job(dice: Random) -> dict[str, Any]:
    """Return an MPIJob's manifest, drawn from all sound ones; now and then a misspelt one."""
    roles: dict[str, Any] = {"Launcher": _replica(dice, _LAUNCHER)}
    workers = dice.choice((0, 1, 1, 2, 2, 2, 3, 3, WORKERS_MAX))
    if workers:
        image = dice.choice((_WORKER, _WORKER, _EQUIPPED))
        roles["Worker"] = {"replicas": workers, **_replica(dice, image)}
    annotations = {
        option: value
        for option, value in ((options.ELASTIC, "true"), (options.WAIT_FOR_WORKERS, "false"))
        if dice.random() < 0.15
    }
    policy = _run_policy(dice, workers)
    if dice.random() < 0.05:
        policy |= {"managedBy": "kueue"}
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"namespace": NAMESPACE, "name": NAME, "annotations": annotations},
        "spec": {
            "slotsPerWorker": dice.choice((1, 2)),
            "runLauncherAsWorker": dice.random() < 0.3,
            "launcherCreationPolicy": dice.choice(
                (LauncherStart.AT_STARTUP.value, LauncherStart.WHEN_WORKERS_READY.value)
            ),
            "mpiImplementation": dice.choice([flavour.value for flavour in Flavour]),
            "runPolicy": policy,
            "mpiReplicaSpecs": roles,
        },
    }


#: The fields of v2beta1 that the older versions have as well.
_OF_OLDER = ("slotsPerWorker", "runPolicy", "mpiReplicaSpecs")


def written(manifest: Manifest, version: Version, *, execs: bool) -> dict[str, Any]:
    """Return a job as one writes it in another version, or for ranks that exec starts."""
    if version is not Version.V2BETA1:
        spec = {field: manifest["spec"][field] for field in _OF_OLDER}
        return {**manifest, "apiVersion": version.api_version, "spec": spec}
    if not execs:
        return dict(manifest)
    metadata = manifest["metadata"]
    annotations = {**metadata["annotations"], options.TRANSPORT: "exec"}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


#: Those of v2beta1: with another, a job would be invalid from its first moment to its last.
_RESTART_POLICIES = (RestartPolicy.NEVER.value, RestartPolicy.ON_FAILURE.value)


def _replica(dice: Random, container: Manifest) -> dict[str, Any]:
    return {
        "restartPolicy": dice.choice(_RESTART_POLICIES),
        "template": {"spec": {"containers": [container]}},
    }


def _run_policy(dice: Random, workers: int) -> dict[str, Any]:
    said = {
        "suspend": dice.random() < 0.15,
        "cleanPodPolicy": dice.choice([policy.value for policy in CleanPodPolicy]),
        "backoffLimit": dice.choice((None, 0, 1, 2, 3)),
        "ttlSecondsAfterFinished": dice.choice((None, None, None, 0, 5, 90)),
        "activeDeadlineSeconds": dice.choice((None, None, None, None, 60, 400)),
        "managedBy": MULTI_KUEUE if dice.random() < 0.03 else None,
        "schedulingPolicy": _scheduling(dice, workers),
    }
    return {field: value for field, value in said.items() if value is not None}


def _scheduling(dice: Random, workers: int) -> Manifest | None:
    if dice.random() < 0.6:
        return None
    said = {
        "minAvailable": dice.choice((None, 1, workers + 1)),
        "queue": dice.choice((None, "night")),
    }
    return {field: value for field, value in said.items() if value is not None}


#: Edits after which a job is unsound, each with the one that repairs it.
UNSOUND = (
    ({"slotsPerWorker": -1}, {"slotsPerWorker": 1}),
    ({"runPolicy": {"cleanPodPolicy": "Perhaps"}}, {"runPolicy": {"cleanPodPolicy": "All"}}),
    ({"runPolicy": {"backoffLimit": -1}}, {"runPolicy": {"backoffLimit": 2}}),
    ({"runPolicy": {"managedBy": "kueue"}}, {"runPolicy": {"managedBy": None}}),
    ({"mpiImplementation": "PVM"}, {"mpiImplementation": Flavour.OPEN_MPI.value}),
)


def edit(dice: Random, spec: Manifest) -> dict[str, Any]:
    """Return a merge patch of a job's spec: a sound change, or one that makes it unsound.

    An unsound job is repaired before anything else.
    """
    for broken, repair in UNSOUND:
        if all(is_within(spec.get(field), value) for field, value in broken.items()):
            return dict(repair)
    policy = spec["runPolicy"]
    draw = dice.random()
    if draw < (0.9 if policy.get("suspend") else 0.25):
        flipped = {"runPolicy": {"suspend": not policy.get("suspend")}}
        # A queue lets a job go on where there is room for it, and says both in one write.
        return flipped | (_placed(dice) if policy.get("suspend") and dice.random() < 0.5 else {})
    if draw < 0.6 and "Worker" in spec["mpiReplicaSpecs"]:
        return {"mpiReplicaSpecs": {"Worker": {"replicas": dice.randint(1, WORKERS_MAX)}}}
    if draw < 0.66:
        return dict(dice.choice(UNSOUND)[0])
    if draw < 0.78:
        return _placed(dice)
    return {"runPolicy": _changed_policy(dice)}


def _placed(dice: Random) -> dict[str, Any]:
    selector = dice.choice((None, {"zone": "a"}, {"zone": "b", "disk": "ssd"}))
    return {"mpiReplicaSpecs": {"Launcher": {"template": {"spec": {"nodeSelector": selector}}}}}


def _changed_policy(dice: Random) -> dict[str, Any]:
    return dice.choice(
        (
            {"cleanPodPolicy": dice.choice([policy.value for policy in CleanPodPolicy])},
            {"backoffLimit": dice.choice((None, 0, 1, 2, 3))},
            {"ttlSecondsAfterFinished": dice.choice((None, 0, 5, 90))},
            {"activeDeadlineSeconds": dice.choice((None, 40, 400))},
            {"schedulingPolicy": {"minAvailable": dice.choice((None, 1, 2))}},
        )
    )


def is_within(value: object, part: object) -> bool:
    """Say whether `part`, a merge patch, would change nothing of `value`."""
    if isinstance(part, dict):
        return isinstance(value, dict) and all(
            is_within(value.get(key), inner) for key, inner in part.items()
        )
    return value == part


#: Things of somebody else's under the names that a job needs.
STRANGERS: tuple[dict[str, Any], ...] = (
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": NAMESPACE, "name": NAME},
        "spec": {"selector": {"app": "other"}},
    },
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": NAMESPACE, "name": f"{NAME}-config"},
        "data": {"hostfile": "theirs"},
    },
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": NAMESPACE, "name": f"{NAME}-ssh"},
        "data": {"ssh-privatekey": "dGhlaXJz"},
    },
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": NAMESPACE, "name": f"{NAME}-worker-1"},
        "spec": {"containers": [_WORKER]},
    },
    {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"namespace": NAMESPACE, "name": f"{NAME}-launcher"},
        "spec": {
            "suspend": True,
            "template": {"spec": {"restartPolicy": "Never", "containers": [_LAUNCHER]}},
        },
    },
)
