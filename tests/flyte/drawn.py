"""Tasks of MPI jobs, drawn: what a test hands to Flyte's plugin, in its own Python, and to ours.

Run as a program, it reads drawn tasks as JSON from stdin, makes each with flytekit and its plugin,
and writes what becomes of it. It stands alone: of ours it imports nothing.
"""

import json
import sys
from random import Random

COUNTS = (None, None, 0, 1, 2, 3, 8)
#: Beside its own words, what of flytekit's and ours is called alike.
MODULE, FUNCTION = "drawn", "train"


def train(n: int, rate: float, name: str) -> float:
    """Return what every drawn task returns."""
    return n * rate


def drawn(seed):
    """Return a task, as JSON."""
    dice = Random(seed)
    kind = dice.choice(("MPIJob", "MPIJob", "HorovodJob"))
    return {
        "kind": kind,
        "config": _config(dice, kind),
        "requests": _as_text(_resources(dice)),
        "limits": _as_text(_resources(dice)),
        "retries": dice.choice((0, 0, 1, 3)),
        "environment": dice.choice(({}, {}, {"MODE": "fast"}, {"A": "1", "B": ""})),
        "image": dice.choice(("example.com/train:1", "example.com/other:2")),
        "timeout_s": dice.choice((0, 0, 60, 86400)),
        "cache_version": dice.choice(("", "", "0.5")),
    }


def _as_text(resources):
    """Return a task's own resources: flytekit can serialise numbers in those of a role alone."""
    return resources and {name: str(value) for name, value in resources.items()}


def _config(dice, kind):
    """Return a config: mostly one that is sound."""
    said = {
        "worker": _role(dice),
        "launcher": _role(dice),
        "run_policy": _run_policy(dice),
        "slots": dice.choice((1, 1, 2, 4)),
    }
    if kind == "HorovodJob":
        # The plugin cannot count what is said in its older way.
        said |= {"verbose": dice.random() < 0.5, "elastic_timeout": dice.choice((600, 1200))}
        said["worker"]["replicas"], said["launcher"]["replicas"] = dice.choice((1, 2, 16)), 1
    elif dice.random() < 0.92:
        said["worker"]["replicas"] = said["launcher"]["replicas"] = None
        said |= {"num_workers": dice.choice((1, 2, 16)), "num_launcher_replicas": 1}
        for role, older in (("worker", "num_workers"), ("launcher", "num_launcher_replicas")):
            if dice.random() < 0.5:
                said[role]["replicas"] = said.pop(older)
    else:
        for older in ("num_workers", "num_launcher_replicas"):
            said[older] = dice.choice(COUNTS)
    return said


def _role(dice):
    return {
        "command": dice.choice((None, None, ["sshd", "-De"], ["a b", ""])),
        "image": dice.choice((None, None, "example.com/role:3")),
        "requests": _resources(dice),
        "limits": _resources(dice),
        "replicas": dice.choice(COUNTS),
        "restart_policy": dice.choice((None, None, "ALWAYS", "FAILURE", "NEVER")),
    }


def _run_policy(dice):
    if dice.random() < 0.5:
        return None
    return {
        "clean_pod_policy": dice.choice((None, "NONE", "ALL", "RUNNING")),
        "ttl_seconds_after_finished": dice.choice((None, 0, 60)),
        "active_deadline_seconds": dice.choice((None, 0, 36000)),
        "backoff_limit": dice.choice((None, 0, 1, 3)),
    }


def _resources(dice):
    if dice.random() < 0.6:
        return None
    said = {
        "cpu": dice.choice((None, "1", 2, 0.5, "500m")),
        "mem": dice.choice((None, "3000Mi", "1Gi", 1024)),
        "gpu": dice.choice((None, None, "1", 2)),
        "ephemeral_storage": dice.choice((None, None, "500Mi")),
    }
    return {name: value for name, value in said.items() if value is not None}


def config(task, words):
    """Return the config of a drawn task, by the words of flytekit or by ours.

    `words` has MPIJob, HorovodJob, Worker, Launcher, RunPolicy, RestartPolicy, CleanPodPolicy and
    Resources. Raises what they raise.
    """
    said = dict(task["config"])
    said["worker"] = words.Worker(**_meant(said["worker"], words))
    said["launcher"] = words.Launcher(**_meant(said["launcher"], words))
    if said["run_policy"] is not None:
        said["run_policy"] = words.RunPolicy(**_meant(said["run_policy"], words))
    return getattr(words, task["kind"])(**said)


def _meant(said, words):
    """Return a role or a policy in somebody's words."""
    made = dict(said)
    for name in ("requests", "limits"):
        if made.get(name) is not None:
            made[name] = words.Resources(**made[name])
    enums = {"restart_policy": "RestartPolicy", "clean_pod_policy": "CleanPodPolicy"}
    for name, enum in enums.items():
        if made.get(name) is not None:
            made[name] = getattr(words, enum)[made[name]]
    return made


def _answer(task):
    """Return what flytekit makes of a task: its command, payload and template, or an error."""
    from collections import OrderedDict

    import flytekit
    from flytekit.configuration import Image, ImageConfig, SerializationSettings
    from flytekit.tools.translator import get_serializable
    from flytekitplugins import kfmpi
    from google.protobuf.json_format import MessageToDict

    words = type("Words", (), {**vars(kfmpi), "Resources": flytekit.Resources})

    settings = SerializationSettings(
        project="p",
        domain="d",
        version="v1",
        image_config=ImageConfig(Image("default", "example.com/default", "1")),
    )
    try:
        decorate = flytekit.task(
            task_config=config(task, words),
            requests=words.Resources(**task["requests"]) if task["requests"] else None,
            limits=words.Resources(**task["limits"]) if task["limits"] else None,
            retries=task["retries"],
            environment=task["environment"],
            container_image=task["image"],
            timeout=task["timeout_s"],
            cache=bool(task["cache_version"]),
            cache_version=task["cache_version"],
        )
        made = decorate(train)
        template = get_serializable(OrderedDict(), settings, made).template
        return {
            "command": made.get_command(settings),
            "custom": made.get_custom(settings),
            "template": MessageToDict(template.to_flyte_idl()),
        }
    except (TypeError, ValueError) as error:
        return {"error": str(error)}


if __name__ == "__main__":
    # Of a function in `__main__` flytekit seeks the module, each time, wherever it could be.
    from drawn import _answer as answer

    json.dump([answer(task) for task in json.load(sys.stdin)], sys.stdout)
