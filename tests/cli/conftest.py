"""The command line in this process, over a home of the test's own; and jobs that stand in it."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from mpijob.api.new_job import NewJob, manifest
from mpijob.cli.root import cli
from mpijob.core.job import Key
from mpijob.core.plan import Kind, Ref
from mpijob.local.claim import Claim, claimed
from mpijob.local.home import home_path, opened
from mpijob.local.journal import Journal
from mpijob.local.objects import LocalObjects


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a home that nobody has used, which every command of this test opens."""
    monkeypatch.setenv("MPIJOB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MPIJOB_TRACEBACK", raising=False)
    return opened(home_path({"MPIJOB_HOME": str(tmp_path / "home")}, socket.gethostname()))


@pytest.fixture
def mpijob(home) -> Callable[..., Answer]:
    """Return what runs a command line: `mpijob("get", "pi")`."""

    def run(*words: str, given: str = "") -> Answer:
        result = CliRunner().invoke(cli, words, prog_name="mpijob", input=given)
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


class Store:
    """The journal as a test fills it."""

    def __init__(self, home) -> None:
        self._home = home
        self._claims: list[Claim] = []

    def create(self, job: dict[str, Any]) -> dict[str, Any]:
        """Store an object; a job counts as looked after, or the next command would bury it."""
        stored = self._on(lambda objects: objects.create(job))
        if stored["kind"] == "MPIJob":
            key = Key(stored["metadata"]["namespace"], stored["metadata"]["name"])
            folder = self._home.job(key, stored["metadata"]["uid"]).made()
            self._claims.append(claimed(folder.lock).sign())
        return stored

    def let_go(self) -> None:
        """Look after no job any longer."""
        while self._claims:
            self._claims.pop().release()

    def job(self, name: str, **fields: Any) -> dict[str, Any]:
        """Store a job of two workers with two slots each."""
        defaults = {
            "command": ("python", "train.py"),
            "worker_count": 2,
            "slots": 2,
            "namespace": "default",
        }
        return self.create(manifest(NewJob(name=name, **{**defaults, **fields})))

    def get(self, name: str, namespace: str = "default") -> dict[str, Any]:
        return self._on(lambda objects: objects.get(Ref(Kind.MPI_JOB, namespace, name)))

    def told(self, name: str, *conditions: tuple[str, str], **status: Any) -> None:
        """Write a status: conditions by type and reason, all true, and other fields."""
        at = "2026-01-01T12:00:00Z"
        rows = [
            {
                "type": type_,
                "status": "True",
                "reason": reason,
                "message": f"because {reason}",
                "lastUpdateTime": at,
                "lastTransitionTime": at,
            }
            for type_, reason in conditions
        ]
        fields = {"status": {"conditions": rows, **status}}
        ref = Ref(Kind.MPI_JOB, "default", name)
        self._on(lambda objects: objects.patch(ref, fields, subresource="status"))

    def _on(self, action) -> Any:
        async def whole():
            journal = Journal(self._home)
            try:
                return await action(LocalObjects(journal))
            finally:
                journal.close()

        return asyncio.run(whole())


@pytest.fixture
def store(home) -> Iterator[Store]:
    """Return the journal, to be filled."""
    found = Store(home)
    yield found
    found.let_go()
