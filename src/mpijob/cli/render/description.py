"""All about one job, for a person: a page of text."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from mpijob.api.events import EventView, in_order
from mpijob.cli.render import events, facts, jobs
from mpijob.cli.render.age import age, between, moment
from mpijob.cli.render.table import table
from mpijob.core.default import defaulted
from mpijob.core.draft import Draft
from mpijob.core.explain import Fact
from mpijob.core.job import Rejected
from mpijob.core.observed import ContainerView, Observed, PodView

_POD_COLUMNS = ("POD", "STATE", "READY", "RESTARTS", "AGE", "LAST EXIT")
_CONDITION_COLUMNS = ("TYPE", "STATUS", "REASON", "SINCE", "MESSAGE")


class Subject(Struct, frozen=True):
    """What there is to tell of a job: as written, as observed, explained, and its events."""

    draft: Draft | Rejected
    observed: Observed
    facts: Sequence[Fact]
    events: Sequence[EventView]


def description(subject: Subject, now: datetime, *, colour: bool = False) -> str:
    """Return the page: what the job is, how it is, its pods, conditions, reasons and events."""
    sections = [
        _pairs(_about(subject, now)),
        _section("Pods", table(_POD_COLUMNS, _pods(subject.observed, now), colour=colour)),
        _section("Conditions", table(_CONDITION_COLUMNS, _conditions(subject, now))),
        _section("Why", facts.paragraphs(subject.facts, colour=colour)),
        _section("Events", table(events.COLUMNS, _events(subject, now), colour=colour)),
    ]
    return "\n".join(section for section in sections if section)


def _about(subject: Subject, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield what is told of the job itself, the fields that say something."""
    identity, status = subject.draft.identity, subject.draft.status
    row = jobs.row(subject.draft, now)
    yield "Name", identity.key.name
    yield "Namespace", identity.key.namespace
    yield "State", row["STATE"]
    yield "Created", f"{moment(identity.created_at)} ({row['AGE']} ago)"
    if status.started_at:
        yield "Started", moment(status.started_at)
    if status.completed_at:
        yield "Finished", moment(status.completed_at)
    yield "Duration", between(status.started_at, status.completed_at, now)
    yield "Restarts", str(status.restarts)
    if isinstance(subject.draft, Draft):
        yield from _intent(defaulted(subject.draft), row)


def _intent(draft: Draft, row: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what the job asks for."""
    yield "Workers × slots", row["WORKERS×SLOTS"]
    yield "MPI", draft.flavour or ""
    yield "Pods at the end", f"{draft.clean_pods} are removed"
    limits = {"deadline": draft.active_deadline_s, "kept after its end": draft.ttl_s}
    said = [f"{name} {seconds}s" for name, seconds in limits.items() if seconds is not None]
    if draft.backoff_limit is not None:
        said.append(f"up to {draft.backoff_limit} retries")
    yield "Limits", ", ".join(said)
    yield "Managed by", draft.managed_by or ""


def _pods(observed: Observed, now: datetime) -> list[dict[str, str]]:
    """Return the rows of the pods: the launcher's first, then the workers in their order."""
    launchers = sorted(observed.launcher_pods, key=lambda pod: pod.name)
    workers = sorted(observed.workers, key=lambda pod: (len(pod.name), pod.name))
    return [_pod(pod, now) for pod in (*launchers, *workers)]


def _pod(pod: PodView, now: datetime) -> dict[str, str]:
    main = [container for container in pod.containers if not container.init]
    return {
        "POD": pod.name,
        "STATE": "Terminating" if pod.deleting else pod.phase.value,
        "READY": "yes" if pod.ready else "no",
        "RESTARTS": str(sum(container.restart_count for container in main)),
        "AGE": age(pod.created_at, now),
        "LAST EXIT": _last_exit(main),
    }


def _last_exit(containers: Iterable[ContainerView]) -> str:
    """Return how the first container that has ended did so: its exit code and the reason."""
    ended = next((c for c in containers if c.exit_code is not None), None)
    if ended is None:
        return ""
    return (
        f"{ended.exit_code} ({ended.ended_reason})" if ended.ended_reason else str(ended.exit_code)
    )


def _conditions(subject: Subject, now: datetime) -> list[dict[str, str]]:
    return [
        {
            "TYPE": row.type.value,
            "STATUS": "True" if row.true else "False",
            "REASON": row.reason,
            "SINCE": age(row.changed_at, now),
            "MESSAGE": row.message,
        }
        for row in subject.draft.status.conditions
    ]


def _events(subject: Subject, now: datetime) -> list[dict[str, str]]:
    return [events.row(event, now) for event in in_order(subject.events)]


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and what they stand for, one a line, aligned; nothing for what is empty."""
    said = [(f"{name}:", text) for name, text in pairs if text]
    width = max(len(name) for name, _ in said) + 2
    return "".join(f"{name:<{width}}{text}\n" for name, text in said)


def _section(heading: str, text: str) -> str:
    """Return a text under its heading, indented; "" where there is none."""
    lines = "".join(f"  {line}\n" for line in text.splitlines())
    return f"{heading}:\n{lines}" if lines else ""
