"""mpirun lines are understood as far as they can be, and never wrongly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.core.lint.launches import Option, launches
from mpijob.core.lint.templates import Part


def container(*args, command=()):
    return Part("c", {"command": list(command), "args": list(args)})


def shell(script):
    return container(command=["sh", "-c", script])


RANKS = {
    "-n": (container("mpirun", "-n", "2", "pi"), [2]),
    "-np": (container("mpirun", "-np", "2", "pi"), [2]),
    "--np": (container("mpirun", "--np", "2", "pi"), [2]),
    "-c": (container("mpirun", "-c", "2", "pi"), [2]),
    "--np=": (container("mpirun", "--np=2", "pi"), [2]),
    "mpirun in the command": (container("-n", "2", "pi", command=["mpirun"]), [2]),
    "mpirun by its path": (container("/usr/bin/mpirun", "-n", "2", "pi"), [2]),
    "mpiexec": (container("mpiexec", "-n", "2", "pi"), [2]),
    "horovodrun": (container("horovodrun", "-np", "2", "python"), [2]),
    "after other options": (
        container(
            "mpirun", "--mca", "btl", "tcp", "-x", "A=b", "--bind-to", "none", "-n", "2", "x"
        ),
        [2],
    ),
    "an entry point before it": (container("/entrypoint.sh", "mpirun", "-n", "2"), [2]),
    "no number": (container("mpirun", "pi"), [None]),
    "a variable": (container("mpirun", "-n", "$(RANKS)", "pi"), [None]),
    "a number that is the program's": (container("mpirun", "pi", "-n", "5"), [None]),
    "a number behind an option that nobody knows": (
        container("mpirun", "--odd", "value", "-n", "5"),
        [None],
    ),
    "a number without end": (container("mpirun", "-n", "9" * 5000), [None]),
    "an option without its value": (container("mpirun", "-n"), [None]),
    "several programs": (container("mpirun", "-n", "1", "a", ":", "-n", "3", "b"), [4]),
    "several programs, one without a number": (
        container("mpirun", "-n", "1", "a", ":", "b"),
        [None],
    ),
    "a shell": (shell("mpirun -n 2 pi"), [2]),
    "a login shell": (container("mpirun -n 2 pi", command=["/bin/bash", "-lc"]), [2]),
    "a shell's options before": (container("-e", "-c", "mpirun -n 2 pi", command=["bash"]), [2]),
    "a script of several lines": (
        shell("set -e\nexport A=b  # mpirun -n 7\nmpirun -n 2 \\\n  -x A pi && mpirun -n 3 pi\n"),
        [2, 3],
    ),
    "variables and words before": (shell("A=b time mpirun -n 2 pi | tee log"), [2]),
    "a comment": (shell("# mpirun -n 7"), []),
    "open quotes": (shell("mpirun -n 2 'pi"), []),
    "a shell without a script": (container(command=["bash"]), []),
    "a script that is a file": (container("job.sh", command=["bash"]), []),
    "no words at all": (container(), []),
    "a script that is a program of its own": (shell("mpirun -n 2 pi\n" * 10_000), []),
}


@pytest.mark.parametrize(("part", "ranks"), RANKS.values(), ids=RANKS)
def test_how_many_ranks_are_asked_for(part, ranks):
    assert [launch.rank_count for launch in launches(part)] == ranks


def test_an_option_knows_the_field_that_it_stands_in():
    (launch,) = launches(container("-n", "2", "--allow-run-as-root", command=["mpirun"]))
    assert launch.options == (
        Option("n", ("2",), "c.args[1]"),
        Option("allow-run-as-root", (), "c.args[2]"),
    )


@given(st.text("mpirun -n2'\"\\\n;&|#:=()$ab", max_size=60))
def test_any_script_can_be_read(script):
    assert isinstance(launches(shell(f"mpirun {script}")), tuple)
