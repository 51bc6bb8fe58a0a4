"""The kinds of object that the small cluster knows, and how each behaves on the wire."""

from msgspec import Struct

from mpijob.core.job import Manifest
from mpijob.core.plan import Kind


class Resource(Struct, frozen=True):
    """One row of the table: how a kind is spelled, and which parts a server keeps of it.

    `api_versions` are those that are served, the stored one first. `has_status`: status is a
    subresource, so that a write of the object leaves it alone and the other way round.
    `keeps_status`: a status given at creation stays (nodes register with theirs). `is_custom`: a
    CustomResourceDefinition defines it, so that a replacement has to bear a version, and a write of
    the status says nothing of metadata.
    """

    kind: Kind
    plural: str
    api_versions: tuple[str, ...]
    namespaced: bool = True
    has_status: bool = False
    keeps_status: bool = False
    has_generation: bool = False
    is_custom: bool = False


RESOURCES: dict[Kind, Resource] = {
    row.kind: row
    for row in (
        Resource(
            Kind.MPI_JOB,
            "mpijobs",
            (
                "kubeflow.org/v2beta1",
                "kubeflow.org/v1",
                "kubeflow.org/v1alpha2",
                "kubeflow.org/v1alpha1",
            ),
            has_status=True,
            has_generation=True,
            is_custom=True,
        ),
        Resource(Kind.SERVICE, "services", ("v1",), has_status=True),
        Resource(Kind.CONFIG_MAP, "configmaps", ("v1",)),
        Resource(Kind.SECRET, "secrets", ("v1",)),
        Resource(Kind.JOB, "jobs", ("batch/v1",), has_status=True, has_generation=True),
        Resource(Kind.POD, "pods", ("v1",), has_status=True, has_generation=True),
        Resource(
            Kind.POD_GROUP,
            "podgroups",
            ("scheduling.volcano.sh/v1beta1", "scheduling.x-k8s.io/v1alpha1"),
            has_status=True,
            has_generation=True,
            is_custom=True,
        ),
        Resource(
            Kind.PRIORITY_CLASS,
            "priorityclasses",
            ("scheduling.k8s.io/v1",),
            namespaced=False,
            has_generation=True,
        ),
        Resource(Kind.SERVICE_ACCOUNT, "serviceaccounts", ("v1",)),
        Resource(Kind.ROLE, "roles", ("rbac.authorization.k8s.io/v1",)),
        Resource(Kind.ROLE_BINDING, "rolebindings", ("rbac.authorization.k8s.io/v1",)),
        Resource(Kind.EVENT, "events", ("v1",)),
        Resource(Kind.LEASE, "leases", ("coordination.k8s.io/v1",)),
        Resource(Kind.NODE, "nodes", ("v1",), namespaced=False, has_status=True, keeps_status=True),
    )
}


def resource_of(manifest: Manifest) -> Resource | None:
    """Return the row of a manifest's kind, or None where that kind or version is not served."""
    row = RESOURCES.get(manifest.get("kind", ""))
    return row if row is not None and manifest.get("apiVersion") in row.api_versions else None


def qualified(name: str, api_version: str) -> str:
    """Return a kind's or a resource's name with its group, as messages show it: `jobs.batch`."""
    group, slash, _ = api_version.partition("/")
    return f"{name}.{group}" if slash else name
