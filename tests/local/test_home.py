"""Where the local backend's state stands, and what it says of a folder that will not do."""

import os
import stat

import pytest

from mpijob.core.job import Key
from mpijob.local.home import HomeUnusable, home_path, opened

PLACES = {
    "what the person said": ({"MPIJOB_HOME": "/srv/jobs", "XDG_STATE_HOME": "/s"}, "/srv/jobs"),
    "the state folder of the desktop": ({"XDG_STATE_HOME": "/s"}, "/s/mpijob"),
    "the state folder where nothing is said": ({}, "/home/ada/.local/state/mpijob"),
    "a name with a tilde": ({"MPIJOB_HOME": "~/jobs"}, "/home/ada/jobs"),
}


@pytest.mark.parametrize(("environment", "want"), PLACES.values(), ids=PLACES)
def test_the_home_stands_at(environment, want, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(home_path(environment, "host-1")) == want


def test_an_opened_home_is_its_users_alone(tmp_path):
    home = opened(tmp_path / "state")
    assert {stat.S_IMODE(os.stat(folder).st_mode) for folder in (home.path, home.bells)} == {0o700}


def test_a_home_that_others_may_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(HomeUnusable, match="others may write to"):
        opened(tmp_path)


def test_a_home_that_cannot_be_made_says_why_and_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        HomeUnusable, match=r"cannot keep jobs in .*/file/home: .*; set MPIJOB_HOME"
    ):
        opened(tmp_path / "file" / "home")


def test_two_jobs_of_one_name_have_two_folders(tmp_path):
    home = opened(tmp_path)
    pi = Key("default", "pi")
    assert home.job(pi, "11111111-aaaa") != home.job(pi, "22222222-aaaa")
