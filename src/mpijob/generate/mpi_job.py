"""The prototypes mpi-job-simple and mpi-job-custom: an MPIJob from a handful of parameters.

Both are written in v1alpha1, as the package wrote them, and put into another version from there, so
that they mean the same in each.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mpijob.api import versions
from mpijob.api.convert import converted
from mpijob.core import options
from mpijob.core.allocation import GPU
from mpijob.core.job import Manifest, Problem, Rejected
from mpijob.core.version import Version
from mpijob.generate.parameters import NULL, Fault, Parameter, Type, Values, WrongParameters
from mpijob.generate.prototype import Prototype, Setting

PACKAGE = "mpi-job"
#: The image with the benchmark, whose own command runs it.
IMAGE = "mpijob/tensorflow-benchmarks:latest"
#: GPUs a node, where an operator is not told otherwise by who installs it with the prototype.
GPUS_PER_NODE = 8
#: What every one of the package's prototypes calls its name.
NAME = Parameter("name", Type.STRING, "Name to give to each of the components")

_IMAGE = Parameter("image", Type.STRING, "The image to user for the job", IMAGE)
_COMMAND = Parameter("command", Type.STRING, "Command to pass to the job", NULL)
_ARGS = Parameter("args", Type.STRING, "Comma separated list of arguments to pass to the job", NULL)
_VOLUME = "persistent-storage"


def _simple(values: Values, setting: Setting) -> list[Manifest]:
    return [_job(values, {"gpus": values["gpus"]}, _container(values), setting)]


def _custom(values: Values, setting: Setting) -> list[Manifest]:
    container = _container(values)
    container["resources"] = {"limits": {GPU: values["gpusPerReplica"]}}
    pod: dict[str, Any] = {}
    claim, path = values["pvcName"], values["volumeMountPath"]
    if claim and path:
        container["volumeMounts"] = [{"name": _VOLUME, "mountPath": path}]
        pod["volumes"] = [{"name": _VOLUME, "persistentVolumeClaim": {"claimName": claim}}]
    return [_job(values, {"replicas": values["replicas"]}, container, setting, pod)]


SIMPLE = Prototype(
    name="io.ksonnet.pkg.mpi-job-simple",
    package=PACKAGE,
    description="A simple MPI job that allows you to specify the total number of GPUs.",
    parameters=(
        NAME,
        Parameter(
            "gpus",
            Type.NUMBER,
            "Total number of GPUs for the job; default to 1",
            default="1",
            least=1,
        ),
        _IMAGE,
        _COMMAND,
        _ARGS,
    ),
    objects=_simple,
)

CUSTOM = Prototype(
    name="io.ksonnet.pkg.mpi-job-custom",
    package=PACKAGE,
    description="A custom MPI Job that allows you to specify number of replicas and GPUs per "
    "replica.",
    parameters=(
        NAME,
        Parameter(
            "replicas",
            Type.NUMBER,
            "Total number of replicas for the job; default to 1",
            default="1",
            least=1,
        ),
        Parameter(
            "gpusPerReplica",
            Type.NUMBER,
            "Total number of GPUs per replica; default to 1",
            default="1",
        ),
        _IMAGE,
        _COMMAND,
        _ARGS,
        Parameter(
            "pvcName",
            Type.STRING,
            "PersistentVolumeClaim to mount; takes volumeMountPath too",
            NULL,
        ),
        Parameter(
            "volumeMountPath",
            Type.STRING,
            "Where to mount it; takes pvcName too",
            NULL,
        ),
    ),
    objects=_custom,
)


def _container(values: Values) -> dict[str, Any]:
    """Return the only container: without a command it runs the image's own."""
    container: dict[str, Any] = {"name": values["name"], "image": values["image"]}
    for field in ("command", "args"):
        if values[field]:
            container[field] = values[field].split(",")
    return container


def _job(
    values: Values,
    size: Mapping[str, int],
    container: Mapping[str, Any],
    setting: Setting,
    pod: Mapping[str, Any] | None = None,
) -> Manifest:
    """Return the job of a container and of what says how large it is, in the setting's version."""
    spec = {**size, "template": {"spec": {**(pod or {}), "containers": [container]}}}
    job = {
        "apiVersion": Version.V1ALPHA1.api_version,
        "kind": versions.KIND,
        "metadata": {"name": values["name"], "namespace": setting.namespace},
        "spec": spec,
    }
    # How many GPUs a node has is the operator's to say in v1alpha1; later versions must say it.
    told = {"gpusPerNode": GPUS_PER_NODE} if "gpus" in size else {}
    made = converted({**job, "spec": {**spec, **told}}, setting.version)
    if isinstance(made, Rejected):
        raise WrongParameters(*_faults(made))
    if setting.version is Version.V1ALPHA1:
        return job
    return _without_source(made.manifest)


def _without_source(job: Manifest) -> Manifest:
    """Return a job less the file that it was made of: nobody has written that."""
    metadata = dict(job["metadata"])
    others = {k: v for k, v in metadata.pop("annotations").items() if k != options.CONVERTED_FROM}
    return {**job, "metadata": {**metadata, **({"annotations": others} if others else {})}}


#: Which parameter a field of the job was made of.
_SOURCES = {
    "metadata.name": "name",
    "spec.gpus": "gpus",
    "spec.replicas": "replicas",
    "spec.template.spec.containers[0].image": "image",
    "spec.template.spec.containers[0].command": "command",
    "spec.template.spec.containers[0].args": "args",
    "spec.template.spec.volumes": "volumeMountPath",
    "spec.template.spec.containers[0].volumeMounts": "volumeMountPath",
}


def _faults(rejected: Rejected) -> Iterator[Fault]:
    for problem in rejected.problems:
        yield Fault(_source(problem), problem.detail, "give another value")


def _source(problem: Problem) -> str:
    found = (name for field, name in _SOURCES.items() if problem.field.startswith(field))
    return next(found, problem.field)
