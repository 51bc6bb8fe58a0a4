"""The operator where there is much: memory, a small job beside a large one, a late start."""

import asyncio
import sys
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "real"))

from harness.ports import LOOPBACK, free_port
from harness.processes import Process
from measure import SETTINGS, benchmark
from scale import load
from scale.arena import Contestant, contestants, memory_mb, the_arena
from scale.contest import Figures, contest, tell, while_there
from scale.server import Server
from scale.telling import Telling

WORKERS = 4
SMALL, LARGE = 2, 2000
#: How many small jobs a round makes beside the large one.
SMALL_JOBS = 20
RESTING_JOBS = 5000
#: What it has to read to know them: the jobs, and their children but for pods, of which none are.
_LISTED = (
    "/apis/kubeflow.org/v2beta1/mpijobs",
    "/apis/batch/v1/jobs",
    "/api/v1/services",
    "/api/v1/configmaps",
    "/api/v1/secrets",
)
#: How long it rests until what it holds is what it always holds.
_SETTLED_S = 15


@cache
def _held_mb(jobs: int) -> float:
    """Return the memory that the operator holds with so many jobs of 4 workers alive."""
    here = the_arena()
    asked = [load.manifest(f"job-{number}", WORKERS, ever=True) for number in range(jobs)]

    async def live(contestant: Contestant) -> float:
        with here.namespace(f"alive-{jobs}") as namespace, here.looked_after(contestant) as process:
            async with Server(here.kubeconfig, "load") as server:
                await while_there(process, load.until_all(server, namespace, asked, "Running"))
                await asyncio.sleep(_SETTLED_S)
            held = memory_mb(process)
            # Told at once: to take so many pods away again takes minutes.
            tell(f"  operator/memory: {jobs} jobs of {WORKERS} workers: {held:.1f} MB")
            return held

    return asyncio.run(live(here.ours()))


@benchmark("operator/memory", "MB", "at most 100 MB", lambda ours, _: ours <= 100)
def memory() -> tuple[float, float]:
    """Measure what it holds with 1,000 jobs alive, beside what it holds with 100."""
    return _held_mb(1000), _held_mb(100)


@benchmark(
    "operator/small-beside-large",
    "s",
    "at most 1.5 × floor",
    lambda ours, floor: ours <= 1.5 * floor,
)
def small_beside_large() -> tuple[float, float]:
    """Measure how long small jobs wait for their workers (p99) beside one of 2,000 workers."""
    here, large = the_arena(), load.manifest("large", LARGE)

    async def one(contestant: Contestant, name: str) -> Figures:
        small = [load.manifest(f"small-{number}", SMALL) for number in range(SMALL_JOBS)]
        with here.namespace(name) as namespace, here.looked_after(contestant) as process:
            since = here.audited()
            async with Server(here.kubeconfig, "load") as server:
                beside = load.small_beside_large(server, namespace, large, small)
                await while_there(process, beside)
            waits_s = here.waits_s(namespace, since)
        took_s = [waits_s[job["metadata"]["name"]] for job in small]
        p99_s = quantiles(took_s, n=100, method="inclusive")[-1]
        return {"p99 s": p99_s, "median s": median(took_s)}

    both = contestants(SMALL, LARGE)
    held = asyncio.run(contest("operator/small-beside-large", both, SETTINGS.rounds, one))
    return held.median("ours", "p99 s"), held.median("floor", "p99 s")


@cache
def _restart() -> Figures:
    """Start the operator where 5,000 jobs rest, and return what that took."""
    here, ports = the_arena(), (free_port(), free_port())
    flags = (f"--health-port={ports[0]}", f"--monitoring-port={ports[1]}")
    asked = [
        load.manifest(f"job-{number}", WORKERS, suspended=True) for number in range(RESTING_JOBS)
    ]

    async def measured(process: Process, began_at: float) -> Figures:
        own = Telling(LOOPBACK, health_port=ports[0], monitoring_port=ports[1])
        async with own as telling, telling.waits_s() as waits_s:
            await while_there(process, telling.until_looked_at(RESTING_JOBS))
            looked_s = perf_counter() - began_at
        await asyncio.sleep(_SETTLED_S)
        return {
            "looked s": looked_s,
            "peak MB": memory_mb(process, "VmHWM"),
            "steady MB": memory_mb(process),
            "stall ms": quantiles(waits_s, n=100)[-1] * 1000,
        }

    async def listed_s() -> float:
        async with Server(here.kubeconfig, "load") as server:
            began_at = perf_counter()
            for path in _LISTED:
                await server.read_all(path)
            return perf_counter() - began_at

    async def rest(namespace: str) -> None:
        with here.looked_after(here.ours()) as process:
            async with Server(here.kubeconfig, "load") as server:
                # Whoever is started then is alone with what rests: nobody else has work left.
                await while_there(process, load.until_all_rest(server, namespace, asked))

    with here.namespace("resting") as namespace:
        asyncio.run(rest(namespace))
        began_at = perf_counter()
        with here.looked_after(here.ours(*flags)) as process:
            figures = asyncio.run(measured(process, began_at))
        figures["listed s"] = asyncio.run(listed_s())
    tell(f"  operator/restart: {', '.join(f'{k} {v:.2f}' for k, v in figures.items())}")
    return figures


@benchmark("operator/restart/looked-at", "s", "at most 10 s", lambda ours, _: ours <= 10)
def restart() -> tuple[float, float]:
    """Measure how soon all of 5,000 jobs were looked at, beside the time it takes to list them."""
    return _restart()["looked s"], _restart()["listed s"]


@benchmark(
    "operator/restart/peak-memory",
    "MB",
    "at most 2 × steady",
    lambda peak, steady: peak <= 2 * steady,
)
def restart_memory() -> tuple[float, float]:
    """Measure the most memory that it held meanwhile, beside what it holds when it rests."""
    return _restart()["peak MB"], _restart()["steady MB"]


@benchmark("operator/restart/stall", "ms", "at most 50 ms", lambda ours, _: ours <= 50)
def restart_stall() -> tuple[float, float]:
    """Measure how long its own server keeps one waiting (p99), as long as its loop stalls."""
    return _restart()["stall ms"], 0.0
