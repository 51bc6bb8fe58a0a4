"""The decision: how long one look at a large job takes."""

from time import process_time

from msgspec.structs import replace

from measure import benchmark, medians_s
from mpijob.core.reconcile import reconcile
from mpijob.core.report import next_status
from mpijob.testing.worlds import CONFIG, fresh, job, running, seconds_later

WORKER_COUNT = 1000
LATER = seconds_later(60)


@benchmark("core/reconcile-1000-workers", "ms", "at most 5 ms", lambda ours, _: ours <= 5)
def at_rest() -> tuple[float, float]:
    """Measure the look at a job that runs as it should, beside reading its pods once.

    This is the look that is taken most: something was told, and nothing is to be done.
    """
    world = running(job(WORKER_COUNT))
    status = next_status(world, LATER)
    world = replace(world, job=replace(world.job, status=status))
    if reconcile(world, LATER, CONFIG).stages:
        raise RuntimeError("this world is not at rest: something is to be done in it")
    ours, floor = medians_s(
        lambda: reconcile(world, LATER, CONFIG),
        lambda: [(pod.name, pod.phase, pod.ready, pod.index) for pod in world.workers],
        rounds=101,
        clock=process_time,
    )
    return ours * 1000, floor * 1000


@benchmark("core/create-1000-workers", "ms", "none", lambda _, __: True)
def created() -> tuple[float, float]:
    """Measure the look at a new job, which makes every child, beside copying as many templates."""
    made = job(WORKER_COUNT)
    world = fresh(made)
    template = made.worker.template if made.worker else {}
    ours, floor = medians_s(
        lambda: reconcile(world, LATER, CONFIG),
        lambda: [{**template, "spec": {**template["spec"]}} for _ in range(WORKER_COUNT)],
        rounds=21,
        clock=process_time,
    )
    return ours * 1000, floor * 1000
