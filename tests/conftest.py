"""What every test shares: how Hypothesis draws, bad job files, flytekit, that CI skips nothing.

And that a test that came too late shows what it waited for.
"""

import os
import runpy
import subprocess
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from mpijob.local.mpi import Mpi

# A deadline would be a timed assertion, and a loaded machine would fail it.
settings.register_profile(
    "mpijob", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mpijob")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
NOTHING_SKIPPED = os.environ.get("CI") == "true"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that CI would skip: what CI did not run, nobody knows."""
    return _unskipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that CI would skip as a whole."""
    return _unskipped((yield))


def _unskipped(report: Report) -> Report:
    if NOTHING_SKIPPED and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"CI may skip nothing, but this was skipped: {report.longrepr}"
    return report


#: A test that takes longer than this may be waiting for something that will never be, in s.
LATE_S = 60.0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Keep what a test that is late still has running: where it fails, that is shown."""

    def keep() -> None:
        item.add_report_section("call", f"processes after {LATE_S:.0f} s", _processes())

    timer = threading.Timer(LATE_S, keep)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _processes() -> str:
    """Return a line for each process below this one, with where in the kernel it is."""
    from mpijob.local.processes import descendants

    lines = []
    for process in sorted(descendants(os.getpid())):
        place = Path("/proc", str(process))
        with suppress(OSError):  # It has ended meanwhile.
            waits, words = (place / "wchan").read_text(), (place / "cmdline").read_bytes()
            command = words.replace(b"\0", b" ").decode(errors="replace")[:300]
            lines.append(f"{process} in {waits}: {command}\n")
    return "".join(lines)


BAD_MANIFESTS = Path(__file__).with_name("jobfile") / "bad_manifests.py"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `bad_manifest` with each file of which no job can be made."""
    if "bad_manifest" in metafunc.fixturenames:
        cases = runpy.run_path(str(BAD_MANIFESTS))["BAD"]
        metafunc.parametrize("bad_manifest", cases.values(), ids=cases)


@pytest.fixture(scope="session")
def good_manifest() -> bytes:
    """Return the job file of which the bad ones are made."""
    return runpy.run_path(str(BAD_MANIFESTS))["GOOD"].encode()


@pytest.fixture(scope="session")
def mpi_named() -> "Callable[[str], Mpi]":
    """Return what finds an MPI of this machine by its name, or skips the test."""
    # Looked for where it is needed: it takes a while.
    from mpijob.testing.mpis import MPIS

    def found(name: str) -> "Mpi":
        if name not in MPIS:
            pytest.skip(f"{name} is not on this machine; `make mpi` brings it")
        return MPIS[name]

    return found


ROOT = Path(__file__).parents[1]
FLYTE = ROOT / ".mpi" / "flyte" / "bin"


@pytest.fixture(scope="session")
def flytekit(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Return what runs a program of the environment with flytekit, and returns what it wrote.

    Programs are Python's arguments, or, by `program`, a program's own.
    """
    if not FLYTE.exists():
        pytest.skip("flytekit is not in .mpi/flyte; `make mpi` brings it")
    home = tmp_path_factory.mktemp("flyte-home")

    def run(
        *words: str,
        program: str = "python",
        stdin: str = "",
        folder: Path = ROOT,
        status: int = 0,
        **environment: str,
    ) -> str:
        done = subprocess.run(
            [str(FLYTE / program), *words],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if status == 0 else subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=_surroundings(home) | environment,
            check=False,
        )
        assert done.returncode == status, done.stdout + (done.stderr or "")
        return done.stdout

    return run


def _surroundings(home: Path) -> dict[str, str]:
    """Return the variables of a program with flytekit: this tree's package, and a home of its own.

    What flytekit keeps of local runs is in the home, and so is what we keep of jobs.
    """
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{FLYTE}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        # Its own words about itself, and colours, are not what is asked for.
        "FLYTE_SDK_LOGGING_LEVEL": "40",
        "FLYTE_SDK_RICH_TRACEBACKS": "0",
    }
