"""An API server of a few lines on loopback: it answers what a test tells it to, and keeps count."""

import asyncio

import pytest
import uvloop
from aiohttp import web

from harness.authority import Authority
from mpijob.kube.client import Client
from mpijob.kube.config import Connection
from mpijob.kube.credentials import Anonymous


class Server:
    """Answers each request with the next of `answers`, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def answer(self, request):
        """Answer one request: a response, or a coroutine function that makes one."""
        self.asked.append((request.method, request.path, dict(request.query), await request.read()))
        self.headers = dict(request.headers)
        answer = self.answers.pop(0)
        return await answer(request) if callable(answer) else answer


@pytest.fixture
def asked():
    """Plays `scene(client)` against a server with these answers; returns result and server."""

    def play(scene, *answers, credentials=None):
        async def whole():
            server = Server(*answers)
            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", server.answer)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = site._server.sockets[0].getsockname()[1]
            place = Connection(
                f"http://127.0.0.1:{port}", None, credentials or Anonymous(), source="a test"
            )
            try:
                async with asyncio.timeout(20), Client(place) as client:
                    return await scene(client), server
            finally:
                await runner.cleanup()

        return asyncio.run(whole())

    return play


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    """Run a coroutine by a loop of the standard library, and by that of the operator."""

    def run(whole):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(whole)

    return run


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "ours")
