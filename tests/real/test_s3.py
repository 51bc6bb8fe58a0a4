"""Data from S3 and back, with a real server, and a line to it that fails as lines do."""

import hashlib
import http.client
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from harness.s3 import ID, SECRET, serving
from mpijob.sidecar.s3 import Store, StoreFailed

pytestmark = pytest.mark.real

#: Larger than what travels in one piece.
LARGE = bytes(range(256)) * 4 * 1024 * 20


class Line(BaseHTTPRequestHandler):
    """Passes requests on, and answers; the next of the server's `troubles` may come between."""

    protocol_version = "HTTP/1.1"

    def _pass(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        trouble = self.server.next_trouble(self.command, self.path)
        if isinstance(trouble, int):
            self._answer(trouble, {}, b"")
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=20)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        data = answer.read()
        self._answer(answer.status, dict(answer.getheaders()), data, cut=trouble == "cut")
        upstream.close()

    def _answer(self, status, headers, data, *, cut=False):
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        size = headers.get("Content-Length") if self.command == "HEAD" else len(data)
        self.send_header("Content-Length", str(size or 0))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = cut

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass  # noqa: N815  # The server's names.

    def log_message(self, *_):
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A line to the S3 server, with troubles for requests that a test chooses."""

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), Line)
        self.upstream = upstream
        self.troubles = {}

    def next_trouble(self, verb, path):
        """Return what goes wrong with a request: a status, "cut", or None."""
        for (wanted, part), left in self.troubles.items():
            if verb == wanted and part in path:
                return next(left, None)
        return None


@pytest.fixture(scope="module")
def rclone(tmp_path_factory):
    """Return the port of an S3 server, and the folder that has its buckets."""
    folder = tmp_path_factory.mktemp("buckets")
    for bucket in ("in", "out", "late"):  # It looks for new ones now and then alone.
        (folder / bucket).mkdir()
    with serving(folder) as port:
        yield port, folder


@pytest.fixture
def line(rclone):
    """Return a line to the server."""
    server = Server(rclone[0])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(line, monkeypatch):
    """Return a store at the end of the line."""
    return reached(line, monkeypatch)


def reached(line, monkeypatch, secret=SECRET):
    env = {
        "AWS_ACCESS_KEY_ID": ID,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{line.server_port}",
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return Store(env, lambda _: None)


@pytest.fixture
def data(rclone):
    """Return the bucket `in`, with a file that is large and one that is not."""
    bucket = rclone[1] / "in"
    (bucket / "x/deep").mkdir(parents=True, exist_ok=True)
    (bucket / "x/small").write_text("small")
    (bucket / "x/deep/large").write_bytes(LARGE)
    return bucket


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def times(number, what):
    return (what if n < number else None for n in count())


@contextmanager
def refused(said):
    with pytest.raises(StoreFailed) as failed:
        yield
    assert said in str(failed.value)


def test_what_is_there_comes_whole(store, data, tmp_path):
    store.download("s3://in/x", tmp_path)
    assert digests(tmp_path) == digests(data / "x")


def test_what_is_taken_away_arrives_whole(store, data, rclone):
    store.upload(data / "x", "s3://out/ns/job/worker-0")
    assert digests(rclone[1] / "out/ns/job/worker-0") == digests(data / "x")


TROUBLES = {
    "a busy server": ("GET", "list-type", 503),
    "a server that will not, for a while": ("GET", "large", 403),
    "downloads that are cut off": ("GET", "large", "cut"),
}


@pytest.mark.parametrize(("verb", "part", "what"), TROUBLES.values(), ids=TROUBLES)
def test_a_few_failures_are_made_good(store, line, data, tmp_path, verb, part, what):
    line.troubles = {(verb, part): times(3, what)}
    store.download("s3://in/x", tmp_path)
    assert digests(tmp_path) == digests(data / "x")


def test_what_is_cut_off_again_and_again_leaves_no_part_of_it(store, line, data, tmp_path):
    line.troubles = {("GET", "large"): times(1000, "cut")}
    with refused("cannot download s3://in/x/deep/large: "):
        store.download("s3://in/x", tmp_path)
    assert set(digests(tmp_path)) <= {"small"}


def test_an_upload_that_fails_for_a_while_arrives_whole(store, line, data, rclone):
    line.troubles = {("PUT", "large"): times(3, 503)}
    store.upload(data / "x", "s3://late/x")
    assert digests(rclone[1] / "late/x") == digests(data / "x")


def test_a_wrong_key_is_told_in_the_servers_words(line, data, monkeypatch, tmp_path):
    store = reached(line, monkeypatch, secret="wrong")
    with refused("cannot list s3://in/x: HTTP 403"):
        store.download("s3://in/x", tmp_path)


def test_a_bucket_that_is_not_there_is_told(store, tmp_path):
    with refused("NoSuchBucket"):
        store.download("s3://nowhere/x", tmp_path)
