"""Jobs of all kinds on fake nodes: what they do, what is done to them, and how they have to end."""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from harness.api import MERGE, Api, Object
from harness.audit import ENDS, JOB_NAME
from harness.fake_site import CHILDREN, JOBS, job_of

Counts = dict[str, int]
#: Something that is done to a job, or waited for: it says whether it is done.
Deed = Callable[["Play", str], bool]


@dataclass(frozen=True)
class Story:
    """A job, what is done to it later, and how it has to end.

    Args:
        runs_for: How long its launcher runs: a duration of Go's, or "ever".
        exit_code: How the launcher ends.
        run_policy: The job's.
        then: What is done to it, each when the one before has been done.
        end: Succeeded, Failed, Suspended, Running; "" where it is to be gone.
        left: The kinds of its children that stay, workers apart.
        workers: How many workers stay.

    """

    runs_for: str = "1s"
    exit_code: str = "0"
    run_policy: dict[str, Any] = field(default_factory=dict)
    then: tuple[Deed, ...] = ()
    end: str = "Succeeded"
    left: tuple[str, ...] = ("services", "configmaps", "secrets", "jobs")
    workers: int = 0


def suspended(is_so: bool) -> Deed:  # noqa: FBT001
    """Return the deed of suspending a job, or of letting it go on."""
    return lambda play, name: play.merge(name, {"runPolicy": {"suspend": is_so}})


def scaled(workers: int) -> Deed:
    """Return the deed of asking for so many workers."""
    return lambda play, name: play.merge(
        name, {"mpiReplicaSpecs": {"Worker": {"replicas": workers}}}
    )


def is_running(play: "Play", name: str) -> bool:
    """Say whether a job runs."""
    return play.state(name) == "Running"


def is_over(play: "Play", name: str) -> bool:
    """Say whether a job has ended."""
    return play.state(name) in ENDS


def is_suspended(play: "Play", name: str) -> bool:
    """Say whether a job is suspended, or over before it could be."""
    return play.state(name) in ("Suspended", *ENDS)


def deleted(play: "Play", name: str) -> bool:
    """Delete a job."""
    play.api.delete(f"{play.jobs}/{name}", propagationPolicy="Background")
    return True


def evicted(play: "Play", name: str) -> bool:
    """Have a worker that runs fail, as one that is evicted does."""
    path = f"{play.pods}/{name}-worker-0"
    answer = play.api.ask("GET", path)
    if not answer.is_good or answer.body["status"].get("phase") != "Running":
        return is_over(play, name)
    failed = {"status": {"phase": "Failed", "reason": "Evicted", "message": "the node was full"}}
    play.api.ask("PATCH", f"{path}/status", failed, content_type=MERGE)
    return True


def robbed(play: "Play", name: str) -> bool:
    """Delete a child that the job needs."""
    answer = play.api.ask("DELETE", f"{play.configs}/{name}-config")
    return answer.is_good or is_over(play, name)


STORIES = {
    "runs to its end": Story(),
    "keeps its workers": Story(run_policy={"cleanPodPolicy": "None"}, workers=2),
    "cleans up all": Story(run_policy={"cleanPodPolicy": "All"}),
    "fails": Story(exit_code="3", run_policy={"backoffLimit": 0}, end="Failed"),
    "fails again and again": Story(exit_code="3", run_policy={"backoffLimit": 1}, end="Failed"),
    "is out of time": Story("ever", run_policy={"activeDeadlineSeconds": 3}, end="Failed"),
    "is tidied away": Story(run_policy={"ttlSecondsAfterFinished": 1}, left=()),
    "waits in a queue": Story(
        run_policy={"suspend": True}, then=(is_suspended, suspended(False)), end="Succeeded"
    ),
    "is suspended for good": Story("ever", then=(is_running, suspended(True)), end="Suspended"),
    "is suspended and resumed": Story("3s", then=(suspended(True), is_suspended, suspended(False))),
    "is scaled": Story("ever", then=(is_running, scaled(4), scaled(1)), end="Running", workers=1),
    "is deleted early": Story("ever", then=(deleted,), end="", left=()),
    "is deleted while it runs": Story("ever", then=(is_running, deleted), end="", left=()),
    "is deleted when it is over": Story(then=(is_over, deleted), end="", left=()),
    "loses a worker": Story("3s", then=(evicted,)),
    "loses its hostfile": Story("3s", then=(robbed,)),
}


class Play:
    """Makes jobs in a namespace, does to them what their stories say, and knows what is due."""

    def __init__(self, api: Api, namespace: str, dice: Random) -> None:
        """Make nothing yet. `dice` choose when things are done."""
        self.api, self.namespace, self.dice = api, namespace, dice
        self.jobs = JOBS.format(namespace)
        self.pods, self.configs = (CHILDREN[k].format(namespace) for k in ("pods", "configmaps"))
        self.made: dict[str, Story] = {}
        self._due: list[tuple[float, int, str, tuple[Deed, ...]]] = []
        self._numbers = count()

    def begin(self) -> None:
        """Make one more job; each story comes up before any does so again."""
        number = len(self.made)
        title = list(STORIES)[number % len(STORIES)]
        name, story = f"{title.replace(' ', '-')}-{number}", STORIES[title]
        self.made[name] = story
        self.api.create(self.jobs, _job(name, story))
        self._plan(self.dice.uniform(0, 3), name, story.then)

    def go_on(self) -> None:
        """Do what is due."""
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, name, then = heapq.heappop(self._due)
            is_done = then[0](self, name)
            later_s = self.dice.uniform(0, 1) if is_done else 0.3
            self._plan(later_s, name, then[1:] if is_done else then)

    @property
    def is_through(self) -> bool:
        """Whether all has been done that the stories say."""
        return not self._due

    def _plan(self, later_s: float, name: str, then: tuple[Deed, ...]) -> None:
        if then:
            at = time.monotonic() + later_s
            heapq.heappush(self._due, (at, next(self._numbers), name, then))

    def merge(self, name: str, spec: dict[str, Any]) -> bool:
        """Change a job's spec, unless it has ended."""
        path = f"{self.jobs}/{name}"
        answer = self.api.ask("PATCH", path, {"spec": spec}, content_type=MERGE)
        return answer.is_good

    def state(self, name: str) -> str:
        """Return the state of a job, "" where it has none or is gone."""
        answer = self.api.ask("GET", f"{self.jobs}/{name}")
        return str(answer.body.get("status", {}).get("state", "")) if answer.is_good else ""

    def unsettled(self) -> list[str]:
        """Tell of every job that is not, or has not, what its story says."""
        states = {
            job["metadata"]["name"]: job.get("status", {}).get("state", "")
            for job in self.api.read(self.jobs)["items"]
        }
        found: dict[str, Counts] = {}
        for kind, path in CHILDREN.items():
            for item in self.api.read(path.format(self.namespace))["items"]:
                job = job_of(item) or _job_of_launcher(item)
                # What Kubernetes puts into every namespace is nobody's, and pods that are over cost
                # nothing.
                if job and not _is_launcher(item) and not _is_over(item):
                    kinds = found.setdefault(job, {})
                    kinds[kind] = kinds.get(kind, 0) + 1
        told = [f"{job}: nobody's {kinds}" for job, kinds in found.items() if job not in self.made]
        for name, story in self.made.items():
            state, there = states.get(name, ""), found.get(name, {})
            if state != story.end or not _is_right(story, there):
                told.append(f"{name}: {state} with {there}, not {story.end} with {story.left}")
        return told


def _is_right(story: Story, there: Counts) -> bool:
    """Say whether no child is left that should not be, and all workers that should be."""
    limits = {kind: 2 if kind == "secrets" else 1 for kind in story.left}
    rest = {kind: number for kind, number in there.items() if kind != "pods"}
    is_enough = there.get("pods", 0) == story.workers
    return is_enough and all(number <= limits.get(kind, 0) for kind, number in rest.items())


def _is_over(item: Object) -> bool:
    return item.get("status", {}).get("phase") in ENDS


def _is_launcher(pod: Object) -> bool:
    labels = pod["metadata"].get("labels", {})
    return bool(labels.get("training.kubeflow.org/job-role") == "launcher")


def _job_of_launcher(item: Object) -> str:
    return str(item["metadata"].get("labels", {}).get(JOB_NAME, ""))


def _job(name: str, story: Story) -> Object:
    marks = {
        "fake.mpijob.dev/runs-for": story.runs_for,
        "fake.mpijob.dev/exit-code": story.exit_code,
    }
    container = {"name": "mpi", "image": "example.com/mpi:1", "command": ["mpirun", "hostname"]}
    launcher = {"metadata": {"annotations": marks}, "spec": {"containers": [container]}}
    worker = {"spec": {"containers": [{"name": "mpi", "image": "example.com/mpi:1"}]}}
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": name},
        "spec": {
            "runPolicy": {"cleanPodPolicy": "Running", **story.run_policy},
            "mpiReplicaSpecs": {
                "Launcher": {"template": launcher},
                "Worker": {"replicas": 2, "template": worker},
            },
        },
    }
