"""One HTTP/1.1 server, by kept connections: what is read, what is repeated, what breaks."""

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress

import pytest

from mpijob.kube.http import Http
from mpijob.kube.line import Broken

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
SILENCE = object()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(text):
    return b"%x\r\n%s\r\n" % (len(text), text)


class Peer:
    """Plays one script a connection: the pieces to answer each request with, in order.

    In their place, None hangs up, and SILENCE says nothing until the other side has gone.
    """

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.heads = []
        self.bodies = []

    async def serve(self, reader, writer):
        for answer in self.scripts.pop(0):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head.decode())
            self.bodies.append(await reader.readexactly(_length(head)))
            if answer is None:
                break
            for piece in answer if isinstance(answer, list) else [answer]:
                if piece is SILENCE:
                    await reader.read()
                    return
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()


def _length(head):
    rows = (row.partition(b":") for row in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in rows if name == b"content-length"), 0)


@asynccontextmanager
async def listening(serve, trust=None):
    """Give the port at which `serve(reader, writer)` takes connections; all end with the block."""
    talks = set()

    async def talk(reader, writer):
        talks.add(asyncio.current_task())
        try:
            await serve(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=trust)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@pytest.fixture
def play(run):
    """Return what `scene(http)` returns, and the peer that it talked to."""

    def play(scene, *scripts):
        async def whole():
            peer = Peer(*scripts)
            async with listening(peer.serve) as port, asyncio.timeout(20):
                http = Http(f"http://127.0.0.1:{port}", None, headers={"User-Agent": "test"})
                try:
                    return await scene(http), peer
                finally:
                    await http.close()

        return run(whole())

    return play


async def ask(http, method="GET", path="/", body=None, query=None, headers=None, patience_s=10):
    async with await http.ask(
        method, path, query=query or {}, headers=headers or {}, body=body, patience_s=patience_s
    ) as answer:
        return answer.status, await answer.read(patience_s)


def test_a_request_says_what_it_is(play):
    async def scene(http):
        query = {"labelSelector": "a in (b,c)", "limit": "5"}
        return await ask(http, "POST", "/a b/ä", b"{}", query, {"Authorization": "Bearer x"})

    answer, peer = play(scene, [OK])
    first, *rows = peer.heads[0].split("\r\n")
    assert answer == (200, b"{}")
    assert first == "POST /a%20b/%C3%A4?labelSelector=a+in+%28b%2Cc%29&limit=5 HTTP/1.1"
    assert {"User-Agent: test", "Authorization: Bearer x", "Content-Length: 2"} < set(rows)
    assert peer.bodies == [b"{}"]


def test_a_header_with_a_line_break_is_not_sent(play):
    with pytest.raises(Broken, match="line break"):
        play(lambda http: ask(http, headers={"Authorization": "x\r\nHost: other"}), [OK])


WHOLE = {
    "in one piece": ([OK], b"{}"),
    "byte by byte": ([OK[i : i + 1] for i in range(len(OK))], b"{}"),
    "in chunks": ([CHUNKED, chunk(b"a" * 70_000), chunk(b"b"), chunk(b"")], b"a" * 70_000 + b"b"),
    "after a word in between": ([b"HTTP/1.1 100 Continue\r\n\r\n", OK], b"{}"),
    "of much": ([b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n", b"x" * 9_000_000], None),
    "of nothing": ([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
}


@pytest.mark.parametrize(("pieces", "want"), WHOLE.values(), ids=WHOLE)
def test_an_answer_is_read_to_its_end(play, pieces, want):
    (_, body), _ = play(ask, [pieces])
    assert body == (b"x" * 9_000_000 if want is None else want)


def test_an_answer_that_ends_with_its_connection_is_whole(play):
    assert play(ask, [b"HTTP/1.1 200 OK\r\n\r\nhello"])[0] == (200, b"hello")


CUT = {
    "before its head": [None],
    "in its head": [b"HTTP/1.1 20"],
    "in its body": [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"],
    "in its chunks": [CHUNKED + chunk(b"a")],
    "by nonsense": [b"SSH-2.0-OpenSSH_9.2\r\n"],
}


@pytest.mark.parametrize("script", CUT.values(), ids=CUT)
def test_an_answer_that_is_cut_short_is_never_taken_for_whole(play, script):
    with pytest.raises(Broken):
        play(ask, script)


def test_no_coding_is_asked_for_and_none_is_taken_for_the_answer(play):
    _, peer = play(ask, [OK])
    assert "Accept-Encoding: identity\r\n" in peer.heads[0]
    coded = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"
    with pytest.raises(Broken, match="coded as gzip"):
        play(ask, [coded])


def test_a_connection_is_kept(play):
    async def scene(http):
        return [await ask(http) for _ in range(3)]

    _, peer = play(scene, [OK, OK, OK])
    assert len(peer.heads) == 3


CLOSING = {
    "says so": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    "is of old": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("answer", CLOSING.values(), ids=CLOSING)
def test_a_connection_whose_server_wants_no_more_is_not_kept(play, answer):
    async def scene(http):
        return [await ask(http), await ask(http)]

    assert play(scene, [answer], [OK])[0] == [(200, b"{}")] * 2


def test_an_answer_that_is_left_unread_costs_the_connection(play):
    async def scene(http):
        async with await http.ask("GET", "/", query={}, headers={}, patience_s=10):
            pass
        return await ask(http)

    assert play(scene, [CHUNKED + chunk(b"a")], [OK])[0] == (200, b"{}")


def test_what_may_be_asked_twice_survives_a_connection_that_was_closed_while_it_rested(play):
    async def scene(http):
        return [await ask(http), await ask(http)]

    assert play(scene, [OK, None], [OK])[0] == [(200, b"{}")] * 2


def test_what_may_have_taken_effect_is_not_asked_twice(play):
    async def scene(http):
        await ask(http)
        await ask(http, "POST", body=b"{}")

    with pytest.raises(Broken, match="closed"):
        play(scene, [OK, None], [OK])


def test_an_answer_that_goes_on_is_given_as_it_comes(play):
    async def scene(http):
        async with await http.ask("GET", "/", query={}, headers={}, patience_s=10) as answer:
            return b"".join([piece async for piece in answer.pieces(10)])

    assert play(scene, [[CHUNKED, chunk(b"a\n"), chunk(b"b\n"), chunk(b"")]])[0] == b"a\nb\n"


LINES = [b"%d %s\n" % (i, b"x" * (i * 37 % 3000)) for i in range(200)]


@pytest.mark.parametrize("is_secret", [False, True], ids=["plain", "by TLS"])
def test_of_an_answer_that_comes_piece_by_piece_nothing_is_lost(run, trusts, is_secret):
    shown, trust = trusts if is_secret else (None, None)
    answer = CHUNKED + b"".join(map(chunk, LINES)) + chunk(b"")
    # Neither lines nor chunks end where what is sent together does.
    pieces = [answer[i : i + 1777] for i in range(0, len(answer), 1777)]

    async def scene():
        async with listening(Peer([pieces]).serve, shown) as port, asyncio.timeout(20):
            url = f"http{'s' if is_secret else ''}://127.0.0.1:{port}"
            http = Http(url, trust, server_name="cluster", headers={})
            try:
                async with await http.ask("GET", "/", query={}, headers={}, patience_s=10) as told:
                    return b"".join([piece async for piece in told.pieces(10)])
            finally:
                await http.close()

    assert run(scene()).splitlines(keepends=True) == LINES


def test_an_answer_that_falls_silent_breaks(play):
    async def scene(http):
        async with await http.ask("GET", "/", query={}, headers={}, patience_s=10) as answer:
            return [piece async for piece in answer.pieces(0.01)]

    with pytest.raises(Broken, match="nothing came"):
        play(scene, [[CHUNKED + chunk(b"a\n"), SILENCE]])


LATE = {
    "before its head": ([SILENCE], "no answer within"),
    "in its body": ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", SILENCE], "no whole"),
}


@pytest.mark.parametrize(("pieces", "said"), LATE.values(), ids=LATE)
def test_an_answer_is_not_waited_for_for_ever(play, pieces, said):
    with pytest.raises(Broken, match=said):
        play(lambda http: ask(http, patience_s=0.5), [pieces])


def test_a_shorter_patience_counts_on_a_connection_that_was_waited_for_with_more(play):
    async def scene(http):
        await ask(http, patience_s=15)
        return await ask(http, patience_s=0.5)

    with pytest.raises(Broken, match="no answer within"):
        play(scene, [OK, SILENCE])


def test_a_longer_patience_counts_on_a_connection_that_was_waited_for_with_less(play):
    async def scene(http):
        await ask(http, patience_s=0.05)
        async with await http.ask("GET", "/", query={}, headers={}, patience_s=10) as answer:
            waiting = asyncio.ensure_future(answer.read(10))
            done, _ = await asyncio.wait({waiting}, timeout=0.2)
            waiting.cancel()
            return len(done)

    late = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"
    assert play(scene, [OK, [late, SILENCE]])[0] == 0


def test_whoever_gives_up_waiting_costs_the_connection_alone(play):
    async def scene(http):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await ask(http)
        return await ask(http)

    assert play(scene, [SILENCE], [OK])[0] == (200, b"{}")


def test_a_proxy_is_told_the_whole_address(run):
    async def scene():
        peer = Peer([OK])
        async with listening(peer.serve) as port, asyncio.timeout(20):
            http = Http(
                "http://cluster:6443/base",
                None,
                proxy=f"http://me:my%20word@127.0.0.1:{port}",
                headers={},
            )
            try:
                return await ask(http, path="/api"), peer.heads[0]
            finally:
                await http.close()

    answer, head = run(scene())
    assert answer == (200, b"{}")
    assert head.startswith("GET http://cluster:6443/base/api HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic bWU6bXkgd29yZA==" in head


@pytest.fixture
def trusts(tmp_path, authority):
    """What a server called "cluster" shows, and what trusts it."""
    pair = authority.issue("server", hosts=["cluster"])
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.load_cert_chain(pair.certificate, pair.key)
    return shown, ssl.create_default_context(cafile=authority.certificate)


@pytest.fixture
def through_a_proxy(run):
    """Ask a server by TLS through a proxy that answers CONNECT so; return that and its head."""

    def through_a_proxy(shown, trust, answer):
        return run(_through_a_proxy(shown, trust, answer))

    return through_a_proxy


async def _through_a_proxy(shown, trust, answer):
    peer, heads = Peer([OK]), []

    async def hand_on(reader, writer):
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(answer)
        if b" 200 " not in answer:
            writer.close()
            return
        there, here = await asyncio.open_connection("127.0.0.1", port)

        async def pump(source, sink):
            while piece := await source.read(65536):
                sink.write(piece)
            sink.close()

        try:
            await asyncio.gather(pump(reader, here), pump(there, writer))
        finally:
            here.transport.abort()
            with suppress(OSError):
                await here.wait_closed()

    async with listening(peer.serve, shown) as port, listening(hand_on) as proxy:
        http = Http("https://cluster:6443", trust, proxy=f"http://127.0.0.1:{proxy}", headers={})
        try:
            async with asyncio.timeout(20):
                return await ask(http), heads[0].split("\r\n")[0], peer.heads[0]
        finally:
            await http.close()


def test_a_secret_talk_goes_through_a_proxy_that_cannot_read_it(through_a_proxy, trusts):
    answer, asked, head = through_a_proxy(*trusts, b"HTTP/1.1 200 Connection established\r\n\r\n")
    assert (answer, asked) == ((200, b"{}"), "CONNECT cluster:6443 HTTP/1.1")
    assert head.startswith("GET / HTTP/1.1\r\nHost: cluster:6443\r\n")


def test_a_proxy_that_will_not_is_told_of(through_a_proxy, trusts):
    with pytest.raises(Broken, match=r"the proxy 127\.0\.0\.1:[0-9]+ answers HTTP 407"):
        through_a_proxy(*trusts, b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")


def test_a_server_that_is_not_trusted_is_told_from_one_that_breaks(run, trusts):
    shown, _ = trusts

    async def scene():
        async with listening(Peer([OK]).serve, shown) as port:
            http = Http(f"https://127.0.0.1:{port}", None, headers={})
            try:
                await ask(http)
            finally:
                await http.close()

    with pytest.raises(Broken, match="certificate verify failed") as caught:
        run(scene())
    assert caught.value.is_trust
