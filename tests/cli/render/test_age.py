"""Durations read as kubectl writes them."""

from datetime import UTC, datetime, timedelta

import pytest

from mpijob.cli.render.age import age, between, duration, moment

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

DURATIONS = {
    "nothing": (0, "0s"),
    "the future is now": (-5, "0s"),
    "seconds below two minutes": (119, "119s"),
    "minutes and seconds below ten minutes": (125, "2m5s"),
    "no zero seconds": (180, "3m"),
    "minutes below three hours": (3 * 3600 - 1, "179m"),
    "hours and minutes below eight hours": (3 * 3600 + 60, "3h1m"),
    "hours below two days": (47 * 3600 + 59, "47h"),
    "days and hours below eight days": (2 * 86400 + 3600, "2d1h"),
    "days below two years": (700 * 86400, "700d"),
    "years and days below eight years": (3 * 365 * 86400 + 86400, "3y1d"),
    "years": (9 * 365 * 86400, "9y"),
}


@pytest.mark.parametrize(("seconds", "want"), DURATIONS.values(), ids=DURATIONS)
def test_a_duration(seconds, want):
    assert duration(seconds) == want


def test_an_age_is_the_time_since():
    assert age(NOON, NOON + timedelta(minutes=3)) == "3m"


def test_an_age_of_nothing_is_unknown():
    assert age(None, NOON) == "<unknown>"


def test_what_has_not_ended_lasts_until_now():
    assert between(NOON, None, NOON + timedelta(seconds=7)) == "7s"


def test_what_never_started_took_no_time():
    assert between(None, NOON, NOON) == ""


def test_a_moment_is_in_utc():
    assert moment(NOON) == "2026-01-01 12:00:00 UTC"
