"""What a person chooses of an installation."""

from msgspec import Struct

from mpijob import __version__
from mpijob.api.crd import SERVED

#: What the operator's Deployment, account and roles are called. Not as mpi-operator calls its own,
#: so that neither is taken for the other.
NAME = "mpijob-operator"
#: Where the operator lives unless told otherwise: mpi-operator's namespace, where its Lease is.
NAMESPACE = "mpi-operator"
IMAGE = f"mpijob/operator:{__version__}"
#: What brings kubectl to launchers that start ranks by exec.
KUBECTL_DELIVERY_IMAGE = f"mpijob/kubectl-delivery:{__version__}"

HEALTH_PORT = 8080
METRICS_PORT = 9090


#: By these a person, a Service and a Deployment find the operator's pods.
SELECTOR = {"app.kubernetes.io/name": NAME}
#: On every object that an installation makes.
LABELS = {
    **SELECTOR,
    "app.kubernetes.io/component": "operator",
    "app.kubernetes.io/part-of": "mpijob",
    "app.kubernetes.io/managed-by": "mpijob",
}


class Installation(Struct, frozen=True):
    """An operator in a cluster.

    Args:
        namespace: Where it lives, and where its Lease is.
        name: What its Deployment, account and roles are called.
        watched: The only namespace that it looks after; "" for all.
        served: The versions of MPIJob that the API server is to serve.
        known: Further versions that the server has stored objects of, and must go on knowing.
        image: The operator's image.
        kubectl_delivery_image: What brings kubectl to launchers that start ranks by exec; "" has
            the operator do without exec, and without the rights for it.
        replicas: How many processes stand ready; one of them acts.
        gang: `--gang-scheduling` of the operator: "volcano", or a scheduler's name; "" for none.
        cluster_domain: The cluster's DNS domain, for host files; "" for short names.
        network_policies: Whether to say who may reach the operator, and the pods of jobs.
        gpus_per_node: GPUs a worker of v1alpha1's jobs that say only how many they want.

    """

    namespace: str = NAMESPACE
    watched: str = ""
    served: tuple[str, ...] = SERVED
    known: tuple[str, ...] = ()
    image: str = IMAGE
    kubectl_delivery_image: str = KUBECTL_DELIVERY_IMAGE
    replicas: int = 2
    gang: str = ""
    cluster_domain: str = ""
    network_policies: bool = True
    name: str = NAME
    gpus_per_node: int = 1

    @property
    def selector(self) -> dict[str, str]:
        """The labels by which its Deployment finds its pods: one of another name has one more."""
        return {**SELECTOR, **({} if self.name == NAME else {"app": self.name})}

    @property
    def labels(self) -> dict[str, str]:
        """The labels of every object that is there for this operator alone."""
        return {**LABELS, **self.selector}
