"""Moments go to text and back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.cluster.times import moment, stamp


def test_a_moment_is_written_in_whole_seconds():
    assert stamp(datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)) == "2026-01-02T03:04:05Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_was_written_is_read(at):
    assert moment(stamp(at)) == at.replace(microsecond=0)


def test_what_is_no_moment_is_refused():
    with pytest.raises(ValueError, match="Invalid isoformat string"):
        moment("yesterday")
