"""Service meshes: whether they may put their proxies into a job's pods.

A proxy gets between a job's hosts: it is not there yet when init containers wait for workers, it
turns away who is not of the mesh, it knows nothing of the ports that ranks open, and it runs on
when the launcher has ended, so that the launcher's pod never does. So pods say that they want none.
"""

from mpijob.core import options
from mpijob.core.config import Config, Transport
from mpijob.core.job import Manifest, MPIJob
from mpijob.core.policy.gang import Marks

#: Istio reads the label; the annotation is for those releases that do not yet.
ISTIO = "sidecar.istio.io/inject"
ISTIO_REVISION = "istio.io/rev"
LINKERD = "linkerd.io/inject"


def marks(job: MPIJob, metadata: Manifest, config: Config) -> Marks:
    """Return what keeps proxies out of a pod whose template has that metadata.

    What a template says of a mesh, it alone says: a label of ours would outdo its annotation.
    """
    wanted = options.switched(
        job.identity.annotations, options.SERVICE_MESH, default=config.service_mesh
    )
    if wanted or config.transport is Transport.RSH:
        return Marks()
    said = {*(metadata.get("labels") or ()), *(metadata.get("annotations") or ())}
    istio = {} if {ISTIO, ISTIO_REVISION} & said else {ISTIO: "false"}
    linkerd = {} if LINKERD in said else {LINKERD: "disabled"}
    return Marks(labels=istio, annotations=istio | linkerd)
