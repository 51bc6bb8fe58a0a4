"""The controller's program, as pods of one machine run it: each takes half a second of Python."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from mpijob.core.plan import Kind, Ref
from mpijob.local.home import opened
from mpijob.local.journal import Journal
from mpijob.local.objects import LocalObjects

pytestmark = pytest.mark.slow
WHO = ("--namespace", "default", "--master", "x-master")
MASTER = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "x-master", "namespace": "default"},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}


@pytest.fixture
def data(tmp_path):
    """Return a worker's folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def begun(data, tmp_path):
    """Start the program with these words; it is ended with the test."""
    started = []

    def begin(*words, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        env = {**kept, **more}
        program = [sys.executable, "-m", "mpijob.sidecar.program", *words]
        process = subprocess.Popen(program, cwd=data, env=env, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def signals(data):
    return sorted(path.name for path in (data / ".openmpi-controller").iterdir())


def until(line, process):
    """Read what the program says until it says that."""
    assert any(line in said for said in process.stdout)


def with_master(tmp_path, scene):
    async def whole():
        journal = Journal(opened(tmp_path / "home"))
        try:
            objects = LocalObjects(journal)
            await objects.create(MASTER)
            return await scene(objects)
        finally:
            journal.close()

    return asyncio.run(whole())


def test_it_minds_a_worker_from_the_masters_start_to_its_end(begun, data, tmp_path):
    process = begun(*WHO, "--home", str(tmp_path / "home"))

    async def scene(objects):
        until("the worker may begin", process)
        before = signals(data)
        ref = Ref(Kind.POD, "default", "x-master")
        await objects.patch(ref, {"status": {"phase": "Failed"}}, subresource="status")
        return before, process.wait(20), signals(data)

    assert with_master(tmp_path, scene) == (["SIGCONT"], 0, ["SIGCONT", "SIGTERM"])


def test_told_to_end_it_lets_its_worker_end(begun, data, tmp_path):
    process = begun(*WHO, "--home", str(tmp_path / "home"))

    async def scene(_):
        until("the worker may begin", process)
        process.terminate()
        return process.wait(20), signals(data)

    assert with_master(tmp_path, scene) == (143, ["SIGCONT", "SIGTERM"])


class ApiServer(BaseHTTPRequestHandler):
    """Lists a master that runs, and tells a watch what the test has it tell, each time anew."""

    def do_GET(self):
        asked = urlsplit(self.path)
        query = parse_qs(asked.query)
        self.server.asked.append((asked.path, query["fieldSelector"]))
        if "watch" not in query:
            rows = {"metadata": {"resourceVersion": "1"}, "items": [pod("Running", "1")]}
            self.answer(200, json.dumps(rows))
            return
        status, lines = self.server.told.pop(0)
        self.answer(status, "".join(f"{json.dumps(line)}\n" for line in lines))

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        """Say nothing."""


def pod(phase, version):
    metadata = {"name": "x-master", "namespace": "default", "resourceVersion": version}
    spec = {"containers": [{"name": "job"}], "restartPolicy": "Never"}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase}}


@contextmanager
def api_server(folder, *told):
    """Give an API server that answers watches so, and what names it to a program."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), ApiServer)
    server.told, server.asked = list(told), []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    config = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "users": [{"name": "it", "user": {}}],
        "clusters": [
            {"name": "it", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    try:
        yield server, {"KUBECONFIG": str(path)}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


ENDED = {"type": "MODIFIED", "object": pod("Succeeded", "3")}


def test_on_a_cluster_it_watches_the_master_alone(begun, data, tmp_path):
    with api_server(tmp_path, (200, [ENDED])) as (server, named):
        code = begun(*WHO, **named).wait(20)
        asked = set(map(str, server.asked))
    wanted = ("/api/v1/namespaces/default/pods", ["metadata.name=x-master"])
    assert (code, signals(data), asked) == (0, ["SIGCONT", "SIGTERM"], {str(wanted)})


def test_a_watch_that_breaks_is_taken_up_again(begun, data, tmp_path):
    with api_server(tmp_path, (503, []), (200, []), (200, [ENDED])) as (_, named):
        code = begun(*WHO, **named).wait(20)
    assert (code, signals(data)) == (0, ["SIGCONT", "SIGTERM"])


ENDS = {
    "half of a transfer": ((*WHO, "--upload-data-from", "a"), 1),
    "a command line that nobody understands": (("--what",), 2),
    "no master in time": ((*WHO, "--timeout-secs", "0", "--home", "HOME"), 124),
}


@pytest.mark.parametrize(("words", "code"), ENDS.values(), ids=ENDS)
def test_where_it_cannot_do_what_it_is_told_its_worker_may_end(begun, data, tmp_path, words, code):
    home = str(tmp_path / "home")
    process = begun(*(home if word == "HOME" else word for word in words))
    assert (process.wait(20), signals(data)) == (code, ["SIGTERM"])
