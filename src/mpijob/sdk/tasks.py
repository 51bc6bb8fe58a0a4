"""`@task(task_config=MPIJob(…))`: a function that runs as an MPI job when it is called."""

import functools
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar

from msgspec import Struct, field

from mpijob.api.new_job import named_after
from mpijob.sdk import task_config
from mpijob.sdk.job import Wanted, rank_count
from mpijob.sdk.launcher_output import to_stdout
from mpijob.sdk.rank import INSIDE
from mpijob.sdk.task_config import Resources, TaskConfig
from mpijob.sdk.waiting import waited

P = ParamSpec("P")
R = TypeVar("R")


class Terms(Struct, frozen=True):
    """All that the decorator says of a task, but for its function."""

    task_config: TaskConfig
    requests: Resources | None = None
    limits: Resources | None = None
    retries: int = 0
    timeout_s: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    container_image: str = ""


class Task(Generic[P, R]):
    """A function that runs on the ranks of a job. Called inside of one, it just runs."""

    def __init__(self, function: Callable[P, R], terms: Terms) -> None:
        """Not for callers: see `task`."""
        self.function = function
        self.terms = terms
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what rank 0 returns.

        Raises:
            Exception: What the function raised on the first rank that failed; its cause is a
                `RankFailed`, which says where.
            JobError: The job failed otherwise.

        """
        if os.environ.get(INSIDE):
            return self.function(*args, **kwargs)
        result: R = self._called(args, kwargs, all_ranks=False)[0]
        return result

    def all_ranks(self, *args: P.args, **kwargs: P.kwargs) -> list[R]:
        """Return what the ranks return, in their order. Raises as a plain call does."""
        return self._called(args, kwargs, all_ranks=True)

    def _called(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, all_ranks: bool
    ) -> list[Any]:
        from mpijob.sdk.local_call import LocalCall
        from mpijob.sdk.shipping import Call

        wanted = self._wanted()
        call = Call(
            wanted.name, self.function, args, kwargs, rank_count(wanted), all_ranks=all_ranks
        )
        return waited(LocalCall(call, wanted, to_stdout).results)

    def _wanted(self) -> Wanted:
        terms = self.terms
        return Wanted(
            name=named_after([self.function.__name__]),
            config=terms.task_config,
            program=(),
            requests=terms.requests,
            limits=terms.limits,
            image=terms.container_image,
            environment={"PYTHONUNBUFFERED": "1", **terms.environment},
            timeout_s=terms.timeout_s,
        )


def task(  # noqa: PLR0913  # Its parameters are those of Flyte's decorator.
    *,
    task_config: TaskConfig,
    requests: Resources | None = None,
    limits: Resources | None = None,
    retries: int = 0,
    cache: bool = False,
    cache_version: str = "",
    timeout: timedelta | int = 0,
    environment: Mapping[str, str] | None = None,
    container_image: str | None = None,
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Return the decorator that makes a function a task.

    Args:
        task_config: How many workers and slots: the function runs once in each slot.
        requests: What each worker asks for.
        limits: What each worker gets at most.
        retries: How often it is tried again where it fails, each time as a new job.
        cache: Whether a result is kept and returned again for equal inputs.
        cache_version: Part of what results are kept by: a new one forgets them.
        timeout: How long one attempt may take, in seconds; 0 for as long as it takes.
        environment: Variables of every rank.
        container_image: On a cluster, the image that launcher and workers run.

    Raises:
        ValueError: The terms contradict each other, or are not enough.

    """
    _check(task_config, retries, cache=cache, cache_version=cache_version)
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    terms = Terms(
        task_config,
        requests,
        limits,
        retries,
        int(seconds) or None,
        dict(environment or {}),
        container_image or "",
    )
    return lambda function: Task(function, terms)


def _check(config: TaskConfig, retries: int, *, cache: bool, cache_version: str) -> None:
    """Raise ValueError for terms that cannot be met."""
    task_config.check(config)
    task_config.worker_count(config)
    task_config.slot_count(config)
    if retries < 0:
        raise ValueError(f"retries={retries}: a task cannot be tried less than once")
    if cache and not cache_version:
        raise ValueError("cache=True needs a cache_version, which tells old results from new ones")
