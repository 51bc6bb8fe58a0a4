"""A home for the jobs of these tests, which tasks that are called use too."""

import socket

import pytest

from mpijob.local.home import home_path, opened


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a home that nobody has used, which every call of this test uses."""
    monkeypatch.setenv("MPIJOB_HOME", str(tmp_path / "home"))
    return opened(home_path({"MPIJOB_HOME": str(tmp_path / "home")}, socket.gethostname()))
