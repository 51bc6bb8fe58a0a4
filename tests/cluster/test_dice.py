"""Uids and endings of names are drawn from the dice that are handed in."""

from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from mpijob.cluster.dice import ALPHABET, suffix, uid

SEEDS = st.integers(0, 2**64)


@given(SEEDS)
def test_a_uid_is_a_uuid_of_version_4(seed):
    drawn = UUID(uid(Random(seed)))
    assert (drawn.version, drawn.variant) == (4, "specified in RFC 4122")


@given(SEEDS)
def test_an_ending_is_five_letters_that_make_no_word(seed):
    drawn = suffix(Random(seed))
    assert (len(drawn), set(drawn) <= set(ALPHABET)) == (5, True)


@given(SEEDS)
def test_the_same_dice_draw_the_same(seed):
    assert uid(Random(seed)) == uid(Random(seed))
