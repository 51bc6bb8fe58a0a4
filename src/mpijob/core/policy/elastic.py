"""Whether ranks come and go with the workers while the job runs."""

import re

from mpijob.core import names, options
from mpijob.core.job import Manifest, MPIJob

_HINTS = re.compile(f"{re.escape(names.DISCOVER_HOSTS)}|--host-discovery-script|--min-np")


def elastic(job: MPIJob) -> bool:
    """Say whether the job's launcher polls `discover_hosts.sh` and survives the loss of a host.

    The annotation decides; without it, a launcher whose command names the discovery script does.
    """
    said = options.said(job.identity.annotations, options.ELASTIC)
    return _discovers(job.launcher.template) if said is None else said


def _discovers(template: Manifest) -> bool:
    """Say whether the first container's command names the discovery script."""
    containers: list[Manifest] = template.get("spec", {}).get("containers") or [{}]
    words = (*(containers[0].get("command") or ()), *(containers[0].get("args") or ()))
    return _HINTS.search("\n".join(words)) is not None
