"""The job's own ssh key pair, where mpi-operator's users expect it: at `sshAuthMountPath`."""

from mpijob.core import names
from mpijob.core.job import Manifest, MPIJob

PRIVATE_KEY = "ssh-privatekey"
PUBLIC_KEY = "ssh-publickey"

_DEFAULT_PATH = "/root/.ssh"
_FILES = ((PRIVATE_KEY, "id_rsa"), (PUBLIC_KEY, "id_rsa.pub"), (PUBLIC_KEY, "authorized_keys"))


def volume(job: MPIJob) -> Manifest:
    """Return the volume with the key pair.

    Only root's own folder gets the mode that ssh asks of a key's owner. Elsewhere the files are
    root's, whoever runs, and ssh asks nothing of files that are not the user's own.

    Source: `setupSSHOnPod`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller.go).
    """
    source: dict[str, object] = {
        "secretName": names.secret(job.name),
        "items": [{"key": key, "path": path} for key, path in _FILES],
    }
    if job.ssh_auth_mount_path == _DEFAULT_PATH:
        source["defaultMode"] = 0o600
    return {"name": names.SSH_VOLUME, "secret": source}


def mount(job: MPIJob) -> Manifest:
    """Return the mount of that volume."""
    return {"name": names.SSH_VOLUME, "mountPath": job.ssh_auth_mount_path}
