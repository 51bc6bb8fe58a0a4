"""Probes and metrics, as a kubelet, a Prometheus and whoever else comes ask for them."""

import asyncio
import re
from contextlib import asynccontextmanager

import aiohttp
import pytest

from harness.ports import free_port
from mpijob.kube.serving import Health, served

HEALTH = Health(lambda: True, lambda: False)
METRICS = b"jobs 1.0\n"


@pytest.fixture
def port():
    """Where probes are served, or metrics."""
    return free_port()


def asked(run, port, *requests, numbers=lambda: METRICS, is_health=True):
    """Return what each request is answered, over one connection: status, body, and headers."""

    async def scene():
        ports = {"health_port": port if is_health else 0, "metrics_port": 0 if is_health else port}
        async with served(HEALTH, numbers, **ports), aiohttp.ClientSession() as session:
            told = []
            for method, path in requests:
                async with session.request(method, f"http://127.0.0.1:{port}{path}") as answer:
                    told.append((answer.status, await answer.read(), answer.headers))
            return told

    return run(scene())


def test_probes_tell_what_is_so(run, port):
    paths = ("/healthz", "/healthz/leaderElection", "/readyz")
    told = asked(run, port, *(("GET", path) for path in paths))
    assert [status for status, _, _ in told] == [200, 200, 503]


def test_metrics_come_as_prometheus_writes_them(run, port):
    [(status, body, headers)] = asked(run, port, ("GET", "/metrics?name[]=jobs"), is_health=False)
    kind = headers["Content-Type"].partition(";")[0]
    assert (status, body, kind) == (200, METRICS, "text/plain")


def test_who_asks_for_something_else_is_told_that_it_is_not_there(run, port):
    told = asked(run, port, ("GET", "/metrics"), ("POST", "/healthz"), ("HEAD", "/healthz"))
    assert [(status, body) for status, body, _ in told] == [
        (404, b"not found"),
        (405, b"method not allowed"),
        (200, b""),
    ]


@asynccontextmanager
async def _connected(port, **given):
    async with served(HEALTH, lambda: METRICS, health_port=port, metrics_port=0, **given):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()


def said(run, port, request, **given):
    """Return all that is answered until the connection is closed, which is not for us to do."""

    async def scene():
        async with asyncio.timeout(20), _connected(port, **given) as (reader, writer):
            writer.write(request)
            answers = []
            try:
                while piece := await reader.read(65_536):
                    answers.append(piece)
            except ConnectionResetError:
                pass  # What was sent and not read: the kernel says so at the end.
            return b"".join(answers)

    return run(scene())


STATUS = re.compile(rb"HTTP/1\.1 (\d+) ")
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"


def test_requests_that_come_together_are_answered_in_their_order(run, port):
    last = b"GET /nowhere HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    told = said(run, port, HEALTHZ + last)
    assert STATUS.findall(told) == [b"200", b"404"]


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [b"400"]),
        (HEALTHZ + b"what?\r\n\r\n", [b"200", b"400"]),
        (b"GET /healthz HTTP/1.0\r\n\r\n", [b"200"]),
        (HEALTHZ[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", [b"200"]),
        (b"GET /healthz HTTP/1.1\r\nHost: here\r\n" + b"X: y\r\n" * 4000, []),
        (b"GET /" + b"z" * 20_000, []),
    ],
    ids=[
        "TLS",
        "no request",
        "an older version",
        "another protocol",
        "many headers",
        "a long path",
    ],
)
def test_who_speaks_otherwise_is_let_go(run, port, request_, statuses):
    assert STATUS.findall(said(run, port, request_)) == statuses


def test_who_says_nothing_is_let_go(run, port):
    assert said(run, port, b"GET /healthz", silence_s=0.01) == b""


def test_who_is_connected_at_the_end_is_let_go(run, port):
    async def scene():
        async with served(HEALTH, lambda: METRICS, health_port=port, metrics_port=0):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEALTHZ)
            began = await reader.readuntil(b"\r\n")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readuntil(b"nothing more")
        writer.close()
        return began

    assert run(scene()) == b"HTTP/1.1 200 OK\r\n"


def test_who_reads_nothing_is_let_go(run, port):
    async def scene():
        large = b"x" * (1 << 20)
        async with (
            asyncio.timeout(20),
            served(HEALTH, lambda: large, health_port=0, metrics_port=port),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.write(HEALTHZ.replace(b"healthz", b"metrics") * 50)
            answers = b""
            try:
                while piece := await reader.read(1 << 16):
                    answers += piece
            except ConnectionResetError:
                pass
            writer.close()
            return answers.count(b"HTTP/1.1 200")

    assert run(scene()) < 50


def test_a_port_that_is_taken_is_told(run, port):
    async def scene():
        async with served(HEALTH, lambda: METRICS, health_port=port, metrics_port=port):
            pass

    with pytest.raises(OSError, match="address already in use"):
        run(scene())
