"""What the metadata of all children but pods have in common."""

from mpijob.core import names
from mpijob.core.job import MPIJob


def metadata(job: MPIJob, name: str) -> dict[str, object]:
    """Return the metadata of a child of `job` that is no pod.

    Labels and annotations of the job itself are not handed down: those of its templates are, to
    the pods.
    """
    return {
        "namespace": job.namespace,
        "name": name,
        "labels": {"app": job.name, names.CHILD_LABEL: "true"},
        "ownerReferences": [names.owner(job.identity)],
    }
