"""What the guide for Flyte tells a person to type does what it says."""

import re
from pathlib import Path

import pytest
import yaml

# flytekit, which `make mpi` brings, starts anew for each command, and once for each rank.
pytestmark = [pytest.mark.mpi, pytest.mark.slow, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide" / "flyte.md").read_text()
EXAMPLE = ROOT / "examples" / "flyte"
DECORATOR = """\
    @task(
        task_config=MPIJob(
            num_workers=2,
            num_launcher_replicas=1,
            slots=1,
        ),
        requests=Resources(cpu='1', mem="3000Mi"),
        limits=Resources(cpu='2', mem="6000Mi"),
        retries=3,
        cache=True,
        cache_version="0.5",
    )
    def mpi_task(
"""


def commands():
    blocks = re.findall(r"^```console\n(.*?)^```", GUIDE, flags=re.DOTALL | re.MULTILINE)
    return [line[2:] for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def typed(flytekit, tmp_path_factory):
    """What each of the guide's commands printed, typed one after the other."""
    home = tmp_path_factory.mktemp("home")
    places = {"HOME": str(home), "MPIJOB_HOME": str(home / "jobs")}
    return [flytekit("-c", line, program="/bin/bash", **places) for line in commands()]


def test_the_commands_train_in_one_process_on_real_ranks_and_without_flyte(typed):
    said = "".join(typed)
    assert [
        (int(ranks), int(pictures))
        for ranks, pictures in re.findall(r"ranks (\d) +pictures (\d+)", said)
    ] == [(1, 2000), (2, 2001), (2, 2000)]


def test_with_flyte_and_without_the_same_is_learned(typed):
    alone, _, without = [re.findall(r"^(0\.\d+)$", said, re.MULTILINE) for said in typed[:3]]
    assert float(alone[0]) == pytest.approx(float(without[0]), abs=0.01)


def test_an_image_is_written_for_the_example(typed):
    assert "COPY requirements.txt" in typed[-1]


@pytest.mark.parametrize("file", ["train.py", "train_without_flyte.py"])
def test_the_decorator_is_the_documents_character_for_character(file):
    lines = (EXAMPLE / file).read_text().splitlines()
    code = "".join(f"    {line}\n" for line in lines if not line.lstrip().startswith("#"))
    assert DECORATOR.rstrip("\n") in code


def test_the_connector_may_do_what_it_does_and_no_more():
    objects = list(yaml.safe_load_all((EXAMPLE / "connector.yaml").read_text()))
    rules = [rule for each in objects for rule in each.get("rules", ())]
    assert ([each["kind"] for each in objects], rules) == (
        ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Service", "Deployment"],
        [
            {
                "apiGroups": ["kubeflow.org"],
                "resources": ["mpijobs"],
                "verbs": ["create", "get", "delete"],
            }
        ],
    )
