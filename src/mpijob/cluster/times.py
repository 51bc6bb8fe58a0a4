"""Moments as Kubernetes writes them: RFC 3339, UTC, whole seconds."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=1024)
def stamp(moment: datetime) -> str:
    """Return a UTC moment as text, without its fraction of a second."""
    return f"{moment.replace(tzinfo=None, microsecond=0).isoformat()}Z"


@lru_cache(maxsize=1024)
def moment(text: str) -> datetime:
    """Return the moment that `stamp` wrote. Raises ValueError on anything else."""
    return datetime.fromisoformat(text).astimezone(UTC)
