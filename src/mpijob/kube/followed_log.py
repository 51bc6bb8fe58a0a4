"""A log that is followed to its end, though streams of it break off.

Expected flow: lines are asked for with the times at which they were written. Where a stream ends,
by a fault or in good order, and the run has not, the log is asked for anew from the second of the
last line on, and what of it was passed on already is left out. That a stream ends in good order
says little: so it does too where a kubelet dies. A run that is over is read once more.

Guarantees: no line is lost or passed on twice, but what a node has thrown away by then.

Assumptions: a node writes all times of one log in one zone, and its second never goes back.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from enum import Enum, auto
from typing import Any

import msgspec
from msgspec import Struct

from mpijob.kube.client import Client
from mpijob.kube.container import has_ended, restarts
from mpijob.ports import NotFound, Refused, Unreachable

#: A container may be silent for as long as it likes; a connection that is dead for so long (s) is
#: given up.
SILENCE_S = 6 * 3600.0
#: How long (s) to wait before a log is asked for anew, at first and at most; and after how often
#: an answer that does not come is a fault: two minutes, in which a kubelet or a server comes back.
_PAUSE_S = (0.2, 5.0)
_TRIES_MAX = 28
#: As a kubelet writes it before each line: the second, its fraction, the zone.
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d) ")


class Passed:
    """Which lines have been passed on. It keeps the times of the last second's."""

    def __init__(self) -> None:
        self.has_begun = False
        self._since = ""
        self._second = b""
        self._passed: Counter[bytes] = Counter()
        self._again: Counter[bytes] = Counter()
        self._rest = b""
        self._has_untimed = False

    @property
    def is_untimed(self) -> bool:
        """Whether lines came without times, so that nobody can tell which came before."""
        return self._has_untimed and not self._since

    def begin(self) -> None:
        """Say that a stream begins, with the second of the last line that was passed on."""
        self.has_begun = True
        self._again, self._rest = Counter(self._passed), b""

    def asked_again(self, query: Mapping[str, str]) -> dict[str, str]:
        """Return a query for a log as one for what may have been missed of it."""
        if not self._since:
            return dict(query)
        rest = {key: value for key, value in query.items() if key != "tailLines"}
        return {**rest, "sinceTime": self._since}

    def fresh(self, piece: bytes) -> bytes:
        """Return the lines that end in a piece of the stream and were not passed on before."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return b"".join(self._line(line + b"\n") for line in lines)

    def rest(self) -> bytes:
        """Return what comes after the stream's last line."""
        return self._line(self._rest)

    def _line(self, line: bytes) -> bytes:
        found = _STAMP.match(line)
        if found is None:  # Some nodes know no times, and some have something to say themselves.
            self._has_untimed = True
            return line
        stamp = found[0]
        if self._again[stamp] > 0:
            self._again[stamp] -= 1
            return b""
        if found[1] > self._second:
            self._second, self._passed = found[1], Counter()
            self._since = (found[1] + found[3]).decode()
        self._passed[stamp] += 1
        return line[found.end() :]


class Run(Struct, frozen=True):
    """One run of a container: the pod's path, the container, and how often it was started anew."""

    path: str
    container: str
    restarts: int


async def follow(client: Client, run: Run, query: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Yield what a run writes until it is over.

    Raises what the first stream raises, and Unreachable where nobody has answered for long.
    """
    asked = {**query, "container": run.container, "follow": "true", "timestamps": "true"}
    passed, patience, state = Passed(), _Patience(), _State.RUNS
    while state is not _State.GONE:
        try:
            async with client.stream(f"{run.path}/log", asked, idle_s=SILENCE_S) as pieces:
                passed.begin()
                async for piece in pieces:
                    if fresh := passed.fresh(piece):
                        patience = _Patience()
                        yield fresh
            if state is _State.OVER or passed.is_untimed:
                break
        except (Unreachable, NotFound, Refused):
            # A kubelet that has just come back knows of no pod, and says so.
            if not passed.has_begun or not patience.is_left:
                raise
        state, asked = await _look(client, run, passed.asked_again(asked))
        await patience.rest()
    if rest := passed.rest():
        yield rest


class _State(Enum):
    """What is known of a run: GONE is one of which there is no log any more."""

    RUNS = auto()
    OVER = auto()
    GONE = auto()


class _Patience:
    """How often nothing new may come, and what is between two times: ever longer."""

    def __init__(self) -> None:
        self._tries, self._pause_s = 0, _PAUSE_S[0]

    @property
    def is_left(self) -> bool:
        return self._tries < _TRIES_MAX

    async def rest(self) -> None:
        await asyncio.sleep(self._pause_s)
        self._tries, self._pause_s = self._tries + 1, min(self._pause_s * 2, _PAUSE_S[1])


async def _look(client: Client, run: Run, asked: dict[str, str]) -> tuple[_State, dict[str, str]]:
    """Return what the server says of a run, and how to ask for the rest of its log."""
    try:
        pod = msgspec.json.decode(await client.request("GET", run.path), type=dict[str, Any])
    except Unreachable:
        return _State.RUNS, asked
    except (NotFound, Refused):
        return _State.GONE, asked
    match restarts(pod, run.container) - run.restarts:
        case 0:
            return _State.OVER if has_ended(pod, run.container) else _State.RUNS, asked
        case 1:
            return _State.OVER, {**asked, "previous": "true"}
        case _:
            return _State.GONE, asked
