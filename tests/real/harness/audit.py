"""Looks at a namespace from beside the operator, and notes what must never be seen there."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from harness.api import Event
from harness.cluster import Cluster

JOB_NAME = "training.kubeflow.org/job-name"
LAUNCHERS = {"labelSelector": "training.kubeflow.org/job-role=launcher"}
ENDS = ("Succeeded", "Failed")
#: How long one watch goes on; then it is taken up where it was, unless the audit is over (s).
_STRETCH_S = 5


class Audit:
    """What was seen so far. `wrongs` are sentences about what must never be."""

    def __init__(self) -> None:
        self.wrongs: list[str] = []
        self._launchers: dict[str, set[str]] = defaultdict(set)
        self._ends: dict[str, str] = {}

    def see_launcher(self, event: Event) -> None:
        """Note a launcher's pod: of one job no two live at the same time."""
        pod = event.object
        metadata, name = pod["metadata"], pod["metadata"]["name"]
        live = self._launchers[metadata["labels"][JOB_NAME]]
        is_over = pod.get("status", {}).get("phase") in ENDS
        if event.type == "DELETED" or metadata.get("deletionTimestamp") or is_over:
            live.discard(name)
            return
        live.add(name)
        if len(live) > 1:
            self.wrongs.append(f"two launchers at once: {', '.join(sorted(live))}")

    def see_job(self, event: Event) -> None:
        """Note a job: one that has ended stays so, and in one way."""
        job = event.object
        uid, name = job["metadata"]["uid"], job["metadata"]["name"]
        rows = job.get("status", {}).get("conditions") or ()
        ends = [row["type"] for row in rows if row["type"] in ENDS and row["status"] == "True"]
        if len(ends) > 1:
            self.wrongs.append(f"{name} has ended in two ways: {' and '.join(ends)}")
        before = self._ends.get(uid)
        if before is not None and before not in ends:
            self.wrongs.append(f"{name} had ended as {before}, and is {ends or 'at work'} again")
        if ends:
            self._ends[uid] = ends[0]


@contextlib.contextmanager
def audited(cluster: Cluster, namespace: str) -> Iterator[Audit]:
    """Look at all launchers and jobs of a namespace while this is open."""
    audit, over = Audit(), threading.Event()
    views: dict[str, tuple[Callable[[Event], None], dict[str, str]]] = {
        f"/api/v1/namespaces/{namespace}/pods": (audit.see_launcher, LAUNCHERS),
        f"/apis/kubeflow.org/v2beta1/namespaces/{namespace}/mpijobs": (audit.see_job, {}),
    }

    def look(path: str, since: str, see: Callable[[Event], None], query: dict[str, str]) -> None:
        with cluster.api("audit") as api:
            while not over.is_set():
                with api.watch(path, since=since, limit_s=_STRETCH_S, **query) as watch:
                    for event in watch:
                        since = event.object["metadata"]["resourceVersion"]
                        see(event)

    with cluster.api("audit") as api, ThreadPoolExecutor() as threads:
        begun = []
        for path, (see, query) in views.items():
            since = api.read(path, **query)["metadata"]["resourceVersion"]
            begun.append(threads.submit(look, path, since, see, query))
        try:
            yield audit
        finally:
            over.set()
            audit.wrongs += [
                f"the audit failed: {end.exception()!r}" for end in begun if end.exception()
            ]
