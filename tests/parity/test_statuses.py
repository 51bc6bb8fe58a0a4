"""What we report of a job is what mpi-operator v0.8.2 reported of it, but for what is listed.

The only listed difference that these jobs show is that an invalid job says so (row 5); that events
come once (row 12) shows in their number, which is not compared.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from mpijob.api.status import encode_status
from mpijob.core import build, names, transport
from mpijob.core.config import Config
from mpijob.core.job import MPIJob
from mpijob.core.observed import (
    ConfigView,
    End,
    LauncherView,
    Observed,
    PodPhase,
    PodView,
    SecretView,
    ServiceView,
)
from mpijob.core.plan import Announce, Delete, Kind, WriteStatus
from mpijob.core.reconcile import reconcile
from mpijob.core.status import ConditionType

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CONFIG = Config()
LAUNCHER_UID = "launcher"


@dataclass
class Story:
    """One job's life, as it is told to the world step by step."""

    job: MPIJob
    now: datetime = NOON
    events: list[dict[str, str]] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)

    def look(self, **seen) -> "Story":
        """Decide on what is seen, until nothing more is to be told."""
        world = _world(self.job, seen) if isinstance(self.job, MPIJob) else Observed(self.job)
        for _ in range(3):
            self.now += timedelta(seconds=1)
            for step in reconcile(replace(world, job=self.job), self.now, CONFIG).steps:
                self._take(step)
        return self

    def _take(self, step):
        match step:
            case WriteStatus():
                self.job = replace(self.job, status=step.status)
            case Announce():
                kind = "Warning" if step.warning else "Normal"
                self.events.append({"type": kind, "reason": step.reason, "message": step.message})
            case Delete() if step.ref.kind is Kind.POD:
                self.removed.add(step.ref.name)

    @property
    def status(self):
        """The status as the wire has it, with of times only whether they are there."""
        wire = _without_nulls(encode_status(self.job.status))
        shown = ("type", "status", "reason", "message")
        told = {
            "conditions": [{k: row[k] for k in shown} for row in wire["conditions"]],
            "replicas": wire.get("replicaStatuses"),
            "times": [key for key in ("startTime", "completionTime") if key in wire],
        }
        return {key: value for key, value in told.items() if value or key == "times"}


def _without_nulls(value):
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return value


def _world(job, seen) -> Observed:
    """Return a world whose plumbing is as it should be, with what else is seen."""
    setup = transport.setup(job, CONFIG, None)
    config = build.config(job, [pod.name for pod in seen.get("workers", ())], CONFIG, setup)
    common = (job.uid, "1")
    return Observed(
        job,
        service=ServiceView(job.name, "s", *common, names.selector(job), True),
        config=ConfigView(
            names.config(job.name), "c", *common, config["data"], config["metadata"]["annotations"]
        ),
        secret=SecretView(names.secret(job.name), "k", *common, build.USER_KEY_NAMES),
        host_keys=SecretView(names.host_keys(job.name), "h", *common, build.HOST_KEY_NAMES),
        **seen,
    )


def workers(job):
    every = [names.worker(job.name, index) for index in range(job.worker_count)]
    return tuple(
        PodView(name, f"uid of {name}", job.uid, "1", phase=PodPhase.RUNNING, ready=True)
        for name in every
    )


def launcher(job, **changes):
    return LauncherView(names.launcher(job.name), LAUNCHER_UID, job.uid, "1", **changes)


def launcher_pod(phase):
    return PodView("pod", "uid of pod", LAUNCHER_UID, "1", phase=phase)


def running(story) -> Story:
    job = story.job
    return story.look(
        workers=workers(job),
        launcher=launcher(job, active_count=1, started_at=NOON),
        launcher_pods=(launcher_pod(PodPhase.RUNNING),),
    )


def finished(story) -> Story:
    job = story.job
    end = End(True, "CompletionsReached", "Reached expected number of succeeded pods", story.now)
    return story.look(
        workers=workers(job),
        launcher=launcher(job, started_at=NOON, end=end),
        launcher_pods=(launcher_pod(PodPhase.SUCCEEDED),),
    )


def held(story) -> Story:
    return story.look(launcher=launcher(story.job, suspended=True))


def resumed(story) -> Story:
    policy = replace(story.job.run_policy, suspended=False)
    return running(held(Story(replace(story.job, run_policy=policy), story.now, story.events)))


def told(case):
    """Return the story of a case at each of its moments."""
    story = Story(case.job)
    if "suspended" in case.facts:
        yield "suspended", held(story.look())
        yield "resumed", resumed(story)
        return
    story.look()
    if not isinstance(case.job, MPIJob) or not case.facts["children"]:
        yield "running", story
        yield "finished", story
        return
    yield "running", running(story)
    yield "finished", finished(story)


def test_every_moment_has_their_status_but_an_invalid_job_says_so(case):
    for moment, story in told(case):
        status = story.status
        invalid = ConditionType.INVALID.value
        rows = [row for row in status.get("conditions", ()) if row["type"] != invalid]
        status = {**status, "conditions": rows} if rows else {"times": status["times"]}
        assert (moment, status) == (moment, case.facts[moment]["status"])


def test_the_listed_difference_is_there(case):
    """Row 5 of docs/differences.md."""
    rows = [row for _, story in told(case) for row in story.status.get("conditions", ())]
    invalid = {row["reason"] for row in rows if row["type"] == ConditionType.INVALID.value}
    assert invalid == ({"ValidationError"} if case.name == "invalid-name" else set())


def test_every_moment_has_their_events_in_their_order(case):
    for moment, story in told(case):
        assert (moment, story.events) == (moment, case.facts[moment]["events"])


def test_the_same_workers_are_left_at_the_end(made):
    if "finished" not in made.facts:
        return
    known = made.facts["children"].get("workers", {})
    [*_, (_, story)] = told(made)
    assert sorted(known.keys() - story.removed) == made.facts["finished"]["workers"]


@pytest.mark.parametrize("name", ["managed-elsewhere"])
def test_what_another_controller_manages_is_left_alone(every_case, name):
    story = Story(every_case[name].job).look()
    assert (story.events, story.removed, story.job.status.conditions) == ([], set(), ())
