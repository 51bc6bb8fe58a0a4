"""What the operator answers over HTTP: whether it is well, whether it is ready, its metrics."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST


class Health(Struct, frozen=True):
    """What the probes ask.

    Args:
        healthy: The process does what it is there for: it leads and renews, or waits to.
        ready: It could take over: its client answers, or it leads with all its caches full.

    """

    healthy: Callable[[], bool]
    ready: Callable[[], bool]


@asynccontextmanager
async def served(
    health: Health, metrics: Callable[[], bytes], *, health_port: int, metrics_port: int
) -> AsyncIterator[None]:
    """Serve `/healthz`, `/healthz/leaderElection`, `/readyz` and `/metrics` while this is open.

    A port of 0 serves nothing there.
    """

    def answer(well: Callable[[], bool]) -> Handler:
        async def answered(_: web.Request) -> web.Response:
            return web.Response(text="ok") if well() else web.Response(status=503, text="not ok")

        return answered

    async def told(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    probes = web.Application()
    probes.router.add_get("/healthz", answer(health.healthy))
    probes.router.add_get("/healthz/leaderElection", answer(health.healthy))
    probes.router.add_get("/readyz", answer(health.ready))
    numbers = web.Application()
    numbers.router.add_get("/metrics", told)
    runners = []
    try:
        for app, port in ((probes, health_port), (numbers, metrics_port)):
            if port:
                runner = web.AppRunner(app, access_log=None)
                runners.append(runner)
                await runner.setup()
                await web.TCPSite(runner, None, port).start()
        yield
    finally:
        for runner in runners:
            await runner.cleanup()
