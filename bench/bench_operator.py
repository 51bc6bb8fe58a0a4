"""The operator on a real API server with fake nodes, beside a script that knows the future."""

import asyncio
import sys
from functools import cache
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "real"))

from measure import SETTINGS, benchmark
from scale import load
from scale.arena import Contestant, contestants, cpu_s, the_arena
from scale.contest import Contest, Figures, contest, while_there
from scale.server import Server

WORKERS = 4


@cache
def _succeeded(jobs: int) -> Contest:
    """Return the rounds in which so many jobs of 4 workers come at once, and all succeed."""
    here, asked = the_arena(), [load.manifest(f"job-{number}", WORKERS) for number in range(jobs)]

    async def one(contestant: Contestant, name: str) -> Figures:
        with here.namespace(name) as namespace, here.looked_after(contestant) as process:
            spent_s, since = cpu_s(process), here.audited()
            async with Server(here.kubeconfig, "load") as server:
                all_done = load.until_all(server, namespace, asked, "Succeeded")
                took_s = await while_there(process, all_done)
                await while_there(process, load.until_tidy(server, namespace))
            spent_s = cpu_s(process) - spent_s
        requests = here.requests(contestant.agent, since)
        spreads_s = here.spreads_s(namespace, since)
        return {
            "s": took_s,
            "cpu ms a job": spent_s * 1000 / jobs,
            "status writes a job": requests["patch", "mpijobs/status"] / jobs
            + requests["update", "mpijobs/status"] / jobs,
            # Three, and where its pods do not begin together one more for each second of it.
            "allowed a job": mean(3 + (s if s > 1 else 0) for s in spreads_s.values()),
            "events a job": requests["create", "events"] / jobs,
            "requests a job": sum(requests.values()) / jobs,
        }

    name = f"operator/{jobs}x{WORKERS}"
    return asyncio.run(contest(name, contestants(WORKERS), SETTINGS.rounds, one))


def _both(held: Contest, figure: str) -> tuple[float, float]:
    return held.median("ours", figure), held.median("floor", figure)


@benchmark(
    "operator/1x500/workers-created",
    "s",
    "at most 1.3 × floor",
    lambda ours, floor: ours <= 1.3 * floor,
)
def workers_created() -> tuple[float, float]:
    """Measure how soon one job has its 500 workers."""
    here, job = the_arena(), load.manifest("large", 500)

    async def one(contestant: Contestant, name: str) -> Figures:
        with here.namespace(name) as namespace, here.looked_after(contestant) as process:
            spent_s = cpu_s(process)
            async with Server(here.kubeconfig, "load") as server:
                all_there = load.until_workers(server, namespace, job)
                took_s = await while_there(process, all_there)
            return {"s": took_s, "cpu s": cpu_s(process) - spent_s}

    held = asyncio.run(contest("operator/1x500", contestants(500), SETTINGS.rounds, one))
    return _both(held, "s")


@benchmark(
    "operator/100x4/succeeded",
    "s",
    "at most 1.25 × floor",
    lambda ours, floor: ours <= 1.25 * floor,
)
def hundred_jobs() -> tuple[float, float]:
    """Measure how soon 100 jobs of 4 workers have all succeeded."""
    return _both(_succeeded(100), "s")


@benchmark(
    "operator/cpu-per-job",
    "ms",
    "at most 1.3 × floor",
    lambda ours, floor: ours <= 1.3 * floor,
)
def processor_time() -> tuple[float, float]:
    """Measure the processor's time that a job of 4 workers costs, from its making to its end."""
    return _both(_succeeded(100), "cpu ms a job")


@benchmark(
    "operator/status-writes",
    "a job",
    "at most 3, and 1 for each second in which pods begin",
    lambda ours, allowed: ours <= allowed,
)
def status_writes() -> tuple[float, float]:
    """Count, in the server's audit log, the writes of a job's status, beside what is promised."""
    held = _succeeded(100)
    return held.median("ours", "status writes a job"), held.median("ours", "allowed a job")


@benchmark("operator/events", "a job", "at most 4", lambda ours, _: ours <= 4)
def events() -> tuple[float, float]:
    """Count the events of a job, in the server's audit log. The floor makes none."""
    return _both(_succeeded(100), "events a job")


@benchmark(
    "operator/1000x4/succeeded",
    "s",
    "at most 1.25 × floor",
    lambda ours, floor: ours <= 1.25 * floor,
)
def thousand_jobs() -> tuple[float, float]:
    """Measure how soon 1,000 jobs of 4 workers have all succeeded."""
    return _both(_succeeded(1000), "s")
