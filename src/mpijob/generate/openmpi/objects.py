"""The objects of the openmpi package, in the order in which each finds what it needs."""

from collections.abc import Iterator, Sequence
from typing import Any

from mpijob.core.job import Manifest
from mpijob.generate.openmpi import texts
from mpijob.generate.openmpi.choices import PARAMETERS, Choices, Transfer, choices
from mpijob.generate.parameters import Values
from mpijob.generate.prototype import Prototype, Setting

PACKAGE = "openmpi"
#: The containers of the pods.
JOB, CONTROLLER = "openmpi-job", "openmpi-controller"
#: What the controller's image runs.
CONTROLLER_COMMAND = ("python", f"{texts.ROOT}/openmpi-controller/controller/main.py")

_RBAC = "rbac.authorization.k8s.io"
_DATA = {"name": "openmpi-data", "mountPath": texts.DATA}
_SECRETS = {"name": "openmpi-secrets", "mountPath": texts.SECRETS}
_ASSETS = {"name": "openmpi-assets", "mountPath": texts.ASSETS}
_ASSET_KEYS = ("init.sh", "mca-params.conf", "ssh_config", "sshd_config", "hostfile")
#: What a Secret for S3 must have, and what it may have besides.
_S3_NEEDED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_S3_FURTHER = ("AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL")


def objects(values: Values, setting: Setting) -> Sequence[Manifest]:
    """Return the package's objects for parameters. Raises WrongParameters as `choices` does."""
    chosen = choices(values, setting.namespace)
    return [_pruned(made) for made in _objects(chosen)]


PROTOTYPE = Prototype(
    name="io.ksonnet.pkg.kubeflow-openmpi",
    package=PACKAGE,
    description="Open MPI on plain pods: a master runs a command when all workers are ready.",
    parameters=PARAMETERS,
    objects=objects,
)


def _objects(chosen: Choices) -> Iterator[Manifest]:
    yield _assets(chosen)
    yield _service(chosen)
    if chosen.service_account is None:
        yield from _rights(chosen)
    yield _master(chosen)
    for index in range(chosen.workers):
        yield _worker(chosen, chosen.worker(index))


def _assets(chosen: Choices) -> Manifest:
    hosts = (chosen.host(chosen.worker(index)) for index in range(chosen.workers))
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(chosen, f"{chosen.name}-assets"),
        "data": {
            "init.sh": texts.INIT,
            "mca-params.conf": texts.MCA_PARAMS,
            "ssh_config": texts.SSH_CONFIG,
            "sshd_config": texts.SSHD_CONFIG,
            "hostfile": texts.hostfile(hosts, chosen.slots),
        },
    }


def _service(chosen: Choices) -> Manifest:
    """Return the Service that gives the pods their names: as soon as they have an address.

    Nothing listens on its port; a Service must have one.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(chosen, chosen.name),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {"app": chosen.name},
            "ports": [{"name": "openmpi", "port": 12345, "targetPort": 12345}],
        },
    }


def _rights(chosen: Choices) -> Iterator[Manifest]:
    """Yield the account of the pods, which may look at what is in the namespace."""
    yield {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(chosen, chosen.name),
    }
    yield {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": chosen.name, "labels": {"app": chosen.name}},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "view"},
        "subjects": [
            {"kind": "ServiceAccount", "name": chosen.name, "namespace": chosen.namespace}
        ],
    }


def _master(chosen: Choices) -> Manifest:
    pod = chosen.master
    return _pod(chosen, pod, "master", {"containers": [_job(chosen, "master")]})


def _worker(chosen: Choices, pod: str) -> Manifest:
    job = {**_job(chosen, "worker"), "resources": {"limits": dict(chosen.limits)}}
    return _pod(
        chosen,
        pod,
        "worker",
        {
            "containers": [job, _controller(chosen, pod)],
            "nodeSelector": dict(chosen.node_selector),
            "hostNetwork": chosen.on_host_network,
        },
    )


def _pod(chosen: Choices, name: str, role: str, further: dict[str, Any]) -> Manifest:
    metadata = _metadata(chosen, name)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "labels": {**metadata["labels"], "role": role}},
        "spec": {
            "hostname": name,
            "subdomain": chosen.name,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirstWithHostNet",
            "schedulerName": chosen.scheduler,
            "serviceAccountName": chosen.account,
            "imagePullSecrets": [{"name": secret} for secret in chosen.pull_secrets],
            "securityContext": dict(chosen.security),
            "volumes": [*_volumes(chosen), *chosen.volumes],
            **further,
        },
    }


def _volumes(chosen: Choices) -> list[Manifest]:
    items = [
        {"key": key, "path": key, **({"mode": 0o555} if key == "init.sh" else {})}
        for key in _ASSET_KEYS
    ]
    assets = {"name": f"{chosen.name}-assets", "defaultMode": 0o644, "items": items}
    secrets = {"secretName": chosen.secret, "defaultMode": 0o400}
    return [
        # Pruned to its name alone: the API server makes it an emptyDir again.
        {"name": _DATA["name"], "emptyDir": {}},
        {"name": _SECRETS["name"], "secret": secrets},
        {"name": _ASSETS["name"], "configMap": assets},
    ]


def _job(chosen: Choices, role: str) -> Manifest:
    words = (role, str(chosen.workers), chosen.command, str(chosen.timeout_s))
    return {
        "name": JOB,
        "image": chosen.image,
        "imagePullPolicy": chosen.pull_policy,
        "workingDir": texts.DATA,
        "command": ["sh", chosen.init, *words],
        "ports": [{"containerPort": texts.SSH_PORT, "protocol": "TCP"}],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [_DATA, _ASSETS, _SECRETS, *chosen.mounts],
    }


def _controller(chosen: Choices, pod: str) -> Manifest:
    upload = chosen.upload
    if upload is not None:
        own = "/".join((upload.target.rstrip("/"), chosen.namespace, chosen.name, pod))
        upload = Transfer(upload.source, own)
    words = {
        "namespace": chosen.namespace,
        "master": chosen.master,
        "num-gpus": str(chosen.gpus),
        "timeout-secs": str(chosen.timeout_s),
        **_transfer("download-data", chosen.download),
        **_transfer("upload-data", upload),
    }
    arguments = [word for name, value in words.items() for word in (f"--{name}", value)]
    return {
        "name": CONTROLLER,
        "image": chosen.controller_image,
        "imagePullPolicy": "Always",
        "workingDir": texts.DATA,
        "command": [*CONTROLLER_COMMAND, *arguments],
        "env": [] if chosen.s3_secret is None else list(_s3_env(chosen.s3_secret)),
        "volumeMounts": [_DATA, *chosen.mounts],
    }


def _transfer(stem: str, transfer: Transfer | None) -> dict[str, str]:
    if transfer is None:
        return {}
    return {f"{stem}-from": transfer.source, f"{stem}-to": transfer.target}


def _s3_env(secret: str) -> Iterator[Manifest]:
    for names, optional in ((_S3_NEEDED, {}), (_S3_FURTHER, {"optional": True})):
        for name in names:
            key = {"name": secret, "key": name, **optional}
            yield {"name": name, "valueFrom": {"secretKeyRef": key}}


def _metadata(chosen: Choices, name: str) -> dict[str, Any]:
    return {"name": name, "namespace": chosen.namespace, "labels": {"app": chosen.name}}


def _pruned(value: Any) -> Any:
    """Return a value less all in it that is null, an empty list or an empty mapping.

    Source: `std.prune`, jsonnet.
    """
    match value:
        case dict():
            kept = ((key, _pruned(item)) for key, item in value.items())
            return {key: item for key, item in kept if item not in (None, [], {})}
        case list() | tuple():
            return [kept for item in value if (kept := _pruned(item)) not in (None, [], {})]
        case _:
            return value
