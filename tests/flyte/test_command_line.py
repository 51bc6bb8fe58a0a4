"""The command line of Flyte's plugin, for any Open MPI."""

from mpijob.flyte.command_line import ending_together, for_any_open_mpi


def job(*args):
    """Return a job whose launcher has these arguments."""
    containers = [{"name": "mpi", "args": list(args)}, {"name": "proxy"}]
    return {
        "spec": {
            "mpiReplicaSpecs": {"Launcher": {"template": {"spec": {"containers": containers}}}}
        }
    }


def test_open_mpi_5_can_read_it_too():
    line = ["mpirun", "-bind-to", "none", "-x", "PATH", "-mca", "pml", "ob1", "-np", "2"]
    long = ["mpirun", "--bind-to", "none", "-x", "PATH", "--mca", "pml", "ob1", "-np", "2"]
    assert for_any_open_mpi(job(*line, "python", "-mca")) == job(*long, "python", "-mca")


def test_another_programs_line_stays_as_it_is():
    assert for_any_open_mpi(job("horovodrun", "-mca")) == job("horovodrun", "-mca")


def test_a_rank_that_fails_ends_all():
    line = ["mpirun", "-np", "2", "python"]
    assert ending_together(job(*line, "e.py", "x")) == job(*line, "-m", "mpi4py", "e.py", "x")
