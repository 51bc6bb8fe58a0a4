"""Examples of every version: sound, planned as their version has it, and run on this machine."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner

from mpijob.cli.root import cli
from mpijob.core.version import Version
from mpijob.testing.benchmark_log import shape
from mpijob.testing.mpis import EXPECTED

MPIJOB = "from mpijob.cli import main; main()"
NAMES = ("pi", "tensorflow-benchmarks")
FILES = {f"{version}-{name}": f"{version}/{name}.yaml" for version in Version for name in NAMES}


def _typed(*words):
    return CliRunner().invoke(cli, words, prog_name="mpijob")


@pytest.fixture(params=FILES.values(), ids=FILES)
def file(request, root):
    return root / "examples" / request.param


def test_every_version_has_its_examples(root):
    found = {str(path.relative_to(root / "examples")) for path in root.glob("examples/v*/*.yaml")}
    assert found == set(FILES.values())


def test_an_example_is_sound(file):
    done = _typed("lint", str(file))
    told = re.findall(r"^\S+: (\w+): ", done.output, flags=re.MULTILINE)
    assert (done.exit_code, set(told) - {"advice"}) == (0, set())


def test_an_example_is_of_the_version_that_its_folder_says(file):
    assert yaml.safe_load(file.read_text())["apiVersion"] == f"kubeflow.org/{file.parent.name}"


def test_older_versions_start_ranks_by_exec_and_the_last_by_ssh(file):
    made = _typed("plan", str(file), "-o", "name").output.split()
    kinds = {name.partition("/")[0] for name in made}
    exec_only, ssh_only = "role.rbac.authorization.k8s.io" in kinds, "secret" in kinds
    assert (exec_only, ssh_only) == (file.parent.name != "v2beta1", file.parent.name == "v2beta1")


def _run(folder, manifest, mpi, home):
    """What a job printed that ran in that folder, on that MPI, on a machine with two GPUs."""
    done = subprocess.run(
        [sys.executable, "-c", MPIJOB, "run", "--quiet", "--mpi", mpi.mpirun, "-"],
        cwd=folder,
        input=yaml.safe_dump(manifest),
        env={**os.environ, "MPIJOB_HOME": str(home), "MPIJOB_GPUS": "2"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.mpi
@pytest.mark.parametrize("mpi", EXPECTED)
@pytest.mark.parametrize("version", Version)
def test_every_version_runs_on_every_mpi(root, mpi_named, tmp_path, version, mpi):
    path = root / "examples" / version / "pi.yaml"
    said = _run(path.parent, yaml.safe_load(path.read_text()), mpi_named(mpi), tmp_path)
    assert sorted(said.splitlines()) == [
        "pi is about 3.1415926536",
        *(f"rank {rank} of 4 on pi-worker-{rank // 2}" for rank in range(4)),
    ]


# The document's benchmark. Its command line is Open MPI 4's: the later one reads `-bind-to none` as
# an option and a program.

SHAPE = shape(batches=4, epochs="[0-9.]+", steps="[124]", lines=6)
FEW = ("--num_batches=4", "--display_every=2")


def _launcher(manifest):
    """The container of a job in which the launcher's command stands."""
    spec = manifest["spec"]
    roles = spec.get("mpiReplicaSpecs")
    template = roles["Launcher"]["template"] if roles else spec["template"]
    return template["spec"]["containers"][0]


def _few_batches(path):
    manifest = yaml.safe_load(path.read_text())
    _launcher(manifest)["command"] += FEW
    return manifest


@pytest.mark.mpi
@pytest.mark.parametrize("version", Version)
def test_the_benchmark_of_the_document_prints_a_log_of_its_shape(
    root, mpi_named, tmp_path, version
):
    path = root / "examples" / version / "tensorflow-benchmarks.yaml"
    said = _run(path.parent, _few_batches(path), mpi_named("openmpi-4"), tmp_path)
    assert re.fullmatch(SHAPE, said), said


@pytest.fixture(scope="module")
def benchmark(root, mpi_named, tmp_path_factory):
    """The losses that examples/benchmark printed, by step, and its last figures."""
    path = root / "examples" / "benchmark" / "benchmark.yaml"
    manifest = yaml.safe_load(path.read_text())
    _launcher(manifest)["command"] += ["--num_batches=30", "--model=lenet"]
    home = tmp_path_factory.mktemp("home")
    said = _run(path.parent, manifest, mpi_named("openmpi-5"), home)
    rows = [line.split("\t") for line in said.splitlines() if "\t" in line]
    losses = {}
    for step, _, loss in rows:
        losses.setdefault(int(step), []).append(float(loss))
    speeds = [float(speed.split()[1]) for step, speed, _ in rows if step == "30"]
    return losses, speeds, float(re.search("total images/sec: (.*)", said)[1])


@pytest.mark.mpi
def test_the_benchmark_learns(benchmark):
    losses, _, _ = benchmark
    assert max(losses[30]) < min(losses[1])


@pytest.mark.mpi
def test_the_benchmark_adds_up_what_the_ranks_measured(benchmark):
    _, speeds, total = benchmark
    assert total == pytest.approx(sum(speeds), rel=0.01)


def test_the_benchmarks_image_runs_the_documents_command_where_a_job_has_none(root):
    recipe = (root / "examples" / "benchmark" / "Containerfile").read_text()
    words = json.loads(recipe.partition("CMD ")[2].replace("\\\n", ""))
    command = yaml.safe_load((root / "examples/v1alpha1/tensorflow-benchmarks.yaml").read_text())[
        "spec"
    ]["template"]["spec"]["containers"][0]["command"]
    # How many ranks there are, the hostfile says.
    at = command.index("-np")
    assert words == command[:at] + command[at + 2 :]
