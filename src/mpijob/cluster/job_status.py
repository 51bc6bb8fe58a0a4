"""The status of a batch/v1 Job: what its pods add up to, and when that is an end.

Source: `syncJob` and what it calls, Kubernetes 1.36 (pkg/controller/job/job_controller.go).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

from msgspec import Struct, field

from mpijob.cluster.pod_facts import (
    is_active,
    is_ready,
    is_terminating,
    phase,
    restart_count,
)
from mpijob.cluster.times import moment, stamp
from mpijob.core.job import Manifest

COMPLETE = "Complete"
FAILED = "Failed"
SUSPENDED = "Suspended"
FAILURE_TARGET = "FailureTarget"
SUCCESS_CRITERIA_MET = "SuccessCriteriaMet"
#: Which terminal condition follows on which interim one.
FINAL = {FAILURE_TARGET: FAILED, SUCCESS_CRITERIA_MET: COMPLETE}


class Verdict(Struct, frozen=True):
    """How a Job is to end: its interim condition's type, and why."""

    interim: str
    reason: str
    message: str


DONE = Verdict(
    SUCCESS_CRITERIA_MET, "CompletionsReached", "Reached expected number of succeeded pods"
)
TOO_MANY_FAILURES = Verdict(
    FAILURE_TARGET, "BackoffLimitExceeded", "Job has reached the specified backoff limit"
)
TOO_LATE = Verdict(
    FAILURE_TARGET, "DeadlineExceeded", "Job was active longer than specified deadline"
)


def end_of(job: Manifest) -> Manifest | None:
    """Return a Job's terminal condition, or None while it has none."""
    for row in job.get("status", {}).get("conditions") or ():
        if row["type"] in (COMPLETE, FAILED) and row["status"] == "True":
            found: Manifest = row
            return found
    return None


class JobState(Struct):
    """A Job's status in the making. `fields` is what was written last, changed as we go.

    `tracked` are the pods that bear the tracking finalizer: they are not counted for good yet.
    `succeeded_count` and `failed_count` count all pods, those included.
    """

    job: Manifest
    pods: Sequence[Manifest]
    tracked: Sequence[Manifest]
    fields: dict[str, Any]
    noted_succeeded: list[str] = field(default_factory=list)
    noted_failed: list[str] = field(default_factory=list)
    active_pods: Sequence[Manifest] = ()
    active: int = 0
    ready: int = 0
    terminating: int = 0
    succeeded_count: int = 0
    failed_count: int = 0

    @classmethod
    def seen(cls, job: Manifest, pods: Sequence[Manifest], finalizer: str) -> Self:
        """Return the state of a Job that has these pods."""
        fields = dict(job.get("status", {}))
        noted = fields.get("uncountedTerminatedPods") or {}
        tracked = [pod for pod in pods if finalizer in pod["metadata"].get("finalizers", ())]
        active = [pod for pod in pods if is_active(pod)]
        state = cls(
            job,
            pods,
            tracked,
            fields,
            noted_succeeded=list(noted.get("succeeded", ())),
            noted_failed=list(noted.get("failed", ())),
            active_pods=active,
            active=len(active),
            ready=sum(map(is_ready, active)),
            terminating=sum(map(is_terminating, pods)),
        )
        new = [pod for pod in tracked if not state._is_noted(pod)]
        state.succeeded_count = fields.get("succeeded", 0) + len(state.noted_succeeded)
        state.succeeded_count += sum(phase(pod) == "Succeeded" for pod in new)
        state.failed_count = fields.get("failed", 0) + len(state.noted_failed)
        state.failed_count += sum(map(state._has_failed, new))
        return state

    def _is_noted(self, pod: Manifest) -> bool:
        return pod["metadata"]["uid"] in (*self.noted_succeeded, *self.noted_failed)

    def _has_failed(self, pod: Manifest) -> bool:
        if self.job["spec"].get("podReplacementPolicy") == "Failed":
            return phase(pod) == "Failed"
        return phase(pod) == "Failed" or is_terminating(pod)

    @property
    def suspended(self) -> bool:
        """Whether the Job is to have no pods for now."""
        return bool(self.job["spec"].get("suspend"))

    def start(self, now: datetime) -> None:
        """Note the time of a first look at a Job that may run."""
        if "startTime" not in self.fields and not self.suspended:
            self.fields["startTime"] = stamp(now)

    def expires_at(self) -> datetime | None:
        """Return when the Job has been active for too long, or None for never."""
        deadline_s = self.job["spec"].get("activeDeadlineSeconds")
        if deadline_s is None or self.suspended or "startTime" not in self.fields:
            return None
        return moment(self.fields["startTime"]) + timedelta(seconds=deadline_s)

    def verdict(self, now: datetime) -> Verdict | None:
        """Return how the Job is to end, as was said before or as its failures call for."""
        for interim in FINAL:
            row = self._condition(interim)
            if row is not None and row["status"] == "True":
                return Verdict(interim, row["reason"], row["message"])
        if self.failed_count > self.job["spec"]["backoffLimit"] or self._is_restarted_too_often():
            return TOO_MANY_FAILURES
        expires_at = self.expires_at()
        return TOO_LATE if expires_at is not None and now >= expires_at else None

    def _is_restarted_too_often(self) -> bool:
        spec = self.job["spec"]
        if spec["template"]["spec"].get("restartPolicy") != "OnFailure":
            return False
        alive = (pod for pod in self.pods if phase(pod) in ("Running", "Pending"))
        restarts = sum(map(restart_count, alive))
        limit: int = spec["backoffLimit"]
        return restarts >= limit if limit else restarts > 0

    def wanted_count(self) -> int:
        """Return how many pods are to be active, were the Job not suspended."""
        spec = self.job["spec"]
        parallelism: int = spec.get("parallelism", 1)
        completions: int | None = spec.get("completions")
        if completions is None:
            return self.active if self.succeeded_count else parallelism
        return max(min(parallelism, completions - self.succeeded_count), 0)

    def settle(self, now: datetime) -> Verdict | None:
        """Return DONE where enough pods have succeeded; else note whether the Job is suspended."""
        completions = self.job["spec"].get("completions") or 1
        if self.succeeded_count >= completions and self.active == 0:
            return DONE
        was = self._condition(SUSPENDED)
        if self.suspended and (was is None or was["status"] != "True"):
            self._set_condition(SUSPENDED, "True", "JobSuspended", "Job suspended", now)
            self.fields.pop("startTime", None)
        elif not self.suspended and was is not None and was["status"] == "True":
            self._set_condition(SUSPENDED, "False", "JobResumed", "Job resumed", now)
            self.fields["startTime"] = stamp(now)
        return None

    def is_countable(self, pod: Manifest, verdict: Verdict | None) -> bool:
        """Say whether a pod's end can be counted now; a Job that ends is done with all its pods."""
        return verdict is not None or phase(pod) == "Succeeded" or self._has_failed(pod)

    def note(self, done: Iterable[Manifest], verdict: Verdict | None, now: datetime) -> None:
        """Note pods as about to be counted, and the verdict as about to be carried out."""
        failing = verdict is not None and verdict.interim == FAILURE_TARGET
        for pod in done:
            if self._is_noted(pod):
                continue
            if phase(pod) == "Succeeded":
                self.noted_succeeded.append(pod["metadata"]["uid"])
            elif failing or self._has_failed(pod):
                self.noted_failed.append(pod["metadata"]["uid"])
        if verdict is not None and self._condition(verdict.interim) is None:
            self._set_condition(verdict.interim, "True", verdict.reason, verdict.message, now)

    def add_up(self) -> None:
        """Count the pods that were noted, now that nothing holds them any longer."""
        for name, noted in (("succeeded", self.noted_succeeded), ("failed", self.noted_failed)):
            self.fields[name] = self.fields.get(name, 0) + len(noted)
            noted.clear()

    def end(self, verdict: Verdict, now: datetime) -> None:
        """Carry out the verdict, unless pods are still on their way out."""
        if self.terminating:
            return
        final = FINAL[verdict.interim]
        self._set_condition(final, "True", verdict.reason, verdict.message, now)
        if final == COMPLETE:
            self.fields["completionTime"] = stamp(now)

    def manifest(self) -> Manifest:
        """Return the status as it is written: counts of nothing are left out, but for two."""
        noted = {"succeeded": [*self.noted_succeeded], "failed": [*self.noted_failed]}
        fields = {
            **self.fields,
            "active": self.active,
            "ready": self.ready,
            "terminating": self.terminating,
            "uncountedTerminatedPods": {name: uids for name, uids in noted.items() if uids},
        }
        for name in ("active", "succeeded", "failed"):
            if not fields.get(name):
                fields.pop(name, None)
        return fields

    def _condition(self, type_: str) -> Manifest | None:
        rows = self.fields.get("conditions") or ()
        return next((row for row in rows if row["type"] == type_), None)

    def _set_condition(
        self, type_: str, status: str, reason: str, message: str, now: datetime
    ) -> None:
        new = {
            "type": type_,
            "status": status,
            "lastProbeTime": stamp(now),
            "lastTransitionTime": stamp(now),
            "reason": reason,
            "message": message,
        }
        rows = list(self.fields.get("conditions") or ())
        for index, row in enumerate(rows):
            if row["type"] == type_:
                rows[index] = new
                break
        else:
            rows.append(new)
        self.fields["conditions"] = rows
