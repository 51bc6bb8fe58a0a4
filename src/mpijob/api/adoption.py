"""Children that another operator made for a job of ours, and that we go on with."""

from collections.abc import Mapping
from typing import Any

from mpijob.core import names
from mpijob.core.job import Identity, Manifest
from mpijob.core.plan import Kind
from mpijob.core.version import Version

_OPERATOR = Version.V2BETA1.ways.operator_name
_LABEL: Mapping[str, Any] = {"metadata": {"labels": {names.CHILD_LABEL: "true"}}}
#: The kinds that are watched by our label. Pods are watched by a label that every operator since
#: v1's first gives them, and PodGroups, which have none, all of them.
LABELLED = (Kind.SERVICE, Kind.CONFIG_MAP, Kind.SECRET, Kind.JOB)


def adoption(kind: Kind) -> Manifest:
    """Return the merge patch that puts a child under our watch.

    A launcher's Job loses its time to live: the job's removes it, once its end is on record.
    Whoever removed it sooner would take the end with it, and the launcher would run again. A pod
    of mpi-operator's v1 gets the label by which pods are watched.
    """
    if kind is Kind.POD:
        return {"metadata": {"labels": {names.OPERATOR_NAME_LABEL: _OPERATOR}}}
    if kind is Kind.JOB:
        return {**_LABEL, "spec": {"ttlSecondsAfterFinished": None}}
    return _LABEL


def adoptable(kind: Kind, there: Manifest, job: Identity) -> bool:
    """Say whether an object is controlled by `job`, and not yet under our watch."""
    owner = _controller(there)
    return kind in LABELLED and owner.get("uid") == job.uid and _is_unlabelled(there)


def is_stray(kind: Kind, there: Manifest) -> bool:
    """Say whether an object is controlled by some MPIJob, and not yet under our watch."""
    label = names.OPERATOR_NAME_LABEL if kind is Kind.POD else names.CHILD_LABEL
    owner = _controller(there)
    group = str(owner.get("apiVersion", "")).partition("/")[0]
    return (owner.get("kind"), group) == ("MPIJob", "kubeflow.org") and _lacks(label, there)


def _controller(there: Manifest) -> Mapping[str, Any]:
    owners = (there.get("metadata") or {}).get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), {})


def is_watched(kind: Kind, there: Manifest) -> bool:
    """Say whether a watch of an operator of ours tells of an object of that kind."""
    return kind not in LABELLED or not _is_unlabelled(there)


def _is_unlabelled(there: Manifest) -> bool:
    return _lacks(names.CHILD_LABEL, there)


def _lacks(label: str, there: Manifest) -> bool:
    return label not in ((there.get("metadata") or {}).get("labels") or {})
