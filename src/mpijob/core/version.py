"""The versions of MPIJob's API, and what their operators did each in a way of its own.

A job stays with the ways of the version that it was written in, whichever version it is read by.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

GROUP = "kubeflow.org"


class Version(StrEnum):
    """The versions that a job may be written in, the oldest first.

    V1 is two operators' version: mpi-operator's up to v0.3, and then the training-operator's. The
    latter's fields are the former's and more, and its ways are those that are kept.
    """

    V1ALPHA1 = "v1alpha1"
    V1ALPHA2 = "v1alpha2"
    V1 = "v1"
    V2BETA1 = "v2beta1"

    @property
    def api_version(self) -> str:
        """What `apiVersion` says of an object of this version."""
        return f"{GROUP}/{self.value}"

    @property
    def ways(self) -> "Ways":
        """What is done in this version's own way."""
        return _WAYS[self]


class Ways(Struct, frozen=True):
    """What the operators of a version did in a way of their own.

    Args:
        execs: Whether ranks are started by `kubectl exec`, where the job does not choose.
        operator_name: What their pods' label `operator-name` says.
        says_replica_type: Whether a pod's role is in the label `replica-type`, and `job-role` says
            `master` of the launcher and nothing of workers.
        names_namespace: Whether the news that a job was made or suspended says in which namespace.
        managers: Who `managedBy` may name; the first is the operator itself. Empty where the
            version has no such field.
        shows_line: Whether the status has fields of ours for people: `state` and `ready`.
        ends_invalid: Whether a job that is invalid from the beginning has failed for good. Flyte
            waits for an end, and knows no other condition.
        ends_late: Whether the end waits for a later second than that of the job's creation, and
            conditions of ours are never the newest: Flyte goes by the order of times, which are
            whole seconds, and by the types that it knows.
        ttl_takes_job: Whether a finished job's time to live removes the MPIJob itself.

    """

    execs: bool = True
    operator_name: str = "mpi-operator"
    says_replica_type: bool = False
    names_namespace: bool = True
    managers: tuple[str, ...] = ()
    shows_line: bool = False
    ends_invalid: bool = False
    ends_late: bool = False
    ttl_takes_job: bool = False


_MULTI_KUEUE = "kueue.x-k8s.io/multikueue"
_WAYS: Mapping[Version, Ways] = {
    Version.V1ALPHA1: Ways(),
    Version.V1ALPHA2: Ways(),
    Version.V1: Ways(
        operator_name="mpijob-controller",
        says_replica_type=True,
        names_namespace=False,
        managers=(f"{GROUP}/training-operator", _MULTI_KUEUE),
        ends_invalid=True,
        ends_late=True,
        ttl_takes_job=True,
    ),
    Version.V2BETA1: Ways(
        execs=False,
        managers=(f"{GROUP}/mpi-operator", _MULTI_KUEUE),
        shows_line=True,
    ),
}
