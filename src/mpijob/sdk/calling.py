"""A call of a task: looked up, tried, tried again, and kept."""

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from mpijob.api.new_job import named_after
from mpijob.core.job import Manifest
from mpijob.local.home import home_path
from mpijob.sdk import shipping
from mpijob.sdk.attempt import Attempt
from mpijob.sdk.errors import NotShippable
from mpijob.sdk.job import Wanted, rank_count
from mpijob.sdk.kept import fingerprint, kept
from mpijob.sdk.place import Place, opened
from mpijob.sdk.shipping import Call
from mpijob.sdk.task_config import Resources, TaskConfig
from mpijob.sdk.where import Where, meant


class Terms(Struct, frozen=True):
    """All that the decorator says of a task, but for its function.

    Args:
        task_config: Workers and slots.
        requests: What each worker asks for.
        limits: What each worker gets at most.
        retries: How often it is tried again where it fails.
        cache_version: What results are kept by, "" where they are not.
        timeout_s: How long an attempt may take, None for as long as it takes.
        environment: Variables of every rank.
        container_image: The image of launcher and workers on a cluster.
        packages: What pip installs before the function is called.
        as_source: Whether the function goes as its text, not as what was compiled of it.
        where: Where it runs; None asks the environment when it is called.

    """

    task_config: TaskConfig
    requests: Resources | None = None
    limits: Resources | None = None
    retries: int = 0
    cache_version: str = ""
    timeout_s: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    container_image: str = ""
    packages: Sequence[str] = ()
    as_source: bool = False
    where: Where | None = None


class Calling(Struct, frozen=True):
    """A task's function, its terms, and what it is called with."""

    function: Callable[..., Any]
    terms: Terms
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    write: Callable[[bytes], None]
    all_ranks: bool = False

    async def results(self) -> list[Any]:
        """Return the ranks' results, of this call or of an equal one before it.

        Raises:
            JobError: The last attempt failed, or nothing could be tried.
            BaseException: What the function raised in the last attempt.

        """
        if not self.terms.cache_version:
            return await self._tried()
        folder = home_path(os.environ, os.uname().nodename) / "results"
        found: list[Any] = await kept(folder, self._fingerprint(), self._tried)
        return found

    async def submitted(self, place: Place) -> Manifest:
        """Make the job of one attempt, which runs by itself, and return it."""
        return await self._attempt(place, self._pickled(), 0).submitted()

    # How it is done.

    async def _tried(self) -> list[Any]:
        """Return the results of the first attempt that succeeds."""
        content = self._pickled()
        async with opened(self.terms.where or meant()) as place:
            place.warm()
            for number in range(self.terms.retries):
                try:
                    return await self._attempt(place, content, number).results()
                except NotShippable:
                    raise
                except Exception as failure:  # noqa: BLE001  # Whatever the function raises.
                    told = f"{type(failure).__name__}: {failure}".partition("\n")[0]
                    of = self.terms.retries + 1
                    note(f"attempt {number + 1} of {of} failed, trying again: {told}")
            return await self._attempt(place, content, self.terms.retries).results()

    def _attempt(self, place: Place, content: bytes, number: int) -> Attempt:
        """Return attempt `number`, counted from 0."""
        environment = {**self.terms.environment, "MPIJOB_ATTEMPT": str(number)}
        call, wanted = self._call(), self._wanted()
        return Attempt(
            place,
            replace(call, environment=environment),
            content,
            replace(wanted, environment=environment),
            self.write,
            note,
        )

    def _pickled(self) -> bytes:
        return shipping.pickled(self._call())

    def _call(self) -> Call:
        wanted = self._wanted()
        return Call(
            wanted.name,
            self.function,
            self.args,
            self.kwargs,
            rank_count(wanted),
            all_ranks=self.all_ranks,
            packages=self.terms.packages,
            as_source=self.terms.as_source,
        )

    def _wanted(self) -> Wanted:
        terms = self.terms
        return Wanted(
            name=named_after([self.function.__name__]),
            config=terms.task_config,
            program=(),
            requests=terms.requests,
            limits=terms.limits,
            image=terms.container_image,
            timeout_s=terms.timeout_s,
        )

    def _fingerprint(self) -> str:
        """Return the name by which a result is kept: of the task, its version and its inputs."""
        given = inspect.signature(self.function).bind(*self.args, **self.kwargs)
        given.apply_defaults()
        try:
            inputs = fingerprint(dict(given.arguments))
        except Exception as unfit:
            raise NotShippable(
                f"{self.function.__qualname__} has cache=True, and its inputs cannot be told "
                f"from others, since they cannot be pickled: {unfit}"
            ) from unfit
        name = f"{_module(self.function)}.{self.function.__qualname__}"
        return fingerprint(name, self.terms.cache_version, inputs, self.all_ranks)


def _module(function: Callable[..., Any]) -> str:
    """Return the name of a function's module; of a script, that of its file."""
    if function.__module__ != "__main__":
        return function.__module__
    return Path(inspect.getfile(function)).stem


def note(text: str) -> None:
    """Say something of mpijob's own to whoever waits for a job."""
    print(f"note: {text}", file=sys.stderr, flush=True)  # noqa: T201  # For whoever waits for it.
