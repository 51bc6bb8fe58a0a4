"""Ranks started by the local backend's own remote shell, on hosts that just stay there.

There is no sshd, so nothing is prepared and nobody is waited for. A worker whose command is left
open is a host that its kubelet keeps until the job is done with it. The key pair is mounted all
the same: programs may look at it, and a job must find the same files wherever it runs.
"""

from mpijob.core.job import MPIJob
from mpijob.core.transport import keys
from mpijob.core.transport.parts import Parts


def worker(job: MPIJob) -> Parts:
    """Return what a worker gets."""
    return Parts(volumes=(keys.volume(job),), mounts=(keys.mount(job),))


def launcher(job: MPIJob) -> Parts:
    """Return what the launcher gets; how to reach its hosts, its kubelet tells it."""
    return worker(job)
