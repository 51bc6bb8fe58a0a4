"""From a history that breaks a property to the smallest part of it that still does."""

from collections.abc import Callable

from msgspec.structs import replace

from mpijob.sim.history import Script, Turn

#: Says whether a history still breaks what it is to break.
Breaks = Callable[[Script], bool]


def shrunk(script: Script, breaks: Breaks) -> Script:
    """Return a history without the faults and turns that `script` does not need to break.

    Nothing that is left can be left out by itself; two things together perhaps could. Every turn
    has dice of its own, so that one that stays does what it did.
    """
    smaller = _shrunk_once(script, breaks)
    while smaller != script:
        script, smaller = smaller, _shrunk_once(smaller, breaks)
    return script


def _shrunk_once(script: Script, breaks: Breaks) -> Script:
    script = _without_turns(script, breaks)
    for fault in script.setting.weather.faults():
        setting = replace(script.setting, weather=script.setting.weather.without(fault))
        script = _first_that_breaks(breaks, replace(script, setting=setting), script)
    return _first_that_breaks(breaks, replace(script, head_start=0), script)


def _first_that_breaks(breaks: Breaks, tried: Script, known: Script) -> Script:
    return tried if breaks(tried) else known


def _without_turns(script: Script, breaks: Breaks) -> Script:
    """Leave out runs of turns, from half of them down to single ones."""
    size = max(len(script.turns) // 2, 1)
    while True:
        begin = 0
        while begin < len(script.turns):
            tried = replace(script, turns=_cut(script.turns, begin, size))
            if breaks(tried):
                script = tried
            else:
                begin += size
        if size == 1:
            return script
        size //= 2


def _cut(turns: tuple[Turn, ...], begin: int, size: int) -> tuple[Turn, ...]:
    return (*turns[:begin], *turns[begin + size :])
