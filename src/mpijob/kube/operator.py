"""The operator on a cluster: client, election, engine and probes, put together and run."""

import asyncio
import gc
import logging
import os
import signal
import socket
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from msgspec import Struct

from mpijob.core import names
from mpijob.core.config import Config
from mpijob.core.job import Key
from mpijob.core.plan import Kind, Ref, SecretContent
from mpijob.core.version import Version
from mpijob.engine.adoption import adopt
from mpijob.engine.cache import CHILD_KINDS, RIGHTS
from mpijob.engine.control import Bounds, Engine, Outside
from mpijob.engine.lease import Candidate, Lost, lead
from mpijob.keys import DrawnKeys
from mpijob.kube.client import Client, Expired, Pace
from mpijob.kube.config import Connection
from mpijob.kube.discovery import newest_served
from mpijob.kube.metrics import metrics
from mpijob.kube.objects import KubeObjects
from mpijob.kube.resources import Paths
from mpijob.kube.serving import Health, served
from mpijob.ports import Refused, Unreachable, Unserved

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

LEASE = "mpi-operator"

#: Every pod that any of the operators made bears one of these; the other children bear ours.
_SELECTORS = {
    Kind.POD: f"{names.OPERATOR_NAME_LABEL} in ({','.join(names.OPERATOR_NAMES)})",
    Kind.SERVICE: names.CHILD_LABEL,
    Kind.CONFIG_MAP: names.CHILD_LABEL,
    Kind.SECRET: names.CHILD_LABEL,
    Kind.JOB: names.CHILD_LABEL,
    **dict.fromkeys(RIGHTS, names.CHILD_LABEL),
}


class Settings(Struct, frozen=True):
    """How an operator runs.

    Args:
        config: What holds for every job.
        namespace: The only namespace to look after; "" for all.
        lock_namespace: Where the Lease is.
        workers: How many jobs are looked at, at the same time.
        requests_at_once: How many requests may be under way.
        requests_per_s: How many may be begun a second; 0 leaves that to the server's fairness.
        health_port, metrics_port: Where probes and metrics are served; 0 for nowhere.

    """

    config: Config
    namespace: str = ""
    lock_namespace: str = "mpi-operator"
    workers: int = 16
    requests_at_once: int = 64
    requests_per_s: float = 0.0
    health_port: int = 8080
    metrics_port: int = 0


async def run(connection: Connection, settings: Settings) -> bool:
    """Run an operator until it is told to stop; return whether it ended as it should.

    SIGTERM and SIGINT end it: what is under way is cut off (every step may be), and the Lease is
    released, so that a successor takes over at once. It ends badly where the Lease is lost, and
    where MPIJobs are no longer served in the version that it asks for: its successor looks anew.
    """
    pace = Pace(settings.requests_at_once, settings.requests_per_s)
    # The first draw loads a large library: here it keeps no job waiting, and no probe.
    await DrawnKeys().draw(SecretContent.USER_KEYS, settings.config.key_type, Key("", ""))
    async with (
        Client(connection, pace, agent="mpi-operator") as client,
        # Of its own, so that no renewal stands in line behind requests that hang.
        Client(connection, agent="mpi-operator-leader-election") as lease_client,
    ):
        operator = _Operator(client, lease_client, settings)
        numbers = metrics(operator.engine, client, lambda: operator.leads)
        health = Health(
            lambda: True,
            # Who waits must be able to read the Lease; who leads must know all there is.
            lambda: operator.synced if operator.leads else lease_client.is_welcome,
        )
        async with served(
            health,
            numbers,
            health_port=settings.health_port,
            metrics_port=settings.metrics_port,
        ):
            leading = asyncio.ensure_future(operator.lead())
            with _stopped_by_signals(leading):
                try:
                    await leading
                except asyncio.CancelledError:
                    _log.info("stopped")
                    return True
                except (Lost, Unserved) as lost:
                    _log.error("%s", lost)
                    return False
    return False


class _Operator:
    """One process's part: it waits for the Lease, and acts while it holds it."""

    def __init__(self, client: Client, lease_client: Client, settings: Settings) -> None:
        gang = settings.config.gang
        self._client = client
        self._paths = Paths(gang=gang.value if gang else "", namespace=settings.namespace)
        unused = {*(() if gang else _GANG_KINDS)}
        unused |= {*(() if settings.config.kubectl_delivery_image else RIGHTS)}
        kinds = tuple(kind for kind in CHILD_KINDS if kind not in unused)
        self._objects = KubeObjects(client, self._paths, _SELECTORS)
        self._leases = KubeObjects(lease_client, self._paths)
        self._settings = settings
        self.leads = False
        outside = Outside(self._objects, DrawnKeys(), _now)
        self.engine = Engine(
            outside,
            settings.config,
            kinds=kinds,
            bounds=Bounds(settings.workers, settings.requests_at_once, _REST_S),
        )

    @property
    def synced(self) -> bool:
        """Whether every watch has told all there is."""
        return self.engine.synced.is_set()

    async def lead(self) -> None:
        """Wait for the Lease and act. Raises Lost, Unserved."""
        ref = Ref(Kind.LEASE, self._settings.lock_namespace, LEASE)
        identity = f"{socket.gethostname()}_{uuid.uuid4()}"
        _log.info("waiting for the lease %s/%s", ref.namespace, ref.name)
        await lead(Candidate(self._leases, ref, identity, lambda: datetime.now(UTC)), self._act)

    async def _act(self) -> None:
        self.leads = True
        # What is there by now lives as long as the process: the collector need not look at it
        # again, and short-lived answers are freed without its help.
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)
        try:
            self._paths.ask_for(await _tried("MPIJobs", self._version))
            await _tried("children", self._adopt)
            await self.engine.run()
        except ExceptionGroup as failures:
            gone = failures.subgroup(Unserved)
            if gone is None:
                raise
            raise Unserved(f"MPIJobs are served in another version now: {gone}") from failures
        finally:
            self.leads = False

    async def _version(self) -> Version:
        """Return the newest version in which there are MPIJobs. Raises Unserved."""
        found = await newest_served(self._client)
        if found is None:
            raise Unserved("the API server has no definition of MPIJobs yet")
        _log.info("MPIJobs are asked for in %s", found)
        return found

    async def _adopt(self) -> None:
        """Take over the children that another operator made."""
        await adopt(self._objects, self._objects)


async def _tried(what: str, attempt: Callable[[], Awaitable[_Result]]) -> _Result:
    """Return what comes of an attempt, however long that takes to try."""
    pause_s = _PAUSE_S[0]
    while True:
        try:
            return await attempt()
        except (Unreachable, Unserved, Refused, Expired) as failure:
            _log.warning("%s are looked for again in %.0f s: %s", what, pause_s, failure)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _PAUSE_S[1])


#: Between tries: at first, and at most.
_PAUSE_S = (1.0, 30.0)

#: How long a job that was looked at rests. Its pods change one by one, each several times; a look
#: at all of that together costs as much as a look at one change.
_REST_S = 0.1

#: Only gang scheduling asks for these, and the rights to see them.
_GANG_KINDS = (Kind.POD_GROUP, Kind.PRIORITY_CLASS)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@contextmanager
def _stopped_by_signals(task: "asyncio.Future[None]") -> Iterator[None]:
    """Have the first signal cancel `task`, and the second one end the process."""
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        if task.cancelling() if isinstance(task, asyncio.Task) else False:
            os._exit(128 + number)
        task.cancel()

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
