"""`mpijob version`."""

import json
import platform

from mpijob import __version__


def test_it_says_the_versions(mpijob):
    assert mpijob("version").out.split() == [
        *("mpijob", __version__),
        *("api", "kubeflow.org/v2beta1"),
        *("python", platform.python_version()),
    ]


def test_it_says_them_to_programs(mpijob):
    assert json.loads(mpijob("version", "-o", "json").out)["mpijob"] == __version__
