"""kubeflow.org/v1alpha2: what its spec means, as mpi-operator v0.2 and v0.3 read it."""

from mpijob.api.wire import RunPolicyWire, SpecWire, idling, roles_of
from mpijob.core.draft import Draft
from mpijob.core.job import Flavour, Identity, Problem
from mpijob.core.status import JobStatus
from mpijob.core.validate import NOT_NEGATIVE, invalid, unsupported

#: The MPI implementations by the names that this version has for them.
DISTRIBUTIONS = {
    "IntelMPI": Flavour.INTEL,
    "MPICH": Flavour.MPICH,
    "OpenMPI": Flavour.OPEN_MPI,
}
NAMES = {flavour: name for name, flavour in DISTRIBUTIONS.items()}


def draft(spec: SpecWire, identity: Identity, status: JobStatus) -> Draft:
    """Return the draft of a job that was written in v1alpha2.

    Of two limits that of `runPolicy` counts; of that policy's other fields, none.
    """
    policy = spec.run_policy or RunPolicyWire()
    flavour, problems = _flavour(spec.mpi_distribution)
    deadline_s, too_soon = _limit(
        "activeDeadlineSeconds", policy.active_deadline_seconds, spec.active_deadline_seconds
    )
    tries, too_few = _limit("backoffLimit", policy.backoff_limit, spec.backoff_limit)
    return Draft(
        identity=identity,
        replicas=idling(roles_of(spec)),
        slots_per_worker=spec.slots_per_worker,
        clean_pods=spec.clean_pod_policy or None,
        active_deadline_s=deadline_s,
        backoff_limit=tries,
        flavour=flavour,
        main_container=spec.main_container,
        status=status,
        problems=(*problems, *too_soon, *too_few),
    )


def _flavour(written: str | None) -> tuple[str | None, tuple[Problem, ...]]:
    """Return the MPI implementation that is named, if any, and what is wrong with its name."""
    if not written:
        return None, ()
    known = DISTRIBUTIONS.get(written)
    if known is not None:
        return known.value, ()
    return None, (unsupported("spec.mpiDistribution", written, tuple(DISTRIBUTIONS)),)


def _limit(
    name: str, chosen: int | None, own: int | None
) -> tuple[int | None, tuple[Problem, ...]]:
    """Return the limit that counts, and what is wrong with the one that is this version's own."""
    if chosen is not None or own is None or own >= 0:
        return own if chosen is None else chosen, ()
    return None, (invalid(f"spec.{name}", own, NOT_NEGATIVE),)
