"""Names of jobs, as Flyte generates them."""

import pytest

from mpijob.flyte.generated_name import _base32, _fnv32a, generated_name

NAMES = {
    "short": (("f3a1", "n0", 2), "f3a1-n0-2"),
    "as long as may be": (("f" * 40, "n000000", 0), f"{'f' * 40}-n000000-0"),
}


@pytest.mark.parametrize(("parts", "want"), NAMES.values(), ids=NAMES)
def test_a_name_is_made_of_its_parts(parts, want):
    assert generated_name(*parts) == want


def test_a_name_that_would_be_too_long_is_a_digest():
    names = {generated_name("f" * 41, "n000000", attempt) for attempt in range(3)}
    assert [(len(name), name[0]) for name in names] == [(8, "f")] * 3


def test_the_digest_is_flytes():
    """FNV-1a's own test vector, "foobar", in Flyte's alphabet: 0xBF9CF968."""
    assert (_fnv32a(b"foobar"), _base32(0)) == (0xBF9CF968, "aaaaaaa")
