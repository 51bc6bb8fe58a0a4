"""What is seen around a job beyond what its operator decides on: events, last words, the time."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field


class Notice(Struct, frozen=True):
    """What somebody told of an object, in an Event: of which (`uid`), why, and in which words."""

    kind: str
    name: str
    uid: str
    reason: str
    message: str
    at: datetime | None = None


class Circumstances(Struct, frozen=True):
    """What a person would look at next who wants to know why a job does not run.

    Args:
        notices: What was told of the job, its launcher and its pods, the oldest first.
        last_words: The end of what a pod's container wrote, by the pod's name.
        queue: The queue that admits the job, "" for none.
        now: The time of the look, UTC; None where it is not known.

    """

    notices: tuple[Notice, ...] = ()
    last_words: Mapping[str, str] = field(default_factory=dict)
    queue: str = ""
    now: datetime | None = None

    def told(self, uid: str, *reasons: str) -> Notice | None:
        """Return the latest notice of an object for one of these reasons; None where none is."""
        for notice in reversed(self.notices):
            if notice.uid == uid and notice.reason in reasons:
                return notice
        return None

    def is_older(self, created_at: datetime | None, seconds: float) -> bool:
        """Say whether something was made so many seconds ago; no where that is not known."""
        if self.now is None or created_at is None:
            return False
        return (self.now - created_at).total_seconds() >= seconds


NOTHING_KNOWN = Circumstances()
