"""The prototype mpi-operator: our operator under the name and in the namespace that one likes."""

from mpijob.core.job import Manifest
from mpijob.generate.mpi_job import GPUS_PER_NODE, NAME, PACKAGE
from mpijob.generate.operator import serving
from mpijob.generate.parameters import Parameter, Type, Values
from mpijob.generate.prototype import Prototype, Setting
from mpijob.generate.settings import IMAGE, KUBECTL_DELIVERY_IMAGE, Installation


def _objects(values: Values, setting: Setting) -> list[Manifest]:
    """Return the definition, which serves v1alpha1 too, then the operator with its rights."""
    chosen = Installation(
        namespace=setting.namespace,
        name=values["name"],
        image=values["image"],
        kubectl_delivery_image=values["kubectlDeliveryImage"],
        gpus_per_node=values["gpusPerNode"],
        replicas=1,
    )
    return list(serving(chosen))


PROTOTYPE = Prototype(
    name="io.ksonnet.pkg.mpi-operator",
    package=PACKAGE,
    description="Deploy the MPI operator, which manages MPI jobs.",
    parameters=(
        NAME,
        Parameter("image", Type.STRING, "The image for the MPI Operator", IMAGE),
        Parameter(
            "kubectlDeliveryImage",
            Type.STRING,
            "The image for delivering kubectl",
            KUBECTL_DELIVERY_IMAGE,
        ),
        Parameter(
            "gpusPerNode",
            Type.NUMBER,
            "The maximum number of GPUs per node",
            str(GPUS_PER_NODE),
            least=1,
        ),
    ),
    objects=_objects,
)
