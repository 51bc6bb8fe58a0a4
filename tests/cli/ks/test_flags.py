"""How the words of `ks generate` are read."""

import pytest

from mpijob.cli.ks.flags import Words, read
from mpijob.cli.trouble import Trouble

KNOWN = ("image", "exec", "args")
EXEC = "mpiexec -n 4 --tag-output sh -c 'echo \"$PATH\"'"

CASES = {
    "names and flags in any order": (
        ["a", "--image", "i", "b"],
        Words(("a", "b"), {"image": "i"}),
    ),
    "a value behind an equals sign": (["--image=i=j"], Words((), {"image": "i=j"})),
    "a value that looks like a flag": (["--args", "--a,--b=1"], Words((), {"args": "--a,--b=1"})),
    "a value with spaces, quotes and dollars": (["--exec", EXEC], Words((), {"exec": EXEC})),
    "a value of nothing": (["--exec", "", "--image="], Words((), {"exec": "", "image": ""})),
    "the last of several": (["--image", "i", "--image", "j"], Words((), {"image": "j"})),
    "what is no flag after two dashes": (["--", "--image"], Words(("--image",), {})),
    "help": (["a", "--help"], Words((), {}, asks_for_help=True)),
    "help as a value": (["--args", "--help"], Words((), {"args": "--help"})),
}


@pytest.mark.parametrize(("words", "found"), CASES.values(), ids=CASES)
def test_words_are_sorted_into(words, found):
    assert read(words, KNOWN) == found


WRONG = {
    "a flag at the end": (["--image"], "--image has no value"),
    "a flag whose variable was empty": (["--image", "--exec", "x"], "--image has no value"),
    "a flag whose variable was empty, before one with an equals sign": (
        ["--image", "--exec=x"],
        "--image has no value",
    ),
    "a flag with one dash": (["-image", "i"], "-image: there is no such flag"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_meant_is_refused(words, said):
    with pytest.raises(Trouble, match=said):
        read(words, KNOWN)
