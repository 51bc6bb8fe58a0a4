"""The job that `mpijob run -n 2 --slots 2 -- python train.py` means: a manifest, from flags."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

API_VERSION = "kubeflow.org/v2beta1"

#: What starts a program rather than being it; a job is not named after these.
_INTERPRETERS = re.compile(r"^(python[0-9.]*|bash|sh|dash|zsh|env|nice|time|perl|ruby|julia|node)$")
#: The longest name taken from a command: it leaves room for `-worker-9999` in a DNS label.
_NAME_MAX = 40


class NewJob(Struct, frozen=True):
    """What the flags say of a job; empty or 0 where they say nothing.

    Args:
        command: The program and its arguments, as each rank runs them.
        worker_count: How many workers; each is a host of its own.
        slots: Ranks a worker.
        gpus: GPUs a worker.
        cpus: CPUs a worker, a Kubernetes quantity ("2", "500m").
        memory: Memory a worker, a Kubernetes quantity ("4Gi").
        image: The container image of launcher and workers.
        flavour: A value of `spec.mpiImplementation`.
        env: Environment variables of every rank.

    """

    name: str
    command: tuple[str, ...]
    worker_count: int = 1
    slots: int = 1
    gpus: int = 0
    cpus: str = ""
    memory: str = ""
    image: str = ""
    namespace: str = ""
    flavour: str = "OpenMPI"
    env: Mapping[str, str] = field(default_factory=dict)


def manifest(new: NewJob) -> dict[str, Any]:
    """Return the MPIJob, with the fields alone that somebody who writes one by hand would write."""
    metadata = {"name": new.name}
    if new.namespace:
        metadata["namespace"] = new.namespace
    return {
        "apiVersion": API_VERSION,
        "kind": "MPIJob",
        "metadata": metadata,
        "spec": {
            "slotsPerWorker": new.slots,
            **({"mpiImplementation": new.flavour} if new.flavour != "OpenMPI" else {}),
            # Who runs a command wants to see it fail, not six more times.
            "runPolicy": {"cleanPodPolicy": "Running", "backoffLimit": 0},
            "mpiReplicaSpecs": {
                "Launcher": {
                    "replicas": 1,
                    "restartPolicy": "Never",
                    "template": _template(_launcher(new)),
                },
                "Worker": {"replicas": new.worker_count, "template": _template(_worker(new))},
            },
        },
    }


def launch_command(new: NewJob) -> list[str]:
    """Return what the launcher runs: mpirun with the command, a rank for every slot.

    Open MPI hands ranks on other hosts no variable that it is not told to; Hydra hands all.
    """
    names = new.env if new.flavour == "OpenMPI" else ()
    exports = [word for name in names for word in ("-x", name)]
    return ["mpirun", "-n", str(new.worker_count * new.slots), *exports, *new.command]


def named_after(command: Sequence[str]) -> str:
    """Return a job name for a command: its script's or program's name, as a DNS label.

    `python -u train_big.py --lr 1` is `train-big`, `python -m pkg.fit` is `fit`, `python -c CODE`
    is `python`, `./a.out` is `a`; what leaves nothing to name it after is `job`.
    """
    words = iter(command)
    for word in words:
        if word == "-m":
            return _label(next(words, "").rpartition(".")[2])
        if word == "-c":
            break
        if word.startswith("-") or "=" in word or _INTERPRETERS.match(posixpath.basename(word)):
            continue
        return _label(_stem(word))
    return _label(_stem(command[0])) if command else "job"


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]


def free_name(wanted: str, taken: frozenset[str]) -> str:
    """Return `wanted`, or the first free one of `wanted-2`, `wanted-3` and so on if it is taken."""
    if wanted not in taken:
        return wanted
    number = next(n for n in range(2, len(taken) + 3) if f"{wanted}-{n}" not in taken)
    return f"{wanted}-{number}"


def _label(text: str) -> str:
    """Return `text` as the beginning of a DNS label: letters, digits and dashes, a letter first."""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_NAME_MAX].strip("-")
    if not label:
        return "job"
    return label if label[0].isalpha() else f"job-{label}"


def _template(container: dict[str, Any]) -> dict[str, Any]:
    """Return a pod template with that one container."""
    return {"spec": {"containers": [container]}}


def _launcher(new: NewJob) -> dict[str, Any]:
    """Return the launcher's container."""
    container: dict[str, Any] = {"name": "launcher"}
    if new.image:
        container["image"] = new.image
    container["command"] = launch_command(new)
    if new.env:
        container["env"] = [{"name": name, "value": value} for name, value in new.env.items()]
    return container


def _worker(new: NewJob) -> dict[str, Any]:
    """Return a worker's container: no command, for the operator sets up what ranks need."""
    container: dict[str, Any] = {"name": "worker"}
    if new.image:
        container["image"] = new.image
    limits: dict[str, Any] = {}
    if new.cpus:
        limits["cpu"] = new.cpus
    if new.memory:
        limits["memory"] = new.memory
    if new.gpus:
        limits["nvidia.com/gpu"] = new.gpus
    if limits:
        container["resources"] = {"limits": limits}
    return container
