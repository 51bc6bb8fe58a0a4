"""`@task(task_config=MPIJob(…))`: a function that runs as an MPI job when it is called."""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from math import ceil
from typing import Any, Generic, ParamSpec, TypeVar

from msgspec.structs import replace

from mpijob.sdk import task_config as flyte
from mpijob.sdk.calling import Calling, Terms
from mpijob.sdk.launcher_output import to_stdout
from mpijob.sdk.rank import INSIDE
from mpijob.sdk.task_config import Resources, TaskConfig
from mpijob.sdk.waiting import waited
from mpijob.sdk.where import Where

P = ParamSpec("P")
R = TypeVar("R")


class Task(Generic[P, R]):
    """A function that runs on the ranks of a job. Called inside of one, it just runs."""

    def __init__(self, function: Callable[P, R], terms: Terms) -> None:
        """Not for callers: see `task`."""
        self.function = function
        self.terms = terms
        functools.update_wrapper(self, function)

    def __reduce__(self) -> str:
        """Return the name by which other processes of this machine find the same task."""
        return self.function.__qualname__

    @property
    def task_config(self) -> TaskConfig:
        """How many workers and slots."""
        return self.terms.task_config

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what rank 0 returns.

        Raises:
            Exception: What the function raised on the first rank that failed; its cause is a
                `RankFailed`, which says where.
            JobError: The job failed otherwise.

        """
        if os.environ.get(INSIDE):
            return self.function(*args, **kwargs)
        result: R = waited(self.calling(args, kwargs).results)[0]
        return result

    def all_ranks(self, *args: P.args, **kwargs: P.kwargs) -> list[R]:
        """Return what the ranks return, in their order. Raises as a plain call does."""
        return waited(self.calling(args, kwargs, all_ranks=True).results)

    async def run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what rank 0 returns, for code that runs a loop. Raises as a plain call does."""
        result: R = (await self.calling(args, kwargs).results())[0]
        return result

    def on(self, where: Where) -> "Task[P, R]":
        """Return the same task, to run elsewhere: on a `Cluster(…)`, or `Here(mpi="mpich")`."""
        return Task(self.function, replace(self.terms, where=where))

    def calling(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], *, all_ranks: bool = False
    ) -> Calling:
        """Return a call of this task, which is not made yet."""
        return Calling(self.function, self.terms, args, kwargs, to_stdout, all_ranks=all_ranks)

    def get_command(self, entrypoint: str = flyte.ENTRYPOINT) -> list[str]:
        """Return the arguments of the task's container on Flyte, as its plugin makes them."""
        base = flyte.base_command(self.function.__module__, self.function.__name__)
        return flyte.get_command(self.terms.task_config, base, entrypoint)

    def get_custom(self) -> dict[str, Any]:
        """Return the task's payload for Flyte's backend, as its plugin makes it."""
        return flyte.get_custom(self.terms.task_config)


def task(  # noqa: PLR0913  # Its parameters are those of Flyte's decorator.
    *,
    task_config: TaskConfig,
    requests: Resources | None = None,
    limits: Resources | None = None,
    resources: Resources | None = None,
    retries: int = 0,
    cache: bool = False,
    cache_version: str = "",
    timeout: timedelta | float = 0,
    environment: Mapping[str, str] | None = None,
    container_image: str | None = None,
    packages_to_install: Sequence[str] = (),
    as_source: bool = False,
    where: Where | None = None,
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Return the decorator that makes a function a task.

    Args:
        task_config: How many workers and slots: the function runs once in each slot.
        requests: What each worker asks for.
        limits: What each worker gets at most.
        resources: Both in one, with pairs as in `Resources(cpu=("1", "2"))`.
        retries: How often it is tried again where it fails, each time as a new job.
        cache: Whether a result is kept and returned again for equal inputs.
        cache_version: Part of what results are kept by: a new one forgets them.
        timeout: How long one attempt may take, in seconds; 0 for as long as it takes.
        environment: Variables of every rank.
        container_image: On a cluster, the image that launcher and workers run.
        packages_to_install: What pip installs for the ranks before the function is called.
        as_source: Whether the function goes as its own text, which any Python can compile; it then
            has nothing from around it, and imports what it needs.
        where: Where it runs: `Here()`, or on a `Cluster(…)`; else $MPIJOB_CLUSTER says so.

    Raises:
        ValueError: The terms contradict each other, or are not enough.

    """
    _check(task_config, retries, cache=cache, cache_version=cache_version)
    requests, limits = flyte.requests_and_limits(resources, requests, limits)
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    terms = Terms(
        task_config=task_config,
        requests=requests,
        limits=limits,
        retries=retries,
        cache_version=cache_version if cache else "",
        timeout_s=ceil(seconds) or None,
        environment=dict(environment or {}),
        container_image=container_image or "",
        packages=tuple(packages_to_install),
        as_source=as_source,
        where=where,
    )
    return lambda function: Task(function, terms)


def _check(config: TaskConfig, retries: int, *, cache: bool, cache_version: str) -> None:
    """Raise ValueError for terms that cannot be met."""
    flyte.check(config)
    flyte.worker_count(config)
    flyte.slot_count(config)
    if retries < 0:
        raise ValueError(f"retries={retries}: a task cannot be tried less than once")
    if cache and not cache_version:
        raise ValueError("cache=True needs a cache_version, which tells old results from new ones")
