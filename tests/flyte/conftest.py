"""The Python that has flytekit: an environment of its own."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLYTE = ROOT / ".mpi" / "flyte" / "bin"


@pytest.fixture(scope="session")
def flytekit(tmp_path_factory):
    """Runs a program of the environment with flytekit; returns what it wrote.

    Programs are Python's arguments, or, by `program`, a program's own.
    """
    if not FLYTE.exists():
        pytest.skip("flytekit is not in .mpi/flyte; `make mpi` brings it")
    home = tmp_path_factory.mktemp("flyte-home")

    def run(*words, program="python", stdin="", folder=ROOT, status=0, **environment):
        done = subprocess.run(
            [str(FLYTE / program), *words],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if status == 0 else subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=surroundings(home) | environment,
            check=False,
        )
        assert done.returncode == status, done.stdout + (done.stderr or "")
        return done.stdout

    return run


def surroundings(home):
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
