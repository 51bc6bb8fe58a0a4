"""What is drawn: uids and the endings of generated names. The dice themselves are an argument."""

from typing import Protocol

#: The letters of generated names: no vowels, so no words, and nothing that looks like another.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX_LENGTH = 5


class Dice(Protocol):
    """A source of random bits: `random.Random(seed)`, or the system's."""

    def getrandbits(self, k: int, /) -> int:
        """Return `k` random bits as a number."""
        ...


def uid(dice: Dice) -> str:
    """Return a random uid, spelled as a UUID of version 4."""
    text = f"{dice.getrandbits(128):032x}"
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def suffix(dice: Dice) -> str:
    """Return five letters that complete a generated name."""
    number = dice.getrandbits(64)
    letters = []
    for _ in range(SUFFIX_LENGTH):
        number, index = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[index])
    return "".join(letters)
