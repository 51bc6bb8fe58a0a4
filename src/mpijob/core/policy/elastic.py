"""Whether ranks come and go with the workers while the job runs."""

import re
from functools import lru_cache

from mpijob.core import names, options
from mpijob.core.job import Manifest, MPIJob

_HINTS = re.compile(f"{re.escape(names.DISCOVER_HOSTS)}|--host-discovery-script|--min-np")


def elastic(job: MPIJob) -> bool:
    """Say whether the job's launcher polls `discover_hosts.sh` and survives the loss of a host.

    The annotation decides; without it, a launcher whose command names the discovery script does.
    """
    said = options.said(job.identity.annotations, options.ELASTIC)
    return _discovers(_words(job.launcher.template)) if said is None else said


def _words(template: Manifest) -> tuple[str, ...]:
    """Return what the first container runs."""
    containers: list[Manifest] = template.get("spec", {}).get("containers") or [{}]
    return (*(containers[0].get("command") or ()), *(containers[0].get("args") or ()))


@lru_cache(maxsize=256)
def _discovers(words: tuple[str, ...]) -> bool:
    """Say whether a command names the discovery script. Asked several times a look."""
    return _HINTS.search("\n".join(words)) is not None
