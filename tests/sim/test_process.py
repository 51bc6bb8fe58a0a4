"""What a process is like that plays many histories."""

import gc
import logging

import pytest

from mpijob.sim.process import prepare


@pytest.fixture
def _prepared():
    logger, thresholds = logging.getLogger("mpijob"), gc.get_threshold()
    level = logger.level
    prepare()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    logger.setLevel(level)


@pytest.mark.usefixtures("_prepared")
def test_the_engine_tells_of_no_lost_answer():
    assert not logging.getLogger("mpijob.engine").isEnabledFor(logging.WARNING)


@pytest.mark.usefixtures("_prepared")
def test_the_collector_leaves_alone_what_was_there_before():
    assert gc.get_freeze_count() > 0
