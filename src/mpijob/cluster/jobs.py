"""The controller of batch/v1 Jobs: it makes pods, counts how they end, and ends the Job.

True to Kubernetes 1.36 for what a Job of ours may say: NonIndexed completion, both replacement
policies, suspend and resume, back-off, deadline, time to live, the tracking finalizer on pods and
its two-step counting. Left out: indexed Jobs, pod failure policies, and the controller's events.

The back-off is counted from what the Job and its pods tell, as by a controller that has just been
restarted: failed pods that are gone already delay nothing.
"""

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from mpijob.cluster import dice as drawn
from mpijob.cluster.dice import Dice
from mpijob.cluster.history import Change
from mpijob.cluster.job_status import JobState, Verdict, end_of
from mpijob.cluster.owners import controller, controller_uid
from mpijob.cluster.pod_facts import ended_at, is_deleting, is_ready, phase
from mpijob.cluster.refusals import Refused
from mpijob.cluster.store import Store
from mpijob.cluster.times import moment
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref

TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking"
CONTROLLER_NAME = "kubernetes.io/job-controller"
BACK_OFF_S = 10
BACK_OFF_MAX_S = 600
#: How long to wait where the server did not take a pod.
REFUSED_PAUSE_S = 10


def concerned(change: Change) -> Ref | None:
    """Return the Job that is to be looked at after a change, or None."""
    match change.ref.kind:
        case Kind.JOB:
            return change.ref
        case Kind.POD:
            owner = controller(change.manifest)
            if owner is not None and owner["kind"] == Kind.JOB:
                return Ref(Kind.JOB, change.ref.namespace, owner["name"])
    return None


def sync(store: Store, ref: Ref, *, now: datetime, dice: Dice) -> datetime | None:
    """Look at one Job and do what is to be done. Return when to look again; None: on a change.

    Where the Job is gone, pods that it left are let go of.

    Source: `syncJob`, Kubernetes 1.36 (pkg/controller/job/job_controller.go).
    """
    job = store.get(ref)
    ended = job is not None and end_of(job) is not None
    pods = _pods_of(store, ref)
    uid = job["metadata"]["uid"] if job is not None else ""
    for pod in pods:
        if ended or controller_uid(pod) != uid:
            _let_go(store, pod, now)
    if job is None or job["spec"].get("managedBy", CONTROLLER_NAME) != CONTROLLER_NAME:
        return None
    if ended:
        return _expire(store, ref, job, now)
    own = tuple(pod for pod in pods if controller_uid(pod) == uid)
    return _Round(store, ref, job, own, now, dice).run()


def _pods_of(store: Store, ref: Ref) -> list[Manifest]:
    """Return the pods that a Job of this name controls, whether or not it is this Job."""
    found = []
    for pod in store.list(Kind.POD, ref.namespace):
        owner = controller(pod)
        if owner is not None and owner["kind"] == Kind.JOB and owner["name"] == ref.name:
            found.append(pod)
    return found


def _let_go(store: Store, pod: Manifest, now: datetime) -> None:
    """Take the tracking finalizer off a pod, so that it may go."""
    metadata = pod["metadata"]
    if TRACKING_FINALIZER not in metadata.get("finalizers", ()):
        return
    left = [name for name in metadata["finalizers"] if name != TRACKING_FINALIZER]
    fields = {"metadata": {"finalizers": left or None}}
    store.patch(_ref(pod), fields, now=now, uid=metadata["uid"])


def _ref(pod: Manifest) -> Ref:
    return Ref(Kind.POD, pod["metadata"]["namespace"], pod["metadata"]["name"])


def _expire(store: Store, ref: Ref, job: Manifest, now: datetime) -> datetime | None:
    """Delete a Job that has ended and had its time to live."""
    ttl_s, end = job["spec"].get("ttlSecondsAfterFinished"), end_of(job)
    if ttl_s is None or end is None or is_deleting(job):
        return None
    expires_at = moment(end["lastTransitionTime"]) + timedelta(seconds=ttl_s)
    if now < expires_at:
        return expires_at
    store.delete(ref, now=now, uid=job["metadata"]["uid"])
    return None


class _Round(Struct):
    """One look at one Job that has not ended: the pods it has, and what is done about them."""

    store: Store
    ref: Ref
    job: Manifest
    pods: tuple[Manifest, ...]
    now: datetime
    dice: Dice

    def run(self) -> datetime | None:
        state = JobState.seen(self.job, self.pods, TRACKING_FINALIZER)
        state.start(self.now)
        verdict, wake_at = state.verdict(self.now), state.expires_at()
        if verdict is not None:
            self._delete_active(state, counted=True)
            wake_at = None
        elif not is_deleting(self.job):
            pause = self._manage(state)
            wake_at = min((at for at in (wake_at, pause) if at is not None), default=None)
            verdict = state.settle(self.now)
        self._track(state, verdict)
        return wake_at

    def _delete_active(self, state: JobState, *, counted: bool) -> None:
        """Delete the pods that have not ended; where not `counted`, they are no failures later."""
        for pod in state.active_pods:
            if not counted:
                _let_go(self.store, pod, self.now)
            self.store.delete(_ref(pod), now=self.now, uid=pod["metadata"]["uid"])
            state.active -= 1
            state.terminating += 1
            state.ready -= is_ready(pod)

    def _manage(self, state: JobState) -> datetime | None:
        """Have as many pods as are wanted. Return when to try again, where that is to wait."""
        if state.suspended:
            self._delete_active(state, counted=False)
            return None
        missing = state.wanted_count() - state.active
        if self.job["spec"].get("podReplacementPolicy") == "Failed":
            missing -= state.terminating
        if missing <= 0:
            return None
        resumes_at = self._backed_off_until(state)
        if resumes_at is not None and resumes_at > self.now:
            state.active = 0
            return resumes_at
        for _ in range(missing):
            if not self._create_pod():
                return self.now + timedelta(seconds=REFUSED_PAUSE_S)
            state.active += 1
        return None

    def _backed_off_until(self, state: JobState) -> datetime | None:
        ends = [ended_at(pod) for pod in self.pods if phase(pod) == "Failed"]
        if not ends or not state.failed_count:
            return None
        pause_s = min(BACK_OFF_S * 2 ** min(state.failed_count - 1, 10), BACK_OFF_MAX_S)
        return max(ends) + timedelta(seconds=pause_s)

    def _create_pod(self) -> bool:
        pod = pod_of(self.job)
        uid, suffix = drawn.uid(self.dice), drawn.suffix(self.dice)
        try:
            self.store.create(pod, now=self.now, uid=uid, suffix=suffix)
        except Refused:
            return False
        return True

    def _track(self, state: JobState, verdict: Verdict | None) -> None:
        """Count pods that have ended: note them, let go of them, add them up; then end the Job.

        Noting comes first, so that whoever stops between two writes counts no pod twice.
        """
        free = is_deleting(self.job)
        done = [pod for pod in state.tracked if free or state.is_countable(pod, verdict)]
        state.note(done, verdict, self.now)
        self._write(state)
        if not (done or verdict or state.noted_succeeded or state.noted_failed):
            return
        for pod in done:
            current = self.store.get(_ref(pod))
            if current is not None and current["metadata"]["uid"] == pod["metadata"]["uid"]:
                _let_go(self.store, current, self.now)
        state.add_up()
        if verdict is not None:
            state.end(verdict, self.now)
        self._write(state)

    def _write(self, state: JobState) -> None:
        status = state.manifest()
        if status != self.job.get("status"):
            fields = {**self.job, "status": status}
            self.job = self.store.replace(fields, now=self.now, subresource="status")


def pod_of(job: Manifest) -> dict[str, Any]:
    """Return the pod that a Job's template makes, yet without its name."""
    metadata, template = job["metadata"], job["spec"]["template"]
    of_template = template.get("metadata", {})
    kept = {name: of_template[name] for name in ("labels", "annotations") if name in of_template}
    finalizers = [*of_template.get("finalizers", ()), TRACKING_FINALIZER]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **kept,
            "namespace": metadata["namespace"],
            "generateName": f"{metadata['name']}-",
            "finalizers": finalizers,
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": template["spec"],
    }
