"""What the tests of the simulator share: a quiet engine."""

import logging

import pytest


@pytest.fixture(autouse=True)
def _quiet():
    # Every lost answer is told to the log, and histories lose thousands.
    logger = logging.getLogger("mpijob")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)
