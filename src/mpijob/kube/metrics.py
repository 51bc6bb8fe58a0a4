"""The operator's metrics: mpi-operator's names, and what those do not tell.

They are made when they are asked for, from numbers that the engine and the client keep anyway.
A job's series goes with the job.
"""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mpijob.core import names
from mpijob.core.job import Key, MPIJob, Rejected
from mpijob.engine.control import Engine
from mpijob.engine.tally import Histogram
from mpijob.kube.client import Client

_JOB_INFO = "mpi_operator_job_info"


class OperatorCollector(Collector):
    """Reads an operator's numbers."""

    def __init__(self, engine: Engine, client: Client, leads: Callable[[], bool]) -> None:
        self._engine = engine
        self._client = client
        self._leads = leads

    def collect(self) -> Iterator[Metric]:
        """Yield every metric but the one that has a series a job.

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


def metrics(engine: Engine, client: Client, leads: Callable[[], bool]) -> Callable[[], bytes]:
    """Return what makes the text of an operator's metrics, and of its process's, as they are."""
    made = CollectorRegistry()
    made.register(OperatorCollector(engine, client, leads))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=made)
    return lambda: generate_latest(made) + _job_info(engine.cache.jobs).encode()


def _job_info(jobs: Mapping[Key, MPIJob | Rejected]) -> str:
    """Return a line for each job that has a launcher.

    Written here: the library takes twenty times as long, for thousands of jobs a tenth of a second
    in which nothing else happens. What names of objects are made of needs no escape.
    """
    lines = [f"# HELP {_JOB_INFO} A job and its launcher\n# TYPE {_JOB_INFO} gauge\n"]
    for key, job in jobs.items():
        if isinstance(job, MPIJob) and job.status.launcher is not None:
            launcher = names.launcher(key.name)
            lines.append(f'{_JOB_INFO}{{launcher="{launcher}",namespace="{key.namespace}"}} 1.0\n')
    return "".join(lines)


def _cumulated(told: Histogram) -> tuple[list[tuple[str, float]], float]:
    """Return the buckets as Prometheus counts them, each with those below it, and the sum."""
    total, buckets = 0, []
    for bound, count in zip((*told.bounds, float("inf")), told.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else repr(bound), float(total)))
    return buckets, told.sum
