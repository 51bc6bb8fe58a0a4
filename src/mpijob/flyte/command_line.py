"""The command line that Flyte's plugin writes, for any Open MPI."""

from collections.abc import Callable, Sequence
from typing import Any

from mpijob.core.job import Manifest

#: Open MPI 5 reads `-bind-to` as `-b` and a program. Both read these.
_LONG = {"-bind-to": "--bind-to", "-map-by": "--map-by", "-mca": "--mca"}


def for_any_open_mpi(job: Manifest) -> dict[str, Any]:
    """Return a job whose launcher's mpirun line Open MPI 5 can read as well as Open MPI 4."""
    return _with_lines(job, lambda options, program: [*map(_in_full, options), *program])


def ending_together(job: Manifest) -> dict[str, Any]:
    """Return a job of which one rank's failure ends all ranks, where Python has mpi4py.

    pyflyte-execute exits where its task raised, and MPI's own end waits for ranks that wait for it.
    """
    return _with_lines(
        job,
        lambda options, program: [
            *options,
            *program[:1],
            *(_ENDING if program else ()),
            *program[1:],
        ],
    )


_ENDING = ("-m", "mpi4py")
_PROGRAM = "python"


def _in_full(word: str) -> str:
    return _LONG.get(word, word)


def _with_lines(
    job: Manifest, change: Callable[[Sequence[str], Sequence[str]], list[str]]
) -> dict[str, Any]:
    """Return a job with each mpirun line changed: `change(options, program)` returns it anew."""

    def changed(container: Manifest) -> Manifest:
        words = container.get("args") or ()
        if not words or words[0] != "mpirun":
            return container
        end = words.index(_PROGRAM) if _PROGRAM in words else len(words)
        return {**container, "args": change(words[:end], words[end:])}

    roles = {}
    for name, role in job["spec"]["mpiReplicaSpecs"].items():
        pod = role["template"]["spec"]
        spec = {**pod, "containers": [changed(one) for one in pod["containers"]]}
        roles[name] = {**role, "template": {**role["template"], "spec": spec}}
    return {**job, "spec": {**job["spec"], "mpiReplicaSpecs": roles}}
