"""`mpijob version`."""

import json
import platform
import subprocess
import sys

from mpijob import __version__


def test_it_says_the_versions(mpijob):
    assert mpijob("version").out.split() == [
        *("mpijob", __version__),
        *("api", "kubeflow.org/v2beta1"),
        *("python", platform.python_version()),
    ]


def test_it_says_them_to_programs(mpijob):
    assert json.loads(mpijob("version", "-o", "json").out)["mpijob"] == __version__


def test_it_loads_nothing_that_takes_time():
    program = (
        "import sys; from mpijob.cli.root import cli; cli.main(['version'], standalone_mode=False);"
        "slow = {'asyncio', 'cryptography', 'rich', 'sqlite3', 'yaml'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
