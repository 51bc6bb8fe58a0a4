"""The PodGroup that tells a gang scheduler which pods start together or not at all."""

from collections.abc import Mapping

from mpijob.core import names
from mpijob.core.build.metadata import metadata
from mpijob.core.config import Config, Gang
from mpijob.core.job import Manifest, MPIJob
from mpijob.core.policy import gang

_API_VERSIONS = {
    Gang.VOLCANO: "scheduling.volcano.sh/v1beta1",
    Gang.SCHEDULER_PLUGINS: "scheduling.x-k8s.io/v1alpha1",
}


def pod_group(job: MPIJob, config: Config, priorities: Mapping[str, int]) -> Manifest | None:
    """Return the PodGroup of `job`, or None where nobody schedules gangs.

    Args:
        job: The job.
        config: Says whose PodGroups to make.
        priorities: The values of the PriorityClasses that the templates name, as far as known.

    Source: `newPodGroup`, mpi-operator v0.8.2 (pkg/controller/podgroup.go).

    """
    if config.gang is None:
        return None
    return {
        "apiVersion": _API_VERSIONS[config.gang],
        "kind": "PodGroup",
        "metadata": {
            key: value
            for key, value in metadata(job, names.pod_group(job.name)).items()
            if key != "labels"
        },
        "spec": gang.spec(job, config.gang, priorities),
    }


def pod_group_correction(wanted: Manifest, seen_spec: Manifest) -> Manifest | None:
    """Return the merge patch that brings a PodGroup to what is wanted, or None where it is so.

    Only fields that a job can speak of are compared, and a queue only where the job names one:
    Volcano fills in the queue of its own accord, and we would fight it for ever.
    """
    spec = gang.correction(wanted["spec"], seen_spec)
    return {"spec": spec} if spec else None
