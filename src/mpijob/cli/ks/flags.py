"""The words of `mpijob ks generate`, whose flags are the parameters of a prototype."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from mpijob.cli import exits
from mpijob.cli.trouble import Trouble

HELP = ("-h", "--help")


class Words(Struct, frozen=True):
    """Words that are no flags, in order, and flags by their names without dashes."""

    plain: tuple[str, ...]
    flags: dict[str, str]
    asks_for_help: bool = False


def read(words: Sequence[str], known: Collection[str]) -> Words:
    """Return words sorted into flags and others.

    A flag's value follows in the same word, after `=`, or is the next one, dashes or not.

    Args:
        words: As typed.
        known: Names of flags: one of these is not taken for the value of the flag before it, as
            it would be where a shell's variable was empty.

    Raises:
        Trouble: A flag has no value, or is none.

    """
    plain: list[str] = []
    flags: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            plain += rest
            break
        if word in HELP:
            return Words((), {}, asks_for_help=True)
        if not word.startswith("-") or word == "-":
            plain.append(word)
            continue
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            raise Trouble(
                f"{word}: there is no such flag",
                hint="parameters have two dashes: --NAME VALUE",
                code=exits.INVALID,
            )
        if not equals:
            if not rest or _is_flag(rest[0], known):
                hint = f'--{name} VALUE, or --{name}="" for none'
                raise Trouble(f"--{name} has no value", hint=hint, code=exits.INVALID)
            value = rest.pop(0)
        flags[name] = value
    return Words(tuple(plain), flags)


def _is_flag(word: str, known: Collection[str]) -> bool:
    return word.startswith("--") and word[2:].partition("=")[0] in known
