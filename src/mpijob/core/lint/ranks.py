"""How many ranks mpirun is told to start, beside how many slots the job has."""

from collections.abc import Iterator

from mpijob.core import names
from mpijob.core.draft import LAUNCHER, WORKER, Draft
from mpijob.core.finding import Finding, warning
from mpijob.core.job import Flavour
from mpijob.core.lint.launches import Launch, Option, launches
from mpijob.core.lint.templates import Part, main_container, variables

#: Options that bring hosts of their own, so that the job's slots say nothing.
_OWN_HOSTS = {"H", "f", "host", "hosts", "hostfile", "machinefile", "host-discovery-script"}
_ELASTIC = {"min-np", "max-np", "min-num-proc", "max-num-proc"}
_PER_HOST = {"N", "npernode", "ppn", "perhost"}


def rank_findings(draft: Draft) -> Iterator[Finding]:
    """Yield where an mpirun line asks for other ranks than the job has slots."""
    container = main_container(draft, LAUNCHER)
    slots, hosts = draft.slots_per_worker or 0, _host_count(draft)
    if container is None or slots < 1 or hosts < 1:
        return
    for launch in launches(container):
        if _finds_own_hosts(launch):
            continue
        yield from _total_findings(draft, launch, slots, hosts, container)
        yield from _host_findings(launch, slots)


def _host_count(draft: Draft) -> int:
    """Return how many hosts the hostfile names."""
    worker = (draft.replicas or {}).get(WORKER)
    workers = worker.count or 0 if worker is not None else 0
    return max(workers, 0) + (1 if draft.run_launcher_as_worker else 0)


def _finds_own_hosts(launch: Launch) -> bool:
    """Say whether a launch uses other hosts than those of the job's hostfile, or not all."""
    return any(
        option.name in _ELASTIC
        or (option.name in _OWN_HOSTS and option.values != (names.HOSTFILE_PATH,))
        for option in launch.options
    )


def _total_findings(
    draft: Draft, launch: Launch, slots: int, hosts: int, container: Part
) -> Iterator[Finding]:
    """Yield where the ranks of a launch are not as many as the slots of all hosts."""
    asked, option = launch.rank_count, launch.counted()
    total = slots * hosts
    if asked is None or option is None or asked == total:
        return
    has = f"{_counted(hosts, 'host')} × {_counted(slots, 'slot')} = {total}"
    mend = f"Ask for {total}, or change replicas or slotsPerWorker."
    if asked < total:
        message = (
            f"of {_counted(total, 'slot')} {asked} {'is' if asked == 1 else 'are'} used: {has}"
        )
        yield warning(option.field, message, mend)
    elif not _oversubscribes(launch, container):
        open_mpi = draft.flavour == Flavour.OPEN_MPI.value
        outcome = "Open MPI will not start them" if open_mpi else "they will share slots"
        yield warning(option.field, f"{asked} ranks are more than {has}: {outcome}", mend)


def _counted(count: int, thing: str) -> str:
    """Return a count with its thing, as in "1 host" and "2 hosts"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _oversubscribes(launch: Launch, container: Part) -> bool:
    """Say whether more ranks than slots are wanted."""
    told = any(
        "oversubscribe" in f"{option.name} {option.values}".lower() for option in launch.options
    )
    return told or any("oversubscribe" in name for name in variables(container))


def _host_findings(launch: Launch, slots: int) -> Iterator[Finding]:
    """Yield where a launch puts more ranks on a host than it has slots."""
    for option in launch.options:
        count = _per_host(option)
        if count is not None and count > slots:
            yield warning(
                option.field,
                f"{count} ranks on each host are more than its {_counted(slots, 'slot')}",
                f"Set spec.slotsPerWorker: {count}, or ask for {slots}.",
            )


def _per_host(option: Option) -> int | None:
    """Return how many ranks a host gets by an option, None where it does not say."""
    text = option.values[0] if option.values else ""
    if option.name == "map-by":
        kind, _, rest = text.lower().partition(":")
        count, _, of = rest.partition(":")
        text = count if kind == "ppr" and of.partition(":")[0] == "node" else ""
    elif option.name not in _PER_HOST:
        return None
    return int(text) if text.isdecimal() and len(text) < 10 else None
