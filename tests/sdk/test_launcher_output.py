"""What a launcher writes, passed on run after run."""

import asyncio

import pytest
from msgspec.structs import replace

from mpijob.core.job import Identity, Key, MPIJob, Replica, RestartPolicy
from mpijob.core.observed import ContainerView, PodPhase, PodView
from mpijob.local.journal import Journal
from mpijob.local.logs import LocalLogs
from mpijob.sdk.launcher_output import LauncherOutput

PI = MPIJob(
    Identity(Key("default", "pi"), "12345678-u", "7"),
    launcher=Replica(1, RestartPolicy.ON_FAILURE, {}),
)
POD = PodView("pi-launcher-x", "87654321-p", "l", "1", PodPhase.FAILED)


@pytest.fixture
def wrote(home, capfdbinary):
    """Return what passes on a launcher's runs, given as they are seen, and returns what came."""

    def write(*looks: tuple[int, str]) -> bytes:
        folder = home.path / "jobs/default/pi-12345678/pods/pi-launcher-x-87654321/logs/launcher"
        folder.mkdir(parents=True)
        journal = Journal(home)
        begun = []

        async def whole() -> None:
            output = LauncherOutput(LocalLogs(home, journal), "default", lambda: begun.append(1))
            output.close()
            for run, text in looks:
                (folder / f"{run}.log").write_text(text)
                seen = replace(POD, containers=(ContainerView("launcher", restart_count=run),))
                output.see([seen])
                await output.run()

        asyncio.run(whole())
        journal.close()
        assert len(begun) <= 1
        return capfdbinary.readouterr().out

    return write


def test_a_run_is_passed_on_once(wrote):
    assert wrote((0, "a\n"), (0, "a\n")) == b"a\n"


def test_a_run_after_a_restart_follows(wrote):
    assert wrote((0, "a\n"), (1, "b\n")) == b"a\nb\n"


def test_a_run_that_says_nothing_leaves_no_trace(wrote):
    assert wrote((0, ""), (1, "b")) == b"b"


def test_a_pod_without_a_log_has_nothing_to_pass_on(home, capfdbinary):
    journal = Journal(home)

    async def whole() -> None:
        output = LauncherOutput(LocalLogs(home, journal), "default", lambda: None)
        output.see([POD])
        output.close()
        await output.run()

    asyncio.run(whole())
    journal.close()
    assert capfdbinary.readouterr().out == b""
