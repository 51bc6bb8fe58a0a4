"""`mpijob ks` in an application of the test's own."""

import pytest
import yaml


@pytest.fixture
def ks(mpijob, tmp_path, monkeypatch):
    """Return what types a command of ksonnet's in a folder where there is nothing yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")

    def run(*words):
        return mpijob("ks", *words)

    return run


@pytest.fixture
def app(ks, monkeypatch):
    """Return the same, inside of an application."""
    assert ks("init", "lab").code == 0
    monkeypatch.chdir("lab")
    return ks


@pytest.fixture
def kept(app, tmp_path):
    """Return what reads a file of the application."""

    def read(path):
        return yaml.safe_load((tmp_path / "lab" / path).read_text())

    return read
