"""A history that breaks something is made as small as it can be."""

from mpijob.sim.history import Move, script
from mpijob.sim.shrink import shrunk

WRITTEN = script(11)


def test_turns_that_are_not_needed_go():
    needed = {WRITTEN.turns[3], WRITTEN.turns[9]}
    small = shrunk(WRITTEN, lambda part: needed <= set(part.turns))
    assert set(small.turns) == needed


def test_faults_that_are_not_needed_go():
    [fault, *_] = WRITTEN.setting.weather.faults()
    small = shrunk(WRITTEN, lambda part: fault in part.setting.weather.faults())
    assert small.setting.weather.faults() == (fault,)


def test_what_is_needed_together_stays():
    def breaks(part):
        return sum(turn.move is Move.LOOK for turn in part.turns) >= 4

    assert [turn.move for turn in shrunk(WRITTEN, breaks).turns] == [Move.LOOK] * 4
