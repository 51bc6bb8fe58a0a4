"""kubeflow.org/v1alpha2: what its spec means, as mpi-operator v0.2 and v0.3 read it."""

from mpijob.api.wire import RunPolicyWire, SpecWire, idling, roles_of
from mpijob.core.draft import Draft
from mpijob.core.job import Flavour, Identity, Problem
from mpijob.core.status import JobStatus
from mpijob.core.validate import unsupported

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
    return Draft(
        identity=identity,
        replicas=idling(roles_of(spec)),
        slots_per_worker=spec.slots_per_worker,
        clean_pods=spec.clean_pod_policy or None,
        active_deadline_s=_first(policy.active_deadline_seconds, spec.active_deadline_seconds),
        backoff_limit=_first(policy.backoff_limit, spec.backoff_limit),
        flavour=flavour,
        main_container=spec.main_container,
        status=status,
        problems=problems,
    )


def _flavour(written: str | None) -> tuple[str | None, tuple[Problem, ...]]:
    """Return the MPI implementation that is named, if any, and what is wrong with its name."""
    if not written:
        return None, ()
    known = DISTRIBUTIONS.get(written)
    if known is not None:
        return known.value, ()
    return None, (unsupported("spec.mpiDistribution", written, tuple(DISTRIBUTIONS)),)


def _first(chosen: int | None, otherwise: int | None) -> int | None:
    return otherwise if chosen is None else chosen
