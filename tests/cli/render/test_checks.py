"""What doctor found, as text."""

from mpijob.cli.render.checks import Check, Health, as_json, report

WELL = Check("system", Health.WELL, "Linux")
POOR = Check("mpi4py", Health.POOR, "not installed", "pip install mpi4py")
BROKEN = Check("mpi", Health.BROKEN, "no mpirun was found", "install one")


def test_a_line_for_each_and_advice_below_it():
    assert report([WELL, POOR]) == (
        "ok      system  Linux\n"
        "poor    mpi4py  not installed\n"
        "                → pip install mpi4py\n"
        "\n"
        "Jobs can run here.\n"
    )


def test_what_is_broken_is_named_last():
    assert report([WELL, BROKEN]).splitlines()[-1] == (
        "Jobs cannot run here before this is mended: mpi."
    )


def test_colour_takes_no_room():
    assert report([WELL], colour=True).startswith("\x1b[32mok\x1b[0m      system  Linux\n")


def test_checks_for_programs():
    assert as_json([POOR]) == [
        {
            "name": "mpi4py",
            "health": "poor",
            "found": "not installed",
            "advice": "pip install mpi4py",
        }
    ]
