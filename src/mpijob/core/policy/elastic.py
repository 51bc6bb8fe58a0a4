"""Whether ranks come and go with the workers while the job runs."""

from collections.abc import Iterable
from typing import Any

from mpijob.core import names, options
from mpijob.core.job import MPIJob

_HINTS = (names.DISCOVER_HOSTS, "--host-discovery-script", "--min-np")


def elastic(job: MPIJob) -> bool:
    """Say whether the job's launcher polls `discover_hosts.sh` and survives the loss of a host.

    The annotation decides; without it, a launcher whose command names the discovery script does.
    """
    command = "\n".join(_words(job))
    guess = any(hint in command for hint in _HINTS)
    return options.switched(job.identity.annotations, options.ELASTIC, default=guess)


def _words(job: MPIJob) -> Iterable[str]:
    containers: list[dict[str, Any]] = job.launcher.template.get("spec", {}).get("containers", [])
    for container in containers[:1]:
        yield from container.get("command") or ()
        yield from container.get("args") or ()
