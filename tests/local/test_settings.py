"""How a job is to run on this machine, kept beside it."""

import os
import stat
import sys
from pathlib import Path

from mpijob.local.settings import Settings, inherited, read

OWN = str(Path(sys.executable).parent)


def test_settings_are_read_as_they_were_written(tmp_path):
    settings = Settings("/work", {"A": "1"}, oversubscribe=True, mpi="mpich", pods="plain")
    settings.write(tmp_path / "settings.json")
    assert read(tmp_path / "settings.json") == settings


def test_settings_are_readable_by_their_user_alone(tmp_path):
    Settings().write(tmp_path / "settings.json")
    assert stat.S_IMODE((tmp_path / "settings.json").stat().st_mode) == 0o600


def test_a_job_without_settings_has_the_defaults_and_this_commands_environment(tmp_path):
    found = read(tmp_path / "settings.json")
    assert (found.folder, found.environment) == ("/", inherited(os.environ))


def test_containers_have_of_the_callers_environment_what_says_how_to_use_the_machine():
    caller = {
        "PATH": f"{OWN}:/usr/bin",
        "HOME": "/home/ada",
        "LC_ALL": "C.UTF-8",
        "CONDA_PREFIX": "/opt/conda",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "DISPLAY": ":0",
    }
    kept = {"PATH", "HOME", "LC_ALL", "CONDA_PREFIX"}
    assert inherited(caller) == {name: caller[name] for name in kept}


def test_the_programs_of_mpijobs_own_virtual_environment_come_first():
    wanted = f"{OWN}:/usr/bin" if sys.prefix != sys.base_prefix else "/usr/bin"
    assert inherited({"PATH": "/usr/bin"}) == {"PATH": wanted}
