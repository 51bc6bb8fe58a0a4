"""What a job's launcher writes, passed on as it comes: pod after pod, run after run, unmixed."""

import asyncio
import sys
from collections.abc import Callable, Iterable

from mpijob.core.observed import PodPhase, PodView
from mpijob.core.plan import Kind, Ref
from mpijob.ports import Logs, NotFound, Unreachable

_ENDED = (PodPhase.SUCCEEDED, PodPhase.FAILED)


class LauncherOutput:
    """Passes on the output of one job's launcher, in the order of its runs.

    Expected flow: `see` is told of the launcher's pods whenever they change, `run` writes until
    `close` has been called and all is written that there was. What a run wrote before it was seen
    is written too, since logs are kept.
    """

    def __init__(
        self,
        logs: Logs,
        namespace: str,
        began: Callable[[], None],
        *,
        write: Callable[[bytes], None] | None = None,
        missed: Callable[[str], None] | None = None,
    ) -> None:
        """Have the output written to stdout, or by `write`.

        Args:
            logs: Where the pods' logs are.
            namespace: The job's.
            began: Called before the first byte is written.
            write: Called with each piece, in a thread.
            missed: Called with what is to be said where the rest cannot be had.

        """
        self._logs = logs
        self._namespace = namespace
        self._began = began
        self._write = write or to_stdout
        self._missed = missed or _tell
        self._begun = False
        self._pods: dict[str, PodView] = {}
        self._written: dict[str, int] = {}
        self._news = asyncio.Event()
        self._closed = False

    def see(self, launcher_pods: Iterable[PodView]) -> None:
        """Take note of the launcher's pods as they are now."""
        for pod in launcher_pods:
            self._pods[pod.uid] = pod
        self._news.set()

    def close(self) -> None:
        """Say that no more runs will come."""
        self._closed = True
        self._news.set()

    async def run(self) -> None:
        """Write the runs' output until there is no more to come."""
        while True:
            pod = self._next()
            if pod is not None:
                self._written[pod.uid] = _run_of(pod)
                await self._pass_on(pod.name)
            elif self._closed:
                return
            else:
                self._news.clear()
                await self._news.wait()

    def _next(self) -> PodView | None:
        """Return a pod whose present run is not written yet, the eldest first; None for none."""
        for pod in self._pods.values():
            has_run = pod.phase is PodPhase.RUNNING or pod.phase in _ENDED
            if has_run and _run_of(pod) > self._written.get(pod.uid, -1):
                return pod
        return None

    async def _pass_on(self, name: str) -> None:
        """Write one run's output until it ends; a pod that was deleted before has none."""
        pod = Ref(Kind.POD, self._namespace, name)
        try:
            async for piece in self._logs.read(pod, follow=True):
                if not self._begun:
                    self._begun = True
                    self._began()
                # A reader that is slow must not keep the job from being looked after.
                await asyncio.to_thread(self._write, piece)
        except (NotFound, FileNotFoundError):
            pass
        except Unreachable as broken:
            # The job goes on, and its end is still waited for.
            self._missed(f"warning: the rest of {name}'s output is missing here: {broken}")


def _run_of(pod: PodView) -> int:
    """Return which run of its program a pod is in: 0, and one more for each restart."""
    return max((c.restart_count for c in pod.containers if not c.init), default=0)


def to_stdout(piece: bytes) -> None:
    """Write bytes to stdout as they are, at once."""
    stream = getattr(sys.stdout, "buffer", None)
    if stream is not None:
        stream.write(piece)
    else:
        sys.stdout.write(piece.decode(errors="replace"))
    sys.stdout.flush()


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201  # It is what the user of a terminal sees.
