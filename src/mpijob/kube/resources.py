"""Where the API server has each kind of object."""

from mpijob.core.plan import Kind, Ref

#: The group and version of each kind, and its name in paths. MPIJobs are served under several
#: versions; the operator watches the one that is stored.
_PATHS = {
    Kind.MPI_JOB: ("apis/kubeflow.org/v2beta1", "mpijobs"),
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

    def __init__(self, *, gang: str = "", namespace: str = "") -> None:
        """`gang` chooses whose PodGroups are meant; `namespace` narrows lists, "" for all."""
        self._paths = dict(_PATHS)
        if gang:
            self._paths[Kind.POD_GROUP] = POD_GROUPS[gang]
        self._namespace = namespace

    def collection(self, kind: Kind) -> str:
        """Return the path of the list of a kind, in the namespace that this is narrowed to."""
        group, plural = self._paths[kind]
        namespaced = kind is not Kind.PRIORITY_CLASS and self._namespace
        inside = f"/namespaces/{self._namespace}" if namespaced else ""
        return f"/{group}{inside}/{plural}"

    def api_version(self, kind: Kind) -> str:
        """Return the API version of a kind's objects, which lists leave out."""
        return self._paths[kind][0].removeprefix("apis/").removeprefix("api/")

    def new(self, kind: Kind, namespace: str) -> str:
        """Return the path to which a new object of a kind is posted."""
        group, plural = self._paths[kind]
        inside = f"/namespaces/{namespace}" if namespace else ""
        return f"/{group}{inside}/{plural}"

    def object(self, ref: Ref, subresource: str = "") -> str:
        """Return the path of one object, or of its subresource."""
        last = f"/{subresource}" if subresource else ""
        return f"{self.new(ref.kind, ref.namespace)}/{ref.name}{last}"
