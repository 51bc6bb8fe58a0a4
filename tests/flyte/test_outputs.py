"""A task that Flyte registered, translated and run: its very command line, until it has outputs."""

import json
from pathlib import Path

import pytest
import yaml

from mpijob.flyte import translate
from mpijob.flyte.template import Execution, Paths, read

# flytekit, which `make mpi` brings, starts anew for each step, and once for each rank.
pytestmark = [pytest.mark.mpi, pytest.mark.slow, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]
REGISTERS = Path(__file__).with_name("registers.py")
EXAMPLE = ROOT / "examples" / "flyte"
FLYTE = ROOT / ".mpi" / "flyte" / "bin"
#: Where Flyte's images have what this machine has elsewhere.
ENTRYPOINT = "/opt/venv/bin/entrypoint.py"


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@pytest.fixture(scope="module")
def job(flytekit, outputs):
    """The job of the example's task, as Flyte's backend makes it."""
    said = flytekit(str(REGISTERS), str(outputs), PYTHONPATH=f"{ROOT / 'src'}:{EXAMPLE}")
    paths = Paths(f"{outputs}/inputs.pb", str(outputs), str(outputs), f"{outputs}/raw")
    execution = Execution(
        "f1-n0-0",
        "default",
        environment={"PYTHONPATH": str(EXAMPLE)},
        id=("f1", "p", "d"),
        paths=paths,
    )
    return translate.job(read(json.loads(said)), execution)


@pytest.fixture(scope="module")
def run(job, flytekit, mpi_named):
    """What the job printed, run on this machine by the MPI that its command line is for."""
    text = yaml.safe_dump(job).replace(ENTRYPOINT, str(FLYTE / "entrypoint.py"))
    mpirun = mpi_named("openmpi-4").mpirun
    words = "run", "--quiet", "--oversubscribe", "--mpi", mpirun, "-"
    # By flytekit's Python: where mpijob runs in an environment, that one's Python is the job's.
    return flytekit("-c", "from mpijob.cli import main; main()", *words, stdin=text)


def test_its_two_ranks_learn_together(run):
    assert [line.split()[:4] for line in run.splitlines() if "pictures" in line] == [
        ["ranks", "2", "pictures", "2000"]
    ]


def test_what_they_return_is_where_flyte_looks_for_it(run, flytekit, outputs):
    accuracy = float(run.split("accuracy ")[1].split()[0])
    said = json.loads(flytekit(str(REGISTERS), str(outputs), "outputs"))
    assert said == pytest.approx(accuracy, abs=0.0001)
