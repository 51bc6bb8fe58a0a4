"""What workers may use, beside what their slots and the job's end ask of it."""

from collections.abc import Iterator

from mpijob.core.draft import LAUNCHER, WORKER, Draft
from mpijob.core.finding import Finding, advice, warning
from mpijob.core.job import CleanPodPolicy
from mpijob.core.lint.templates import Part, amount, gpus, main_container


def resource_findings(draft: Draft) -> Iterator[Finding]:
    """Yield where CPUs, GPUs and memory do not fit what the job does with them."""
    worker = main_container(draft, WORKER)
    if worker is not None:
        yield from _slot_findings(draft, worker)
        yield from _limit_findings(worker)
        yield from _clean_up_findings(draft, worker)
    launcher = main_container(draft, LAUNCHER)
    if launcher is not None and not draft.run_launcher_as_worker:
        resource, count = gpus(launcher)
        if count:
            yield warning(
                f"{launcher.path}.resources.limits[{resource}]",
                "the launcher runs no ranks, so that its GPUs stand idle",
                "Leave them to the workers, or set spec.runLauncherAsWorker.",
            )


def _slot_findings(draft: Draft, worker: Part) -> Iterator[Finding]:
    """Yield where a worker has other slots than CPUs or GPUs."""
    slots = draft.slots_per_worker or 0
    resource, count = gpus(worker)
    if count and slots != count:
        yield warning(
            f"{worker.path}.resources.limits[{resource}]",
            f"GPUs: {count}, slots: {slots}",
            f"One rank a GPU is usual: spec.slotsPerWorker: {count}.",
        )
    cpus = amount(worker, "cpu")
    if cpus is not None and slots > cpus:
        yield warning(
            f"{worker.path}.resources.limits[cpu]",
            f"{slots} ranks share {float(cpus):g} {'CPU' if cpus == 1 else 'CPUs'}",
            f"Limit it to {slots}, or lower spec.slotsPerWorker.",
        )


def _limit_findings(worker: Part) -> Iterator[Finding]:
    """Yield that a worker may use all of its node."""
    if not worker.part("resources").value.get("limits"):
        yield advice(
            f"{worker.path}.resources",
            "workers without limits share their nodes with whatever else runs there",
            "Set limits for cpu and memory.",
        )


def _clean_up_findings(draft: Draft, worker: Part) -> Iterator[Finding]:
    """Yield that finished jobs hold their GPUs."""
    if gpus(worker)[1] and draft.clean_pods == CleanPodPolicy.NONE.value:
        yield advice(
            "spec.runPolicy.cleanPodPolicy",
            "workers go on after the job has ended, and hold their GPUs",
            "Set it to Running.",
        )
