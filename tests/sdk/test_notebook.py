"""A task that is called in a notebook, whose kernel is a real one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

# A kernel starts, and a job.
pytestmark = [pytest.mark.mpi, pytest.mark.slow]
NOTEBOOK = Path(__file__).parents[2] / ".mpi" / "notebook"
ASKS = Path(__file__).with_name("asks_a_kernel.py")
CELL = """
from mpijob.sdk import MPIJob, task

@task(task_config=MPIJob(num_workers=2, num_launcher_replicas=1))
def total(first):
    from mpi4py import MPI

    print("rank", MPI.COMM_WORLD.rank)
    return MPI.COMM_WORLD.allreduce(first)

print("total", total(3))
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What the notebook shows below the cell."""
    if not NOTEBOOK.exists():
        pytest.skip("no notebook's kernel is in .mpi/notebook; `make mpi` brings it")
    home = str(tmp_path_factory.mktemp("home"))
    places = {"HOME": home, "MPIJOB_HOME": f"{home}/jobs", "PYTHONPATH": str(NOTEBOOK)}
    environment = {**os.environ, **places}
    words = [sys.executable, str(ASKS), CELL]
    done = subprocess.run(words, stdout=subprocess.PIPE, env=environment, check=True)
    return json.loads(done.stdout)


def test_one_table_below_the_cell_follows_the_job_to_its_end(shown):
    tables = [(kind, content) for kind, content in shown if kind.endswith("display_data")]
    kinds = [kind for kind, _ in tables]
    ids = {content["transient"]["display_id"] for _, content in tables}
    first, last = (tables[at][1]["data"]["text/html"] for at in (0, -1))
    found = re.findall(r"<td>(Pending|Created|Running|Succeeded)</td>", first + last)
    assert (kinds[0], set(kinds[1:]), len(ids), found[-1]) == (
        "display_data",
        {"update_display_data"},
        1,
        "Succeeded",
    )


def test_what_ranks_print_and_what_the_task_returns_stand_below_it_too(shown):
    said = "".join(content["text"] for kind, content in shown if kind == "stream")
    assert sorted(said.split("\n")) == ["", "rank 0", "rank 1", "total 6"]
