"""Other operators that look after MPIJobs: two that act on one job undo each other's work."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from mpijob.core.job import Manifest
from mpijob.generate.settings import NAME, SELECTOR, Installation

_SCHEME = re.compile(r"--?enable-scheme=?")


class Rival(Struct, frozen=True):
    """A Deployment whose pods act on MPIJobs, by what it is: `program` is its name for people."""

    namespace: str
    name: str
    program: str

    def __str__(self) -> str:
        return f"{self.program} is at work: Deployment {self.namespace}/{self.name}"

    @property
    def remedy(self) -> str:
        """What to type to have it rest; its jobs stay, and are taken over."""
        return f"kubectl -n {self.namespace} scale deployment {self.name} --replicas=0"


def rivals(deployments: Iterable[Manifest], chosen: Installation) -> Iterator[Rival]:
    """Yield the operators that would act on the same jobs as the one that is to be installed."""
    for manifest in deployments:
        metadata, spec = manifest["metadata"], manifest["spec"]
        if spec.get("replicas") == 0:
            continue
        containers = spec["template"]["spec"]["containers"]
        for words in map(_words, containers):
            program = _program(metadata, words, chosen)
            if program:
                yield Rival(metadata["namespace"], metadata["name"], program)
                break


def watched_by(deployment: Manifest) -> str:
    """Return the only namespace that an operator of ours looks after, "" for all."""
    words = _words(deployment["spec"]["template"]["spec"]["containers"][0])
    return _value(words, "namespace")


def _program(metadata: Manifest, words: list[str], chosen: Installation) -> str:
    """Return which operator a container runs that is in the way, "" where it is none."""
    labels = metadata.get("labels") or {}
    if labels.items() >= SELECTOR.items():
        there = _value(words, "namespace")
        apart = metadata["namespace"] == chosen.namespace or (
            there and chosen.watched and there != chosen.watched
        )
        return "" if apart else f"another {NAME}"
    programs = {_last_name(word) for word in words}
    if "mpi-operator" in programs:
        return "mpi-operator"
    if "training-operator" in programs and _serves_jobs(words):
        return "training-operator"
    return ""


def _words(container: Manifest) -> list[str]:
    """Return what a container is told: its image, its command and its arguments."""
    told = (container.get("command") or (), container.get("args") or ())
    return [container.get("image", ""), *(word for words in told for word in words)]


def _last_name(word: str) -> str:
    """Return the program in a path or an image's name: less folders, tag and digest."""
    return word.rpartition("/")[2].partition("@")[0].partition(":")[0]


def _serves_jobs(words: list[str]) -> bool:
    """Say whether a training-operator looks after MPIJobs: where it is told nothing, it does."""
    text = " ".join(words)
    schemes = [_SCHEME.sub("", found) for found in re.findall(r"--?enable-scheme[= ]\S+", text)]
    return not schemes or any("mpijob" in scheme.lower() for scheme in schemes)


def _value(words: list[str], flag: str) -> str:
    """Return what `--flag=value` says in a command line, "" where it is not there."""
    found = [word for word in words if re.match(rf"--?{flag}=", word)]
    return found[-1].partition("=")[2] if found else ""
