"""The mpirun lines in a container's command and arguments, as far as they can be understood.

Only options whose number of values is known are read past; at the first word that may be the
program, reading ends. So a line may be understood in part, but never wrongly.
"""

import shlex
from collections.abc import Iterator, Sequence

from msgspec import Struct

from mpijob.core.lint.templates import Part

PROGRAMS = {"mpirun", "mpiexec", "mpiexec.hydra", "orterun", "prterun", "horovodrun"}
_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh"}
_SEPARATORS = ";&|()\n"
#: Longer scripts are programs of their own, and take long to read.
_SCRIPT_MAX = 100_000

_ONE_VALUE = {
    "H", "N", "am", "app", "bind-by", "bind-to", "bootstrap", "bootstrap-exec", "c",
    "config-file", "display", "envlist", "f", "genvlist", "host", "host-discovery-script",
    "hostfile", "hosts", "i", "iface", "launcher", "launcher-exec", "log-level", "machinefile",
    "map-by", "max-np", "max-num-proc", "min-np", "min-num-proc", "n", "network-interface",
    "network-interfaces", "np", "np-per-node", "npernode", "npersocket", "num-proc", "output",
    "output-filename", "p", "path", "perhost", "ppn", "prefix", "rank-by", "report-uri", "rmk",
    "slots-per-host", "ssh-port", "start-timeout", "stdin", "timeline-filename", "timeout",
    "tune", "wd", "wdir", "with-ft", "x",
}  # fmt: skip
_TWO_VALUES = {"mca", "gmca", "pmca", "prtemca", "omca", "env", "genv"}
_COUNTS = {"n", "np", "c", "num-proc"}


class Option(Struct, frozen=True):
    """One option of a launch: its name without dashes, its values, and the field it stands in."""

    name: str
    values: tuple[str, ...]
    field: str


class Launch(Struct, frozen=True):
    """One mpirun line. `segments` are the options of its parts, which `:` divides."""

    program: str
    field: str
    segments: tuple[tuple[Option, ...], ...]

    @property
    def options(self) -> tuple[Option, ...]:
        """The options of all segments."""
        return tuple(option for segment in self.segments for option in segment)

    @property
    def rank_count(self) -> int | None:
        """How many ranks are asked for in all; None where a part of it does not say a number."""
        counts = [option for option in self.options if option.name in _COUNTS]
        numbers = [option.values[0] for option in counts if option.values[0].isdecimal()]
        every = len(numbers) == len(counts) == len(self.segments)
        # Longer numbers are no counts of ranks, and cost time to read.
        return sum(map(int, numbers)) if every and all(len(n) < 10 for n in numbers) else None

    def counted(self) -> Option | None:
        """Return the first option that says how many ranks."""
        return next((option for option in self.options if option.name in _COUNTS), None)


def launches(container: Part) -> tuple[Launch, ...]:
    """Return the mpirun lines that a container runs, be it directly or by a shell's `-c`."""
    words = [*container.texts("command"), *container.texts("args")]
    return tuple(
        launch for statement in _statements(words) if (launch := _launch(statement)) is not None
    )


def _statements(words: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    """Yield the command lines in the words of a container; a shell's script may have several."""
    shell = bool(words) and words[0][0].rpartition("/")[2] in _SHELLS
    script = next(
        (
            index + 1
            for index, (word, _) in enumerate(words)
            if word.startswith("-") and not word.startswith("--") and word.endswith("c")
        ),
        None,
    )
    if not shell or script is None or script >= len(words):
        yield words
        return
    text, field = words[script]
    statement: list[tuple[str, str]] = []
    for token in _tokens(text):
        if set(token) <= set(_SEPARATORS):
            yield statement
            statement = []
        else:
            statement.append((token, field))
    yield statement


def _tokens(script: str) -> Sequence[str]:
    """Return the words and separators of a shell script; nothing where its quotes are open."""
    if len(script) > _SCRIPT_MAX:
        return ()
    lexer = shlex.shlex(script.replace("\\\n", " "), posix=True, punctuation_chars=_SEPARATORS)
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        return ()


def _launch(words: Sequence[tuple[str, str]]) -> Launch | None:
    """Return the launch in one command line, None where it starts no ranks."""
    for index, (word, field) in enumerate(words):
        if word.startswith("#"):
            return None
        program = word.rpartition("/")[2]
        if program in PROGRAMS:
            return Launch(program, field, tuple(_segments(words[index + 1 :])))
    return None


def _segments(words: Sequence[tuple[str, str]]) -> Iterator[tuple[Option, ...]]:
    """Yield the options of each part of a launch."""
    part: list[tuple[str, str]] = []
    for word in words:
        if word[0] == ":":
            yield tuple(_options(part))
            part = []
        else:
            part.append(word)
    yield tuple(_options(part))


def _options(words: Sequence[tuple[str, str]]) -> Iterator[Option]:
    """Yield the options that stand before the program."""
    index = 0
    while index < len(words):
        word, field = words[index]
        if not word.startswith("-") or word in ("-", "--"):
            return
        name, equals, value = word.lstrip("-").partition("=")
        index += 1
        if equals:
            yield Option(name, (value,), field)
            continue
        arity = 2 if name in _TWO_VALUES else 1 if name in _ONE_VALUE else 0
        values = words[index : index + arity]
        if len(values) < arity:
            return
        yield Option(name, tuple(text for text, _ in values), values[0][1] if values else field)
        index += arity
