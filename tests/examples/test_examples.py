"""The examples run as their READMEs say."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from mpijob.local.machine import namespaces_refusal
from mpijob.local.mpi import Mpi
from mpijob.testing.mpis import MPIS

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MPIJOB = Path(sys.executable).with_name("mpijob")
AS_USER = ROOT / "tests" / "local" / "pods" / "ranks" / "as_user.py"
#: An ordinary user that every Linux has, and that owns nothing.
ORDINARY = "daemon"
MODES = ["plain"] if namespaces_refusal() else ["namespaces", "plain"]
COMPILERS = {name: mpi for name, mpi in MPIS.items() if Path(mpi.prefix, "bin/mpicc").exists()}

pytestmark = pytest.mark.mpi


@contextmanager
def _folder():
    """Yield a copy of the examples that anybody may write to, and where jobs are remembered."""
    with tempfile.TemporaryDirectory(prefix="examples-") as name:
        shutil.copytree(EXAMPLES, f"{name}/examples")
        for place, _, _ in os.walk(name):
            os.chmod(place, 0o777)
        yield Path(name)


def _run(folder, example, *words, user=""):
    """Run mpijob in an example's folder; by root as that user, who sees what it needs.

    So do those of its pods, who may be others, wherever the checkout lies.
    """
    command = [str(MPIJOB), *words]
    if user and os.geteuid() == 0:
        needed = [ROOT, sys.base_prefix, Path(sys.executable).resolve(), folder]
        paths = ":".join(dict.fromkeys(map(str, needed)))
        command = [sys.executable, str(AS_USER), user, paths, *command]
    done = subprocess.run(
        command,
        cwd=folder / "examples" / example,
        env={**os.environ, "MPIJOB_HOME": str(folder / "home"), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def folder():
    """Return a copy of the examples."""
    with _folder() as found:
        yield found


@pytest.fixture
def mpijob(folder):
    """Return what runs mpijob in an example's folder."""
    return partial(_run, folder)


PI = [
    *(f"rank {rank} of 4 on {{name}}-worker-{rank // 2}" for rank in range(4)),
    "pi is about 3.1415926536",
]


def _pi(name: str) -> list[str]:
    return [line.format(name=name) for line in PI]


def _said(output: str) -> list[str]:
    """Return the lines of a program; Open MPI's own complaints about a busy machine are no part."""
    return [line for line in output.splitlines() if line.startswith(("rank", "pi is"))]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("user", ["", ORDINARY], ids=["as who tests", "as an ordinary user"])
def test_pi_says_where_each_rank_is_and_what_pi_is(mpijob, folder, mode, user):
    file = str(folder / "examples" / "pi" / "pi.yaml")
    done = mpijob("pi", "run", "--pods", mode, file, user=user)
    assert _said(done.stdout) == _pi("pi")


@pytest.mark.parametrize("name", COMPILERS)
def test_pi_in_c_is_built_with_the_mpi_at_hand(mpijob, name):
    if shutil.which("cc") is None:
        pytest.skip("this machine has no C compiler, so mpicc cannot build anything")
    mpi: Mpi = COMPILERS[name]
    done = mpijob("pi", "run", "--mpi", mpi.mpirun, "pi-c.yaml")
    assert _said(done.stdout) == _pi("pi-c")


def _result(output: str) -> tuple[float, float]:
    """Return the loss and the accuracy that a training printed."""
    found = re.search(r"loss (\S+)  accuracy (\S+)", output)
    assert found is not None, output
    return float(found[1]), float(found[2])


@pytest.fixture(scope="module", params=["numpy", "jax"])
def trainings(request):
    """Return loss and accuracy of one rank, of two and of four.

    Seven Python processes import numpy, or JAX, on a few cores: that takes its seconds.
    """
    kind = request.param
    program = ("--", "python", f"train_{kind}.py")
    with _folder() as folder:
        lines = (("-n", "1", *program), ("-n", "2", *program), (f"{kind}.yaml",))
        return [_result(_run(folder, "train", "run", *line).stdout) for line in lines]


def test_one_rank_two_and_four_learn_the_same(trainings):
    losses, accuracies = zip(*trainings, strict=True)
    want = (pytest.approx((losses[0],) * 3, abs=1e-6), (accuracies[0],) * 3)
    assert (losses, accuracies) == want


def test_the_training_learns_something(trainings):
    assert min(accuracy for _, accuracy in trainings) > 0.9


def test_the_manual_s_job_runs_where_its_memory_is_not(mpijob, folder):
    file = str(folder / "examples" / "debian" / "job.yaml")
    done = mpijob("debian", "run", "--oversubscribe", file, user="root")
    assert sorted(_said(done.stdout)) == [
        "rank 0 on mpijob-worker-0",
        "rank 1 on mpijob-worker-1",
    ]


def test_the_manual_s_template_is_linted(mpijob):
    said = mpijob("debian", "lint", "template.yaml").stdout
    assert re.findall(r'"(\w+)" is a placeholder', said) == ["IMAGE", "COMMAND", "IMAGE"]


def test_why_names_what_was_left_in_the_template(mpijob):
    words = ("--oversubscribe", "--quiet", "template.yaml")
    done = mpijob("debian", "run", "--detach", *words)
    mpijob("debian", "wait", "mpijob", "--for", "condition=Running", "--timeout", "60s")
    said = mpijob("debian", "why", "mpijob").stdout
    mpijob("debian", "delete", "mpijob")
    assert (done.stdout, '"COMMAND" is a placeholder' in said) == (
        "mpijob.kubeflow.org/mpijob created\n",
        True,
    )


@pytest.mark.parametrize("example", ["pi", "train", "debian", "python"])
def test_an_example_has_a_readme(example):
    assert (EXAMPLES / example / "README.md").exists()


def _python(folder, name):
    """Return what one of the examples in Python prints."""
    done = subprocess.run(
        [sys.executable, f"{name}.py"],
        cwd=folder / "examples" / "python",
        env={**os.environ, "MPIJOB_HOME": str(folder / "home"), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_a_function_adds_up_what_its_ranks_bring(folder):
    *brought, told = _python(folder, "allreduce")
    ranks = [f"rank {rank} of 4 brings {10 + rank}" for rank in range(4)]
    assert (sorted(_said("\n".join(brought))), told) == (ranks, "the sum is 46")


def test_a_function_learns_on_two_ranks_what_its_caller_tests(folder):
    _, accuracy = _result(_python(folder, "train")[-1])
    assert accuracy > 0.9


def test_a_sweep_finds_the_best_of_its_jobs(folder):
    assert _python(folder, "sweep")[-1] == "the best rate is 0.5"


def test_a_sweep_that_was_kept_runs_no_job(folder):
    first = _python(folder, "sweep")
    shutil.rmtree(folder / "home" / "jobs")
    assert (_python(folder, "sweep"), (folder / "home" / "jobs" / "default").exists()) == (
        first,
        False,
    )
