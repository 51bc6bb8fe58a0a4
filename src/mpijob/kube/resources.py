"""Where the API server has each kind of object."""

from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.core.version import Version

#: What the paths of MPIJobs end with, whichever version they are asked for in.
JOBS = "mpijobs"
#: The group and version of each kind, and its name in paths.
_PATHS = {
    Kind.MPI_JOB: (f"apis/{Version.V2BETA1.api_version}", JOBS),
    Kind.SERVICE: ("api/v1", "services"),
    Kind.CONFIG_MAP: ("api/v1", "configmaps"),
    Kind.SECRET: ("api/v1", "secrets"),
    Kind.POD: ("api/v1", "pods"),
    Kind.SERVICE_ACCOUNT: ("api/v1", "serviceaccounts"),
    Kind.ROLE: ("apis/rbac.authorization.k8s.io/v1", "roles"),
    Kind.ROLE_BINDING: ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    Kind.EVENT: ("api/v1", "events"),
    Kind.LEASE: ("apis/coordination.k8s.io/v1", "leases"),
    Kind.JOB: ("apis/batch/v1", "jobs"),
    Kind.PRIORITY_CLASS: ("apis/scheduling.k8s.io/v1", "priorityclasses"),
}

#: The PodGroups of the gang schedulers, by what the operator calls them.
POD_GROUPS = {
    "volcano": ("apis/scheduling.volcano.sh/v1beta1", "podgroups"),
    "scheduler-plugins": ("apis/scheduling.x-k8s.io/v1alpha1", "podgroups"),
}


class Paths:
    """The paths of objects and lists, for one choice of gang scheduler and namespace."""

    def __init__(
        self, *, gang: str = "", namespace: str = "", version: Version = Version.V2BETA1
    ) -> None:
        """`gang` chooses whose PodGroups are meant; `namespace` narrows lists, "" for all.

        MPIJobs are asked for in that `version`.
        """
        self._paths = dict(_PATHS)
        self.ask_for(version)
        if gang:
            self._paths[Kind.POD_GROUP] = POD_GROUPS[gang]
        self._namespace = namespace

    def ask_for(self, version: Version) -> None:
        """Ask for MPIJobs in that version from now on."""
        self._paths[Kind.MPI_JOB] = (f"apis/{version.api_version}", JOBS)

    def collection(self, kind: Kind) -> str:
        """Return the path of the list of a kind, in the namespace that this is narrowed to."""
        group, plural = self._paths[kind]
        namespaced = kind is not Kind.PRIORITY_CLASS
        return _collection(group, self._namespace if namespaced else "", plural)

    def api_version(self, kind: Kind) -> str:
        """Return the API version of a kind's objects, which lists leave out."""
        return self._paths[kind][0].removeprefix("apis/").removeprefix("api/")

    def new(self, manifest: Manifest) -> str:
        """Return the path to which a new object is posted: in the version that it says it is of."""
        _, plural = self._paths[Kind(manifest["kind"])]
        version, namespace = manifest["apiVersion"], manifest["metadata"].get("namespace", "")
        return _collection(f"{'apis' if '/' in version else 'api'}/{version}", namespace, plural)

    def object(self, ref: Ref, subresource: str = "") -> str:
        """Return the path of one object, or of its subresource."""
        group, plural = self._paths[ref.kind]
        last = f"/{subresource}" if subresource else ""
        return f"{_collection(group, ref.namespace, plural)}/{ref.name}{last}"


def _collection(group: str, namespace: str, plural: str) -> str:
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"/{group}{inside}/{plural}"
