"""`mpijob completion`."""

import pytest

from mpijob.cli import exits


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_prints_a_script_that_asks_mpijob(mpijob, shell):
    assert "_MPIJOB_COMPLETE" in mpijob("completion", shell).out


def test_another_shell_is_wrong_input(mpijob):
    assert mpijob("completion", "tcsh").code == exits.INVALID
