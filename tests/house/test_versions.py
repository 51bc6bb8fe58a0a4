"""The package says one version, and the installed distribution says the same."""

from importlib.metadata import version

import mpijob


def test_the_distribution_has_the_version_of_the_package():
    assert version("mpijob") == mpijob.__version__
