"""Which inputs count as equal, and what is kept of their results."""

import asyncio
import subprocess
import sys

import pytest

from mpijob.sdk.kept import fingerprint, kept

EQUAL = {
    "mappings in another order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "sets in another order": ({"a", "b", "c"}, {"c", "b", "a"}),
    "a value twice, and an equal one": ([(1,), (1,)], [*[(1,)] * 2]),
}
OTHER = {
    "a number and its text": (1, "1"),
    "a list and a tuple": ([1], (1,)),
    "another nesting": ([[1], 2], [1, [2]]),
    "true and one": (True, 1),
    "a list of two and a text": (["a", "b"], "ab"),
}


@pytest.mark.parametrize(("one", "two"), EQUAL.values(), ids=EQUAL)
def test_these_count_as_equal(one, two):
    assert fingerprint(one) == fingerprint(two)


@pytest.mark.parametrize(("one", "two"), OTHER.values(), ids=OTHER)
def test_these_do_not(one, two):
    assert fingerprint(one) != fingerprint(two)


def test_inputs_count_as_equal_in_another_process():
    # Which orders sets of text anew.
    code = "from mpijob.sdk.kept import fingerprint; print(fingerprint({'a', 'b', 'c', 'd'}))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == fingerprint({"a", "b", "c", "d"})


def made(folder, name, value):
    """Return what is kept under a name, made of `value` where nothing is."""

    async def make():
        if isinstance(value, Exception):
            raise value
        return value

    return asyncio.run(kept(folder, name, make))


def test_what_was_kept_first_is_returned(tmp_path):
    assert [made(tmp_path, "a", 1), made(tmp_path, "a", 2)] == [1, 1]


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(LookupError):
        made(tmp_path, "a", LookupError())
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_any_longer_is_made_anew(tmp_path):
    (tmp_path / "a").write_bytes(b"no pickle")
    assert [made(tmp_path, "a", 1), made(tmp_path, "a", 2)] == [1, 1]
