"""The connector, asked in flytekit's own Python, beside an API server of a few lines."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from harness.ports import free_port

# `make mpi` brings flytekit; importing it takes seconds.
pytestmark = [pytest.mark.mpi, pytest.mark.slow, pytest.mark.timeout(400)]
ASKS = Path(__file__).with_name("asks_connector.py")
ASKS_SERVICE = Path(__file__).with_name("asks_service.py")
#: Flyte's numbers for phases.
QUEUED, RUNNING, SUCCEEDED, FAILED, RETRYABLE = 1, 2, 3, 5, 8


def status(*rows):
    """Return a status: for each row its type and whether it is true, a second after the other."""
    conditions = [
        {
            "type": type_,
            "status": "True" if true else "False",
            "reason": f"MPIJob{type_}",
            "message": "so it is",
            "lastTransitionTime": f"2026-01-01T12:00:0{second}Z",
        }
        for second, (type_, true) in enumerate(rows)
    ]
    return {"startTime": "2026-01-01T12:00:00Z", "conditions": conditions}


class Server(ThreadingHTTPServer):
    """Keeps one job; each time that somebody looks at it, it has the next of its statuses."""

    def __init__(self, *statuses):
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses, self.job, self.asked = list(statuses), None, []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        made = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        about = {"uid": "u", "creationTimestamp": "2026-01-01T12:00:00Z"}
        self.server.job = {**made, "metadata": {**made["metadata"], **about}}
        self._answer(201, self.server.job)

    def do_GET(self):
        if self.server.job is None:
            self._answer(404, {"message": "not found", "details": {"name": "f1"}})
        else:
            rows = self.server.statuses
            told = rows.pop(0) if len(rows) > 1 else rows[0]
            self._answer(200, {**self.server.job, "status": told})

    def do_DELETE(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.job = None
        self._answer(200, {})

    def _answer(self, code, body):
        self.server.asked.append(f"{self.command} {self.path}")
        said = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


@pytest.fixture
def ask(flytekit, tmp_path):
    """Asks the connector for a job that has these statuses, one after the other.

    `ports` are those of the service, where one is to be between.
    """

    def asked(*statuses, ports=(), **environment):
        with Server(*statuses) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                script, numbers = (ASKS_SERVICE, ports) if ports else (ASKS, [len(statuses)])
                words = str(script), *map(str, numbers), str(tmp_path / "outputs")
                config = kubeconfig(tmp_path, server.server_address[1])
                said = flytekit(*words, KUBECONFIG=str(config), **environment)
            finally:
                server.shutdown()
                thread.join()
        return json.loads(said), server

    return asked


def kubeconfig(folder, port):
    path = folder / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    said = {
        "clusters": [cluster],
        "users": [{"name": "u", "user": {}}],
        "contexts": [context],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(said))
    return path


def test_an_execution_is_a_job_from_its_making_to_its_deletion(ask):
    made = status(("Created", True))
    running = status(("Created", True), ("Running", True))
    done = status(("Created", True), ("Running", False), ("Succeeded", True))
    said, server = ask(made, running, done)
    path = "/apis/kubeflow.org/v1/namespaces/p-d/mpijobs"
    assert (said["meta"], said["answers"], server.asked) == (
        ["p-d", "f1-n0-1"],
        [
            [QUEUED, "MPIJobCreated - so it is"],
            [RUNNING, "MPIJobRunning - so it is"],
            [SUCCEEDED, "MPIJobSucceeded - so it is"],
        ],
        [
            f"POST {path}",
            *[f"GET {path}/f1-n0-1"] * 4,
            f"DELETE {path}/f1-n0-1",
            f"GET {path}/f1-n0-1",
        ],
    )


def test_a_job_that_failed_is_tried_again_by_flyte_and_its_logs_are_linked(ask):
    failed = status(("Created", True), ("Failed", True))
    said, _ = ask(failed, MPIJOB_FLYTE_LOG_LINK="https://logs/{namespace}/{pod}")
    assert (said["answers"], said["links"]) == (
        [[RETRYABLE, "MPIJobFailed - so it is"]],
        [
            "https://logs/p-d/f1-n0-1-worker-0",
            "https://logs/p-d/f1-n0-1-worker-1",
        ],
    )


def _field(number, content):
    """Return a field of a protobuf message whose value is short and has a length."""
    return bytes([number << 3 | 2, len(content)]) + content


KINDS = {
    "that is for good": ("Failed", b"", FAILED),
    "that may pass": ("Failed", b"\x18\x01", RETRYABLE),
    "that is for good, of ranks that exited 0": ("Succeeded", b"", FAILED),
    "that may pass, of ranks that exited 0": ("Succeeded", b"\x18\x01", RETRYABLE),
}


@pytest.mark.parametrize(("end", "kind", "phase"), KINDS.values(), ids=KINDS)
def test_what_a_task_raised_is_told(ask, tmp_path, end, kind, phase):
    (tmp_path / "outputs").mkdir()
    error = _field(1, b"USER:ValueError") + _field(2, b"no good") + kind
    (tmp_path / "outputs" / "error.pb").write_bytes(_field(1, error))
    said, _ = ask(status(("Created", True), (end, True)))
    assert said["answers"] == [[phase, "no good"]]


def test_flyte_asks_the_service_that_flytekits_own_command_begins(ask):
    ports = free_port(), free_port()
    said, server = ask(status(("Created", True), ("Running", True)), ports=ports)
    verbs = [words.partition(" ")[0] for words in server.asked]
    assert (said, verbs) == (
        [RUNNING, "MPIJobRunning - so it is"],
        ["POST", "GET", "GET", "DELETE"],
    )
