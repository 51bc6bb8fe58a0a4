"""Ranks started by ssh: by a set-up of ours (`owned_…`), or by the one that the image brings.

Either way the launcher's pod has an init container that waits until every worker's sshd answers.
It is of the launcher's own image, so there is nothing more to pull, and it holds the process, not
the pod: pods are scheduled and images pulled meanwhile, and a gang is whole from the start.

A set-up of ours needs of the image its ssh programs alone. Keys lie in a Secret, readable by all
in the pod's init container and in nothing else; that container copies them into memory, so that
they belong to whoever runs the pod, as ssh demands. It also mounts a passwd that knows that user.
"""

from mpijob.core import names, options
from mpijob.core.job import Manifest, MPIJob
from mpijob.core.transport import environment, keys, ssh_texts
from mpijob.core.transport.parts import Parts, Preparation

HOST_KEY = "ssh_host_key"
HOST_PUBLIC_KEY = "ssh_host_key.pub"
KNOWN_HOSTS = "known_hosts"

WAIT_CONTAINER = "wait-for-workers"
PREPARE_CONTAINER = "prepare-ssh"

_SETUP_VOLUME = "mpijob-setup"
_DRAWN_VOLUME = "mpijob-drawn-keys"
_DRAWN_DIR = "/etc/mpijob/drawn"
_KEYS_VOLUME = "mpijob-keys"
_KEYS_DIR = "/etc/mpijob/keys"
_PREPARE_SSH = "prepare_ssh.sh"
_START_SSHD = "start_sshd.sh"
_SSH_CONFIG = "ssh_config"
_SSHD_CONFIG = "sshd_config"
_WITH_ENVIRONMENT = "with_environment.sh"
_HANDED_ON = "handed_on"
_ENVIRONMENT = f"{_KEYS_DIR}/environment"

#: What `ssh` is called with so that it uses the set-up of ours.
OPTIONS = f"-F {names.SETUP_DIR}/{_SSH_CONFIG}"

_SETUP_MOUNT: Manifest = {"name": _SETUP_VOLUME, "mountPath": names.SETUP_DIR, "readOnly": True}
_OWN_MOUNTS: tuple[Manifest, ...] = (
    _SETUP_MOUNT,
    {"name": _KEYS_VOLUME, "mountPath": _KEYS_DIR},
    {"name": _KEYS_VOLUME, "mountPath": "/etc/passwd", "subPath": "passwd"},
)
_PREPARATION_MOUNTS: tuple[Manifest, ...] = (
    _SETUP_MOUNT,
    {"name": _KEYS_VOLUME, "mountPath": _KEYS_DIR},
    {"name": _DRAWN_VOLUME, "mountPath": _DRAWN_DIR, "readOnly": True},
)
_SESSION = f"/bin/sh {names.SETUP_DIR}/{_WITH_ENVIRONMENT} {_ENVIRONMENT}"
#: What every host shows: any of them may start ranks on others.
_CLIENT_FILES = (_SSH_CONFIG, names.SSH_WITH_ENVIRONMENT, _HANDED_ON)
_SERVER_FILES = (_START_SSHD, _SSHD_CONFIG, _WITH_ENVIRONMENT)
_PREPARE = ("/bin/sh", f"{names.SETUP_DIR}/{_PREPARE_SSH}", _DRAWN_DIR, _KEYS_DIR)


def may_own(worker_template: Manifest) -> bool:
    """Say whether the worker leaves it to us what it runs."""
    container = worker_template["spec"]["containers"][0]
    return not container.get("command") and not container.get("args")


def files() -> dict[str, str]:
    """Return the texts for the ConfigMap where the image brings its own set-up.

    The script is there even where nobody is to wait: a pod that mounts it must find it again.
    """
    return {names.WAIT_FOR_WORKERS: ssh_texts.WAIT_FOR_WORKERS}


def owned_files(job: MPIJob, port: int) -> dict[str, str]:
    """Return the texts for the ConfigMap where the set-up is ours and sshd listens on `port`."""
    alias = names.host(job, "any", cluster_domain="")
    return {
        **files(),
        _PREPARE_SSH: ssh_texts.PREPARE_SSH,
        _START_SSHD: ssh_texts.START_SSHD,
        _SSH_CONFIG: ssh_texts.ssh_config(alias, _KEYS_DIR, port),
        _SSHD_CONFIG: ssh_texts.sshd_config(_KEYS_DIR, port, _SESSION),
        names.SSH_WITH_ENVIRONMENT: environment.SSH_WITH_ENVIRONMENT,
        _WITH_ENVIRONMENT: environment.WITH_ENVIRONMENT,
        _HANDED_ON: environment.handed_on(job),
    }


def worker(job: MPIJob) -> Parts:
    """Return what a worker gets where the image brings its own set-up: mpi-operator's command.

    Source: `newWorker`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    return Parts(("/usr/sbin/sshd", "-De"), (keys.volume(job),), (keys.mount(job),))


def launcher(job: MPIJob) -> Parts:
    """Return what the launcher gets where the image brings its own set-up."""
    volumes, mounts = (keys.volume(job),), (keys.mount(job),)
    if not _waits(job):
        return Parts(volumes=volumes, mounts=mounts)
    wait = Preparation(WAIT_CONTAINER, _wait(job, "", ""), (_SETUP_MOUNT,))
    setup = _setup_volume(job, (names.WAIT_FOR_WORKERS,))
    return Parts(volumes=(*volumes, setup), mounts=mounts, preparation=wait)


def owned_worker(job: MPIJob, port: int) -> Parts:
    """Return what a worker gets where the set-up is ours."""
    hosts_keys = (_file(HOST_KEY), _file(KNOWN_HOSTS))
    users_keys = (_file(keys.PRIVATE_KEY, "id"), _file(keys.PUBLIC_KEY, "authorized_keys"))
    return Parts(
        command=(
            "/bin/sh",
            f"{names.SETUP_DIR}/{_START_SSHD}",
            f"{names.SETUP_DIR}/{_SSHD_CONFIG}",
            _ENVIRONMENT,
        ),
        volumes=(
            keys.volume(job),
            _setup_volume(job, (_PREPARE_SSH, *_SERVER_FILES, *_CLIENT_FILES)),
            _drawn_volume(job, users_keys, hosts_keys),
            _memory_volume(),
        ),
        mounts=(keys.mount(job),),
        own_mounts=_OWN_MOUNTS,
        preparation=Preparation(PREPARE_CONTAINER, _PREPARE, _PREPARATION_MOUNTS),
        port=port,
    )


def owned_launcher(job: MPIJob, port: int) -> Parts:
    """Return what the launcher gets where the set-up is ours: it waits once it is prepared.

    It runs no sshd. One that runs ranks has the workers' port all the same: on its node's network
    it takes the place of a worker there.
    """
    waits = _waits(job)
    users_keys, hosts_keys = (_file(keys.PRIVATE_KEY, "id"),), (_file(KNOWN_HOSTS),)
    scripts = (_PREPARE_SSH, names.WAIT_FOR_WORKERS) if waits else (_PREPARE_SSH,)
    known_hosts = f"{_KEYS_DIR}/{KNOWN_HOSTS}"
    wait = _wait(job, str(port), known_hosts, *OPTIONS.split()) if waits else ()
    return Parts(
        volumes=(
            keys.volume(job),
            _setup_volume(job, (*scripts, *_CLIENT_FILES)),
            _drawn_volume(job, users_keys, hosts_keys),
            _memory_volume(),
        ),
        mounts=(keys.mount(job),),
        own_mounts=_OWN_MOUNTS,
        preparation=Preparation(
            WAIT_CONTAINER if waits else PREPARE_CONTAINER,
            (*_PREPARE, *wait),
            _PREPARATION_MOUNTS,
        ),
        port=port if job.run_launcher_as_worker else None,
    )


def _waits(job: MPIJob) -> bool:
    wished = options.switched(job.identity.annotations, options.WAIT_FOR_WORKERS, default=True)
    return wished and job.worker_count > 0


def _wait(job: MPIJob, *arguments: str) -> tuple[str, ...]:
    script = f"{names.SETUP_DIR}/{names.WAIT_FOR_WORKERS}"
    return ("/bin/sh", script, names.HOSTFILE_PATH, names.launcher(job.name), *arguments)


def _file(key: str, path: str = "") -> Manifest:
    return {"key": key, "path": path or key}


def _setup_volume(job: MPIJob, keys_shown: tuple[str, ...]) -> Manifest:
    items = [_file(key) for key in keys_shown]
    source = {"name": names.config(job.name), "items": items, "defaultMode": 0o444}
    return {"name": _SETUP_VOLUME, "configMap": source}


def _drawn_volume(
    job: MPIJob, users_keys: tuple[Manifest, ...], hosts_keys: tuple[Manifest, ...]
) -> Manifest:
    sources = [
        {"secret": {"name": names.secret(job.name), "items": list(users_keys)}},
        {"secret": {"name": names.host_keys(job.name), "items": list(hosts_keys)}},
    ]
    return {"name": _DRAWN_VOLUME, "projected": {"sources": sources, "defaultMode": 0o444}}


def _memory_volume() -> Manifest:
    return {"name": _KEYS_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}
