"""Options of ours: annotations under `mpijob.dev/`, all in this one table.

There are no new spec fields, since mpi-operator's CRD and typed clients would drop them.
"""

from collections.abc import Mapping

from mpijob.core.job import Flavour
from mpijob.core.version import Version

PREFIX = "mpijob.dev/"

#: "false" lets the launcher start without waiting for its workers' sshd.
WAIT_FOR_WORKERS = f"{PREFIX}wait-for-workers"
#: "true" or "false": whether ranks come and go with the workers (Elastic Horovod).
ELASTIC = f"{PREFIX}elastic"
#: On the ConfigMap: who makes the job's hosts reachable, chosen once: "operator", on its nodes'
#: network "operator-host-network", or "image" by ssh; or the local "agent".
SSH_SETUP = f"{PREFIX}ssh-setup"
#: On the MPIJob: the version that it was written in, where that is not v2beta1. Set once.
WRITTEN_IN = f"{PREFIX}written-in"
#: In a job file that `convert` wrote: the one that it was made of.
CONVERTED_FROM = f"{PREFIX}converted-from"
#: How ranks are started on other hosts: "ssh" or "exec". Else as the job's version has it.
TRANSPORT = f"{PREFIX}transport"
#: Which MPI the job is for, by v2beta1's names, where its own version's field is silent.
MPI_IMPLEMENTATION = f"{PREFIX}mpi-implementation"
#: Which of the launcher's variables ssh hands on to ranks: "all", "none", or their names.
ENVIRONMENT = f"{PREFIX}environment"
#: "true" or "false": whether pods that run ranks get a /dev/shm as large as their memory.
SHARED_MEMORY = f"{PREFIX}shared-memory"
#: "true" leaves it to Istio and Linkerd whether they put their proxies into the job's pods.
SERVICE_MESH = f"{PREFIX}service-mesh"
#: Set by the SDK: where the function that the job calls is, and where its ranks leave results.
CALL = f"{PREFIX}call"

_WORDS = {"true": True, "false": False}

ALL = {
    WAIT_FOR_WORKERS: "“false” lets the launcher start without waiting for its workers.",
    ELASTIC: "“true” or “false”: whether ranks come and go with the workers.",
    SSH_SETUP: "Set by mpijob on the ConfigMap: who sets up ssh, “operator” (or "
    "“operator-host-network”), “image”, “exec” or “agent”.",
    WRITTEN_IN: "Set by mpijob: the version that the job was written in, if not v2beta1.",
    CONVERTED_FROM: "Set by `mpijob convert`: the job file that this one was made of.",
    TRANSPORT: "“ssh” or “exec”: how ranks are started; else as the job's version has it.",
    MPI_IMPLEMENTATION: "“OpenMPI”, “Intel” or “MPICH”: which MPI the job is for, where "
    "its version cannot say so or does not.",
    ENVIRONMENT: "Which of the launcher's variables ssh hands on to ranks: “all”, “none” or names.",
    SHARED_MEMORY: "“false” leaves /dev/shm as the container runtime makes it.",
    SERVICE_MESH: "“true” lets Istio and Linkerd put their proxies into the job's pods.",
    CALL: "Set by mpijob.sdk: where the function is that the job calls, and its results.",
}

_SWITCH = ("true", "false")
#: What options may say that have a choice; the others have words of their own.
CHOICES: Mapping[str, tuple[str, ...]] = {
    WAIT_FOR_WORKERS: _SWITCH,
    ELASTIC: _SWITCH,
    SHARED_MEMORY: _SWITCH,
    SERVICE_MESH: _SWITCH,
    TRANSPORT: ("ssh", "exec"),
    MPI_IMPLEMENTATION: tuple(flavour.value for flavour in Flavour),
    WRITTEN_IN: tuple(version.value for version in Version),
}


def execs(annotations: Mapping[str, str]) -> bool | None:
    """Return whether a job has its ranks started by exec, None where it says neither way."""
    return {"exec": True, "ssh": False}.get(annotations.get(TRANSPORT, ""))


def said(annotations: Mapping[str, str], option: str) -> bool | None:
    """Return what a boolean option says: "true" or "false", None for anything else."""
    word = annotations.get(option)
    return None if word is None else _WORDS.get(word)


def switched(annotations: Mapping[str, str], option: str, *, default: bool) -> bool:
    """Return what a boolean option says: "true" or "false", else `default`."""
    found = said(annotations, option)
    return default if found is None else found
