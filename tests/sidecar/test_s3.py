"""Data from S3 and back, with a store of a few lines that answers what a test needs.

Against a real server it is tried in tests/real/test_s3.py.
"""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from mpijob.sidecar.s3 import ATTEMPTS, Place, Stopped, Store, StoreFailed

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


class Answer:
    """What a request is answered with: whole, or cut off after so many bytes."""

    def __init__(self, status=200, body=b"", cut=None):
        self.status, self.body, self.cut = status, body, cut


def listing(*keys):
    rows = "".join(f"<Contents><Key>{key}</Key><Size>4</Size></Contents>" for key in keys)
    return Answer(body=f"<ListBucketResult>{rows}</ListBucketResult>".encode())


def error(status, code, message):
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, body.encode())


DENIED = error(403, "AccessDenied", "Access Denied")
BUSY = error(503, "SlowDown", "Please reduce your request rate.")
DATA = Answer(body=b"data")
CUT = Answer(body=b"data", cut=2)


class Handler(BaseHTTPRequestHandler):
    """Answers with the next of what the test says for a path; the last one again and again."""

    protocol_version = "HTTP/1.1"

    def _answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(size)
        path = urlsplit(self.path).path
        self.server.asked.append((self.command, path))
        left = self.server.answers[path]
        answer = left.pop(0) if len(left) > 1 else left[0]
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.cut])
        if answer.cut is not None:
            self.close_connection = True

    do_GET = do_PUT = do_HEAD = do_POST = _answer  # noqa: N815  # The names are the server's.

    def log_message(self, *_):
        """Say nothing: what was asked is in `asked`."""


@contextmanager
def store(monkeypatch, **answers):
    """Give a store that answers so by path, what it was asked, and how long was waited for it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers = {f"/in{path}": list(rows) for path, rows in answers.items()}
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    env = {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    waits = []
    try:
        yield Store(env, lambda seconds: waits.append(seconds) if seconds else None), server, waits
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


PLACES = {
    "s3://b": ("b", ""),
    "s3://b/": ("b", ""),
    "s3://b/x": ("b", "x/"),
    "s3://b/x/y//": ("b", "x/y/"),
}


@pytest.mark.parametrize(("uri", "place"), PLACES.items())
def test_a_uri_means_a_folder(uri, place):
    assert Place.of(uri) == place


def test_what_is_below_a_uri_comes_into_the_folder(monkeypatch, tmp_path):
    rows = [listing("x/a", "x/b/c", "x/b/")]
    with store(monkeypatch, **{"": rows, "/x/a": [DATA], "/x/b/c": [DATA]}) as (place, _, _):
        count = place.download("s3://in/x", tmp_path / "new")
    assert (count, files(tmp_path)) == (2, {"new/a": b"data", "new/b/c": b"data"})


def test_where_nothing_is_the_folder_is_there_all_the_same(monkeypatch, tmp_path):
    with store(monkeypatch, **{"": [listing()]}) as (place, _, _):
        count = place.download("s3://in/x", tmp_path / "new")
    assert (count, (tmp_path / "new").is_dir()) == (0, True)


def test_a_busy_store_is_asked_again_with_growing_pauses(monkeypatch, tmp_path):
    answers = {"": [BUSY, BUSY, listing("a")], "/a": [BUSY, DATA]}
    with store(monkeypatch, **answers) as (place, _, waits):
        place.download("s3://in", tmp_path)
    assert (files(tmp_path), waits) == ({"a": b"data"}, [1.0, 2.0, 1.0])


def test_a_store_that_stays_busy_is_given_up_after_five_tries(monkeypatch, tmp_path):
    with store(monkeypatch, **{"": [BUSY]}) as (place, server, waits):
        with pytest.raises(StoreFailed) as failed:
            place.download("s3://in", tmp_path)
        tries = len(server.asked)
    assert (tries, waits, str(failed.value)) == (
        ATTEMPTS,
        [1.0, 2.0, 4.0, 8.0],
        "cannot list s3://in: HTTP 503, SlowDown: Please reduce your request rate. (tried 5 times)",
    )


def test_a_store_that_knows_no_such_key_says_so(monkeypatch, tmp_path):
    with (
        store(monkeypatch, **{"": [DENIED]}) as (place, _, _),
        pytest.raises(StoreFailed, match="cannot list s3://in/x: HTTP 403, AccessDenied"),
    ):
        place.download("s3://in/x", tmp_path)


def test_a_transfer_that_is_cut_off_is_tried_again(monkeypatch, tmp_path):
    answers = {"": [listing("a")], "/a": [CUT, DATA]}
    with store(monkeypatch, **answers) as (place, _, _):
        place.download("s3://in", tmp_path)
    assert files(tmp_path) == {"a": b"data"}


def test_a_part_of_a_file_is_never_left_under_its_name_or_any_other(monkeypatch, tmp_path):
    with (
        store(monkeypatch, **{"": [listing("a")], "/a": [CUT]}) as (place, _, _),
        pytest.raises(StoreFailed, match="cannot download s3://in/a: "),
    ):
        place.download("s3://in", tmp_path)
    assert files(tmp_path) == {}


def test_who_is_not_wanted_any_more_stops(monkeypatch, tmp_path):
    def stop(_):
        raise Stopped

    with store(monkeypatch, **{"": [listing("a")], "/a": [DATA]}) as (place, _, _):
        place._pause = stop
        with pytest.raises(Stopped):
            place.download("s3://in", tmp_path)
    assert files(tmp_path) == {}


@pytest.mark.parametrize("key", ["x/../../a", "x//../a"])
def test_no_key_leads_out_of_the_folder(monkeypatch, tmp_path, key):
    with (
        store(monkeypatch, **{"": [listing(key)]}) as (place, _, _),
        pytest.raises(StoreFailed, match="would lie outside"),
    ):
        place.download("s3://in/x", tmp_path)


def test_all_files_of_a_folder_are_taken_to_below_the_uri(monkeypatch, tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("a", "b/c"):
        (tmp_path / name).write_text("data")
    (tmp_path / "b/up").symlink_to(tmp_path)
    answers = {"/x/a": [Answer()], "/x/b/c": [Answer()]}
    with store(monkeypatch, **answers) as (place, server, _):
        count = place.upload(tmp_path, "s3://in/x")
        asked = sorted(server.asked)
    assert (count, asked) == (2, [("PUT", "/in/x/a"), ("PUT", "/in/x/b/c")])


def test_an_upload_that_the_store_does_not_take_is_told(monkeypatch, tmp_path):
    (tmp_path / "a").write_text("data")
    with (
        store(monkeypatch, **{"/x/a": [DENIED]}) as (place, _, _),
        pytest.raises(StoreFailed, match="cannot upload s3://in/x/a: "),
    ):
        place.upload(tmp_path, "s3://in/x")
