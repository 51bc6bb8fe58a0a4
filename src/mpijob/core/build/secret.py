"""The Secrets with a job's ssh keys. What is in them the shell draws: the core has no dice."""

from mpijob.core import names
from mpijob.core.build.metadata import metadata
from mpijob.core.job import Manifest, MPIJob
from mpijob.core.transport import keys, ssh

#: The keys of the Secret with the user's key pair, all and only these.
USER_KEY_NAMES = frozenset((keys.PRIVATE_KEY, keys.PUBLIC_KEY))
#: The keys of the Secret with the hosts' key pair: both halves in OpenSSH's own formats, and a
#: `known_hosts` of one line, `*.<job>.<namespace>.svc <type> <public half>`.
HOST_KEY_NAMES = frozenset((ssh.HOST_KEY, ssh.HOST_PUBLIC_KEY, ssh.KNOWN_HOSTS))


def user_secret(job: MPIJob) -> Manifest:
    """Return the Secret of the key pair with which a job's hosts log in to each other.

    Source: `newSSHAuthSecret`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    return _secret(job, names.secret(job.name), "kubernetes.io/ssh-auth")


def host_key_secret(job: MPIJob) -> Manifest:
    """Return the Secret of the key by which a job's hosts prove who they are.

    It stands apart, since mpi-operator mends a Secret that has more keys than its two.
    """
    return _secret(job, names.host_keys(job.name), "Opaque")


def _secret(job: MPIJob, name: str, type_: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata(job, name), "type": type_}
