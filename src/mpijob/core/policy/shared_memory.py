"""Whether a pod gets a /dev/shm as large as its memory.

Ranks of one host speak to each other through it, and container runtimes give it 64 MB: too little
for NCCL, UCX or data loaders, which then crash with a bus error.
"""

from mpijob.core import options
from mpijob.core.config import Config, Transport
from mpijob.core.job import MPIJob, Replica
from mpijob.core.transport.parts import Parts

PATH = "/dev/shm"
_VOLUME = "mpijob-shared-memory"


def parts(job: MPIJob, replica: Replica, config: Config) -> Parts:
    """Return what a pod that runs ranks gets for it: a volume and its mount, or nothing.

    Nothing where something is mounted there, or where the pod has its node's; nor on one machine,
    whose backend gives each host a /dev/shm itself. What is written there counts as the
    container's memory, whose limit is the volume's too.
    """
    spec = replica.template["spec"]
    wanted = options.switched(
        job.identity.annotations, options.SHARED_MEMORY, default=config.shared_memory
    )
    given = spec["containers"][0].get("volumeMounts") or ()
    taken = any(str(mount.get("mountPath")).rstrip("/") == PATH for mount in given)
    if not wanted or taken or spec.get("hostIPC") or config.transport is Transport.RSH:
        return Parts()
    return Parts(
        volumes=({"name": _VOLUME, "emptyDir": {"medium": "Memory"}},),
        own_mounts=({"name": _VOLUME, "mountPath": PATH},),
    )
