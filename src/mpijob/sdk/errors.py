"""What can go wrong with a function that runs as a job, each with what happened and what to do."""


class JobError(Exception):
    """A job did not do what was asked of it."""


class NotShippable(JobError, TypeError):
    """The function, an argument or a result cannot be taken to another process and back."""


class RankFailed(JobError):
    """The function raised on a rank.

    It is the cause of the exception that the caller gets, which is the rank's own; where that one
    cannot be brought here, it is raised itself.

    Args:
        what: The rank's exception, as its traceback ends.
        rank: Which rank raised first.
        host: The host that it ran on.
        traceback: The rank's traceback, as Python prints it.

    """

    def __init__(self, what: str, rank: int, host: str, traceback: str) -> None:
        super().__init__(what, rank, host, traceback)
        self.what, self.rank, self.host, self.traceback = what, rank, host, traceback

    def __str__(self) -> str:
        """Return where it happened, and the rank's traceback."""
        told = self.traceback.rstrip() or self.what
        return f"on rank {self.rank}, host {self.host}:\n\n{told}"


class NoSuchJob(JobError, LookupError):
    """There is no job of that name."""


class JobFailed(JobError):
    """The job ended without the function having raised: the message says why, as far as known."""


class TimedOut(JobFailed, TimeoutError):
    """The job took longer than the task's `timeout`."""


class NoResult(JobFailed):
    """The job succeeded, but a rank left no result."""


class RanksDisagree(JobFailed):
    """The ranks are not those of one job: what they say of its size differs."""
