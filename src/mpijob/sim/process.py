"""A process that plays many histories: quiet, and left alone by the garbage collector."""

import gc
import logging

#: How many objects may be made before the collector looks at them: a few histories' worth.
_YOUNG_COUNT = 100_000


def prepare() -> None:
    """Make this process ready to play many histories.

    Lost answers are what histories are about: the engine need not tell of them. And what was
    imported stays: the collector need not look at it again, nor at a history that still goes on.
    """
    logging.getLogger("mpijob").setLevel(logging.CRITICAL)
    gc.freeze()
    gc.set_threshold(_YOUNG_COUNT, 20, 100)
