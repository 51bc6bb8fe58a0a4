"""The operator's metrics: mpi-operator's names, and what those do not tell.

They are made when they are asked for, from numbers that the engine and the client keep anyway.
A job's series goes with the job.
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mpijob.core import names
from mpijob.core.job import MPIJob
from mpijob.engine.control import Engine
from mpijob.engine.tally import Histogram
from mpijob.kube.client import Client


class OperatorCollector(Collector):
    """Reads an operator's numbers."""

    def __init__(self, engine: Engine, client: Client, leads: Callable[[], bool]) -> None:
        self._engine = engine
        self._client = client
        self._leads = leads

    def collect(self) -> Iterator[Metric]:
        """Yield every metric.

        Source: `metrics` of mpi-operator v0.8.2, for those named `mpi_operator_…`.
        """
        tally = self._engine.tally
        for name, value, text in (
            ("mpi_operator_jobs_created", tally.created, "MPI jobs created"),
            ("mpi_operator_jobs_successful", tally.succeeded, "MPI jobs that succeeded"),
            ("mpi_operator_jobs_failed", tally.failed, "MPI jobs that failed"),
            ("mpijob_job_restarts", tally.restarts, "Launchers restarted for a dead worker"),
        ):
            yield CounterMetricFamily(name, text, value)
        yield GaugeMetricFamily("mpi_operator_is_leader", "Whether it acts", int(self._leads()))
        yield self._job_info()
        yield GaugeMetricFamily(
            "mpijob_queue_depth", "Jobs that wait to be looked at", self._engine.due_count
        )
        looks = CounterMetricFamily("mpijob_looks", "Looks at a job", labels=["result"])
        for result, count in tally.looks.items():
            looks.add_metric([result], count)
        yield looks
        looked = HistogramMetricFamily("mpijob_look_seconds", "How long a look at a job took")
        looked.add_metric([], *_cumulated(tally.look_s))
        yield looked
        started = HistogramMetricFamily(
            "mpijob_start_seconds",
            "From a job's start until all its workers run, and until its launcher does",
            labels=["phase"],
        )
        for phase, told in tally.start_s.items():
            started.add_metric([phase], *_cumulated(told))
        yield started
        requests = CounterMetricFamily(
            "mpijob_api_requests", "Requests to the API server", labels=["verb", "code"]
        )
        for (verb, code), count in self._client.requests.items():
            requests.add_metric([verb, str(code)], count)
        yield requests

    def _job_info(self) -> Metric:
        info = GaugeMetricFamily(
            "mpi_operator_job_info", "A job and its launcher", labels=["launcher", "namespace"]
        )
        for key, job in self._engine.cache.jobs.items():
            if isinstance(job, MPIJob) and job.status.launcher is not None:
                info.add_metric([names.launcher(key.name), key.namespace], 1)
        return info


def registry(engine: Engine, client: Client, leads: Callable[[], bool]) -> CollectorRegistry:
    """Return a registry of an operator's metrics and those of its process."""
    made = CollectorRegistry()
    made.register(OperatorCollector(engine, client, leads))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=made)
    return made


def _cumulated(told: Histogram) -> tuple[list[tuple[str, float]], float]:
    """Return the buckets as Prometheus counts them, each with those below it, and the sum."""
    total, buckets = 0, []
    for bound, count in zip((*told.bounds, float("inf")), told.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else repr(bound), float(total)))
    return buckets, told.sum
