"""MPI tasks on real ranks of this machine, by one switch."""

from pathlib import Path

import pytest

# flytekit, which `make mpi` brings, starts once for the run and once for each rank.
pytestmark = [pytest.mark.mpi, pytest.mark.slow, pytest.mark.timeout(400)]
TASKS = Path(__file__).with_name("tasks_to_run.py")


@pytest.fixture
def run(flytekit, tmp_path):
    """Runs a workflow of tasks_to_run.py on real ranks, in a home of its own."""

    def ran(name, status=0):
        home = {"HOME": str(tmp_path), "MPIJOB_HOME": str(tmp_path / "jobs")}
        words = "run", str(TASKS), name, "--base", "7"
        return flytekit(*words, program="pyflyte", status=status, MPIJOB_FLYTE="here", **home)

    return ran


def test_a_task_runs_on_as_many_hosts_and_ranks_as_it_says(run):
    said = run("where")
    assert "['7 on -worker-0', '8 on -worker-0', '9 on -worker-1', '10 on -worker-1']" in said, said


@pytest.mark.parametrize("workflow", ["raising", "raising_quietly"])
def test_what_a_rank_raises_is_raised_where_the_task_was_called(run, workflow):
    assert "ValueError: no good: 7" in run(workflow, status=1)


def test_where_flyte_lacks_its_mpi_plugin_flytekit_loads_all_the_same(flytekit, tmp_path):
    lacks = tmp_path / "flytekitplugins" / "kfmpi"
    lacks.mkdir(parents=True)
    (lacks / "__init__.py").write_text("raise ImportError('not here')\n")
    path = f"{tmp_path}:{Path(__file__).parents[2] / 'src'}"
    said = flytekit("-c", "import flytekit; print('loaded')", PYTHONPATH=path, MPIJOB_FLYTE="here")
    assert said == "loaded\n"
