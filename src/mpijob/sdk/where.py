"""Where jobs run: on this machine, or on a cluster."""

import os
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

#: As for commands: set to anything but "" or "0", jobs run on the kubeconfig's cluster.
VARIABLE = "MPIJOB_CLUSTER"
#: Where calls and their results are kept on their way to a cluster and back.
STORAGE_VARIABLE = "MPIJOB_STORAGE"


class Here(Struct, frozen=True):
    """This machine.

    Args:
        mpi: Which MPI: a family ("openmpi", "mpich", "intel") or a path; "" for one that fits.
        folder: Where programs start that name no folder; "" for the current one, or for that of the
            job file which is run.

    """

    mpi: str = ""
    folder: str = ""


class Cluster(Struct, frozen=True):
    """A cluster with an operator for MPIJobs.

    Args:
        kubeconfig: The file that says where it is; "" for $KUBECONFIG or ~/.kube/config.
        context: Which of the file's contexts; "" for its current one.
        namespace: Where jobs are made; "" for the context's own.
        storage: Where functions and results are kept on their way: a URL that fsspec knows
            (s3://bucket/prefix), or a folder that is a volume of the pods too; "" for
            $MPIJOB_STORAGE. Nothing of them passes through the API server.
        volume: The source of the volume that `storage` is, where it is a folder, as a pod's
            `spec.volumes` has it: {"nfs": {…}}, {"persistentVolumeClaim": {…}}, {"hostPath": {…}}.
        secret: A Secret whose entries are variables of every rank, such as credentials for
            `storage`; "" for none.

    """

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    storage: str = ""
    volume: Mapping[str, Any] = field(default_factory=dict)
    secret: str = ""


Where = Here | Cluster


def meant(environment: Mapping[str, str] = os.environ) -> Where:
    """Return where jobs run whose caller does not say: here, unless $MPIJOB_CLUSTER is set."""
    if environment.get(VARIABLE, "") in ("", "0"):
        return Here()
    return Cluster(storage=environment.get(STORAGE_VARIABLE, ""))
