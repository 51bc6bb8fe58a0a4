"""`mpijob sim`: try the operator in simulated clusters with every kind of bad luck."""

import os
import sys
from collections.abc import Iterator

import click

from mpijob.cli import exits
from mpijob.cli.trouble import Trouble

#: How many histories a process plays before it tells how they went: few, so that all processes
#: are at work until the end.
_BATCH = 5


@click.command("sim")
@click.option("--seed", type=int, help="Play the history of this seed alone.")
@click.option("--trace", is_flag=True, help="With --seed: print the history.")
@click.option(
    "--shrink", is_flag=True, help="With --seed: leave out what it does not take to fail."
)
@click.option("--seeds", type=click.IntRange(1), default=300, show_default=True, help="How many.")
@click.option("--from", "first", type=int, default=0, show_default=True, help="The first seed.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=lambda: len(os.sched_getaffinity(0)),
    show_default="one a core",
    help="Processes.",
)
def command(
    seed: int | None,
    trace: bool,  # noqa: FBT001  # The signature is click's.
    shrink: bool,  # noqa: FBT001
    seeds: int,
    first: int,
    jobs: int,
) -> int:
    """Play histories of simulated clusters, and say which of them go wrong.

    A seed is one history: a job, its operators, people and faults, all drawn from it. Whatever
    happens, the job must come to rest in the right place. Exits 1 where a history goes wrong, and
    names the command that plays it again.
    """
    from mpijob.sim.process import prepare

    prepare()
    if seed is not None:
        return _one(seed, trace=trace, shrink=shrink)
    if trace or shrink:
        raise Trouble("--trace and --shrink are for one history: --seed", code=exits.INVALID)
    return _many(range(first, first + seeds), jobs)


def _one(seed: int, *, trace: bool, shrink: bool) -> int:
    """Play the history of one seed, and print it where it is asked for."""
    from mpijob.sim.history import failure_of, script, trace_of
    from mpijob.sim.shrink import shrunk

    written = script(seed)
    failure = failure_of(written)
    if failure and shrink:
        written = shrunk(written, lambda part: failure_of(part) == failure)
    if trace:
        click.echo("\n".join(trace_of(written)))
    if not failure:
        click.echo(f"seed {seed}: no property is broken")
        return exits.OK
    click.echo(f"seed {seed}: {failure}")
    return exits.FAILED


def _many(seeds: range, jobs: int) -> int:
    """Play the histories of many seeds, tell how far they are, and sum up."""
    from time import monotonic

    begun_at, done, failed = monotonic(), 0, 0
    for count, failures in _batches(seeds, jobs):
        done += count
        failed += len(failures)
        _progress(done, len(seeds), failed)
        for seed, failure in failures.items():
            click.echo(f"seed {seed}: {failure}\n    mpijob sim --seed {seed} --shrink --trace")
    rate = done / max(monotonic() - begun_at, 1e-9)
    what = f"{failed} of {done:,}" if failed else f"{done:,}"
    verdict = "broke a property" if failed else "broke no property"
    click.echo(f"{what} histories, seeds {seeds[0]} to {seeds[-1]}, {verdict} ({rate:.0f}/s)")
    return exits.FAILED if failed else exits.OK


def _batches(seeds: range, jobs: int) -> Iterator[tuple[int, dict[int, str]]]:
    """Yield how many histories were played, and what broke in them, a batch at a time."""
    from mpijob.sim.history import failures

    batches = [seeds[begin : begin + _BATCH] for begin in range(0, len(seeds), _BATCH)]
    if jobs == 1:
        for batch in batches:
            yield len(batch), failures(batch)
        return
    from concurrent.futures import ProcessPoolExecutor

    from mpijob.sim.process import prepare

    with ProcessPoolExecutor(jobs, initializer=prepare) as pool:
        yield from zip(map(len, batches), pool.map(failures, batches), strict=True)


def _progress(done: int, total: int, failed: int) -> None:
    """Say on a terminal how far it is, and clear the line for what comes next."""
    if sys.stderr.isatty():
        end = "\r\x1b[K" if done == total or failed else "\r"
        click.echo(f"\r{done:,} of {total:,} histories{end}", nl=False, err=True)
