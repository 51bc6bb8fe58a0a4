"""A home for the jobs of these tests, which tasks that are called use too."""

import socket
import zipfile

import pytest

from mpijob.local.home import home_path, opened


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a home that nobody has used, which every call of this test uses."""
    monkeypatch.setenv("MPIJOB_HOME", str(tmp_path / "home"))
    return opened(home_path({"MPIJOB_HOME": str(tmp_path / "home")}, socket.gethostname()))


@pytest.fixture
def wheel(tmp_path):
    """Return what makes a package with one module that says its name, ready to be installed."""

    def made(name):
        file = tmp_path / f"{name}-1.0-py3-none-any.whl"
        about = f"{name}-1.0.dist-info"
        kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        with zipfile.ZipFile(file, "w") as wheel:
            wheel.writestr(f"{name}.py", f"NAME = {name!r}\n")
            wheel.writestr(
                f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            )
            wheel.writestr(f"{about}/WHEEL", kind)
            wheel.writestr(f"{about}/RECORD", "")
        return str(file)

    return made
