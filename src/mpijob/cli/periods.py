"""Periods as kubectl takes them: `90`, `90s`, `5m`, `1h30m`."""

import re

import click

_PERIOD = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$")


class Period(click.ParamType[float]):
    """A length of time, read into seconds."""

    name = "period"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds, zero or more; fails with words where `value` is no period."""
        if isinstance(value, int | float):
            return float(value)
        match = _PERIOD.match(value.strip())
        if match is None or not value.strip():
            self.fail(f"“{value}” is no period, such as 90s, 5m or 1h30m", param, ctx)
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds
