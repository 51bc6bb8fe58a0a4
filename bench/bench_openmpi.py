"""The openmpi package: how soon its first rank starts, and how soon its workers end.

The master's command tells of every moment by the machine's own clock, which its pods share. It
begins when the controller of the last worker lets it begin, before its sshd starts; the floor is
the same mpiexec once more, when every host has long been ready. It ends when the command ends: from
there on is measured until the last worker is seen as ended, and the floor is until the master is.
On a node what is promised lies between the two: a tail begins where the master is seen as ended.
"""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "real"))

from harness.api import Api
from harness.recipes import OWN, Pantry
from harness.shape import Shape, started
from harness.unavailable import Unavailable
from measure import SETTINGS, UNTIL_DONE, NotHere, benchmark
from mpijob.cluster.pod_facts import phase
from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.generate.openmpi.objects import PROTOTYPE
from mpijob.generate.openmpi.one_machine import on_one_machine
from mpijob.generate.prototype import Setting
from mpijob.keys import openssh_secret
from mpijob.kube.apply import path_of
from mpijob.local import group
from mpijob.local.home import Home, home_path, opened
from mpijob.local.journal import Journal
from mpijob.local.logs import LocalLogs
from mpijob.local.objects import LocalObjects
from mpijob.local.settings import Settings, inherited

WORKERS = 4
NAME, SPACE = "hello", "default"
MASTER = f"{NAME}-master"
MPIEXEC = (
    f"mpiexec -n {WORKERS} --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root sh -c"
)
COMMAND = f"""
{MPIEXEC} 'echo begun $(stat -c %.Y .openmpi-controller/SIGCONT); echo first $(date +%s.%N)'
echo again $(date +%s.%N)
{MPIEXEC} 'echo second $(date +%s.%N)'
echo ended $(date +%s.%N)
"""
BIN = Path(sys.executable).parent
_ENDS = ("Succeeded", "Failed")
_LIMIT_S = 120


class Round(NamedTuple):
    """What one run took, in seconds: each figure of ours, and its floor."""

    first_rank: tuple[float, float]
    tail: tuple[float, float]


def _round(log: str, ends: Mapping[str, float]) -> Round:
    """Return what the master's log and the moments at which pods were seen as ended tell."""
    rows = [line.split() for line in log.splitlines()]
    at: dict[str, list[float]] = {row[0]: [] for row in rows if len(row) == 2}
    for row in rows:
        if len(row) == 2:
            at[row[0]].append(float(row[1]))
    if len(at.get("begun", ())) != WORKERS or "ended" not in at:
        raise RuntimeError(f"the master printed:\n{log}")
    [again], [ended] = at["again"], at["ended"]
    return Round(
        (min(at["first"]) - max(at["begun"]), min(at["second"]) - again),
        (max(ends.values()) - ended, ends[MASTER] - ended),
    )


def _medians(rounds: Sequence[Round]) -> Round:
    """Return the median of each figure. The first round does not count."""
    counted = rounds[1:]
    return Round(
        (median(r.first_rank[0] for r in counted), median(r.first_rank[1] for r in counted)),
        (median(r.tail[0] for r in counted), median(r.tail[1] for r in counted)),
    )


def _made(**further: str) -> list[Manifest]:
    given = {"name": NAME, "secret": "keys", "workers": str(WORKERS), "exec": COMMAND, **further}
    return PROTOTYPE.manifests(given, Setting(SPACE))


# On this machine: pods are processes.


@cache
def _here() -> Round:
    with TemporaryDirectory(prefix="mpijob-bench-") as folder:
        around = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "MPIJOB_HOME": folder}
        home = opened(home_path(around, socket.gethostname()))
        settings = Settings(folder, inherited(around))
        rounds = [asyncio.run(_run_here(home, settings)) for _ in range(SETTINGS.rounds + 1)]
        return _medians(rounds)


@asynccontextmanager
async def _journal(home: Home) -> AsyncIterator[Journal]:
    journal = Journal(home)
    try:
        journal.listen()
        yield journal
    finally:
        journal.close()


async def _run_here(home: Home, settings: Settings) -> Round:
    """Run the pods once, and remove what is left of them."""
    async with _journal(home) as journal:
        objects = LocalObjects(journal)
        made = on_one_machine(_made(image="this"), sys.executable, str(home.path))
        begun, held = group.make(home, objects, Key(SPACE, NAME), made, settings)
        seen = asyncio.create_task(_ends_here(objects))
        async with asyncio.timeout(_LIMIT_S):
            await group.run(home, journal, begun, held)
            ends = await seen
        master = Ref(Kind.POD, SPACE, MASTER)
        pieces = [piece async for piece in LocalLogs(home, journal).read(master)]
        for manifest in made:
            kind = Kind(manifest["kind"])
            await objects.delete(Ref(kind, SPACE, manifest["metadata"]["name"]))
        return _round(b"".join(pieces).decode(), ends)


async def _ends_here(objects: LocalObjects) -> dict[str, float]:
    """Return when each pod was seen as ended."""
    ends: dict[str, float] = {}
    async for change in objects.watch(Kind.POD):
        manifest: Any = change.manifest
        if manifest and phase(manifest) in _ENDS:
            ends.setdefault(manifest["metadata"]["name"], time.time())
        if len(ends) > WORKERS:
            return ends
    raise RuntimeError("the watch has ended")


@benchmark("openmpi/first-rank", "s", "at most 2 s", lambda ours, _: ours <= 2)
def first_rank() -> tuple[float, float]:
    """Measure from the last worker's start to the first rank, beside a second mpiexec."""
    return _here().first_rank


@benchmark("openmpi/tail", "s", "at most 2 s", lambda ours, _: ours <= 2)
def tail() -> tuple[float, float]:
    """Measure from the command's end to that of the last worker, beside the master's."""
    return _here().tail


# On a real node: the same as containers, with sshd and a network of their own.


@cache
def _on_a_node() -> Round:
    try:
        api, images = UNTIL_DONE.enter_context(_node())
    except Unavailable as lacking:
        raise NotHere(f"no real node: {lacking}") from lacking
    made = _made(image=images["openmpi-5"], controllerImage=images["openmpi-controller"])
    return _medians([_run_there(api, made) for _ in range(SETTINGS.rounds + 1)])


@contextmanager
def _node() -> Iterator[tuple[Api, Mapping[str, str]]]:
    """Bring up a cluster of one real node that has the images, and keys."""
    with ExitStack() as running:
        images = Pantry(OWN).provided(["openmpi-5", "openmpi-controller"])
        folder = Path(running.enter_context(TemporaryDirectory(prefix="mpijob-bench-")))
        cluster = running.enter_context(started(folder, Shape(node_count=1)))
        api = running.enter_context(cluster.api("bench"))
        accounts = f"/api/v1/namespaces/{SPACE}/serviceaccounts"
        api.until(accounts, lambda found: found["metadata"]["name"] == "default")
        keys = {name: key.decode() for name, key in openssh_secret().items()}
        secret = {"metadata": {"name": "keys"}, "stringData": keys}
        api.create(f"/api/v1/namespaces/{SPACE}/secrets", secret)
        yield api, images


def _run_there(api: Api, made: Sequence[Manifest]) -> Round:
    """Run the pods once, and remove what is left of them."""
    pods = f"/api/v1/namespaces/{SPACE}/pods"
    since = api.read(pods)["metadata"]["resourceVersion"]
    for manifest in made:
        api.create(path_of(manifest).rpartition("/")[0], dict(manifest))
    ends: dict[str, float] = {}
    with api.watch(pods, since=since, limit_s=_LIMIT_S) as events:
        for event in events:
            if event.object.get("status", {}).get("phase") in _ENDS:
                ends.setdefault(event.object["metadata"]["name"], time.time())
            if len(ends) > WORKERS:
                break
    log = str(api.read(f"{pods}/{MASTER}/log"))
    for manifest in reversed(made):
        path = path_of(manifest)
        api.delete(path)
        api.until_gone(path.rpartition("/")[0], manifest["metadata"]["name"])
    return _round(log, ends)


@benchmark("openmpi/node/first-rank", "s", "at most 2 s", lambda ours, _: ours <= 2)
def first_rank_on_a_node() -> tuple[float, float]:
    """Measure the same of containers on a real node."""
    return _on_a_node().first_rank


@benchmark("openmpi/node/tail", "s", "floor + 2 s", lambda ours, floor: ours <= floor + 2)
def tail_on_a_node() -> tuple[float, float]:
    """Measure the same of containers on a real node.

    A kubelet looks at its containers once a second: it tells of an end when it looks next, and of
    the phase when it has looked once more. So the floor is 1 s to 2 s, and workers who are told of
    the master's end by one look, and are gone by the next, are seen as ended a second after it.
    """
    return _on_a_node().tail
