"""What a cluster does for one job around its operator: Job controller, garbage, scheduler, kubelet.

All of it is one round, in one transaction of the journal: tell how the pods are, let the
controllers decide on that, and only then act. A round that wrote something is followed by another,
until one writes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from mpijob.cluster import garbage, jobs
from mpijob.cluster.owners import controller_uid
from mpijob.cluster.store import Store
from mpijob.core import names
from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.local.journal import Feed, Journal, JournalBroken
from mpijob.local.kubelet import Kubelet
from mpijob.local.objects import DICE
from mpijob.local.placement import Node, bind_waiting

_log = logging.getLogger(__name__)
#: How long until a round is tried again that could not be written, in seconds.
RETRY_S = 1.0
_WATCHED = (Kind.MPI_JOB, Kind.JOB, Kind.POD, Kind.CONFIG_MAP, Kind.SECRET)


class ControlPlane:
    """The small cluster's controllers, for one job."""

    def __init__(self, journal: Journal, key: Key, uid: str) -> None:
        self._journal = journal
        self._job = Ref(Kind.MPI_JOB, key.namespace, key.name)
        self._launcher = Ref(Kind.JOB, key.namespace, names.launcher(key.name))
        self._owners = {uid}
        self._uid = uid
        #: Set once the machine has been looked at; until then pods wait unbound.
        self.node: Node | None = None
        #: Set once the runtime is there; until then pods are bound and wait.
        self.kubelet: Kubelet | None = None
        #: Called after each round.
        self.settled: Callable[[], None] = lambda: None
        self._stirred = asyncio.Event()
        self._feeds: list[Feed] = []
        self._refreshed: list[Ref] = []
        self._timer: asyncio.TimerHandle | None = None

    def is_mine(self, pod: Manifest) -> bool:
        """Say whether a pod is of this very job: its worker, or its launcher's."""
        return controller_uid(pod) in self._owners

    def stir(self) -> None:
        """Have a round done soon."""
        self._stirred.set()

    async def run(self) -> None:
        """Do rounds until cancelled."""
        self._feeds = [self._journal.subscribe(kind, self.stir) for kind in _WATCHED]
        self.stir()
        try:
            while True:
                await self._stirred.wait()
                self._stirred.clear()
                self.round()
        finally:
            for feed in self._feeds:
                self._journal.unsubscribe(feed)

    def round(self) -> None:
        """Tell, decide, act: once."""
        self._note_refreshed()
        try:
            written, wake_at = self._journal.write(self._decided)
            self._wake(wake_at)
            if self.kubelet is not None:
                self.kubelet.reported(written)
                self._act(self.kubelet)
        except (JournalBroken, OSError) as broken:
            # A full disk: it may be given room, and nothing that is to be told is forgotten.
            _log.warning("tried again in %.0f s: %s", RETRY_S, broken)
            asyncio.get_running_loop().call_later(RETRY_S, self.stir)
        self.settled()

    def _act(self, kubelet: Kubelet) -> None:
        store = self._journal.store
        while self._refreshed:
            kubelet.refresh(self._refreshed[-1], store)
            self._refreshed.pop()
        kubelet.look(store)

    def _note_refreshed(self) -> None:
        """Note the ConfigMaps and Secrets that have changed, and take all news as read."""
        for feed in self._feeds:
            if feed.kind in (Kind.CONFIG_MAP, Kind.SECRET):
                self._refreshed += [change.ref for change in feed.pending]
            feed.pending.clear()

    def _decided(self, store: Store) -> tuple[list[tuple[str, int]], datetime | None]:
        """Write what the kubelet has to tell, and what follows from it."""
        now = self._journal.now()
        written = self.kubelet.report(store, now) if self.kubelet is not None else []
        launcher = store.get(self._launcher)
        wake_at = None
        if launcher is None or controller_uid(launcher) == self._uid:
            if launcher is not None:
                self._owners.add(launcher["metadata"]["uid"])
            wake_at = jobs.sync(store, self._launcher, now=now, dice=DICE)
        job = store.get(self._job)
        if job is None or job["metadata"]["uid"] != self._uid or launcher is None:
            garbage.collect(store, now=now)
        if self.node is not None:
            bind_waiting(store, self.node, self.is_mine, now)
        return written, wake_at

    def _wake(self, at: datetime | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None:
            delay_s = (at - self._journal.now()).total_seconds()
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(delay_s, 0.0), self.stir)
