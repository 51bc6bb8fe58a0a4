"""Metrics, as they are scraped."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mpijob.cluster.store import Store
from mpijob.core.config import Config
from mpijob.core.plan import Kind
from mpijob.core.report import next_status
from mpijob.core.status import JobStatus
from mpijob.engine.control import Engine, Outside
from mpijob.kube.client import Client
from mpijob.kube.config import Connection
from mpijob.kube.credentials import Anonymous
from mpijob.kube.metrics import metrics
from mpijob.ports import Change, ChangeType
from mpijob.testing.memory import MemoryObjects
from mpijob.testing.worlds import NOON, fresh, job


class NoKeys:
    """Draws nothing."""

    async def draw(self, content, key_type, job):
        return {}


def operator():
    outside = Outside(MemoryObjects(Store(), lambda: NOON), NoKeys(), lambda: NOON)
    client = Client(Connection("http://127.0.0.1:1", None, Anonymous()))
    return Engine(outside, Config()), client


def scraped(engine, client, *, leads=True):
    return metrics(engine, client, lambda: leads)().decode()


def manifest(status):
    template = {"spec": {"containers": [{"name": "mpi", "image": "x"}]}}
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": "pi", "namespace": "default", "uid": "u", "resourceVersion": "1"},
        "spec": {"mpiReplicaSpecs": {"Launcher": {"replicas": 1, "template": template}}},
        "status": status,
    }


@pytest.mark.parametrize(
    "name",
    [
        "mpi_operator_jobs_created_total 1.0",
        "mpi_operator_jobs_successful_total 0.0",
        "mpi_operator_jobs_failed_total 0.0",
        "mpi_operator_is_leader 1.0",
        "mpijob_queue_depth 0.0",
        'mpijob_api_requests_total{code="200",verb="GET"} 3.0',
        'mpijob_looks_total{result="done"} 1.0',
        'mpijob_look_seconds_bucket{le="+Inf"} 1.0',
        'mpijob_start_seconds_bucket{le="+Inf",phase="workers"} 0.0',
    ],
)
def test_a_scrape_has(name):
    engine, client = operator()
    engine.tally.told(JobStatus(), next_status(fresh(job()), NOON), NOON)
    engine.tally.looked("done", 0.1)
    client.requests["GET", 200] = 3
    assert name in scraped(engine, client)


def test_a_jobs_series_goes_with_the_job_defect_24():
    engine, client = operator()
    here = manifest({"replicaStatuses": {"Launcher": {"active": 1}}})
    series = 'mpi_operator_job_info{launcher="pi-launcher",namespace="default"} 1.0'
    engine.cache.apply(Kind.MPI_JOB, Change(ChangeType.ADDED, here))
    before = series in scraped(engine, client)
    engine.cache.apply(Kind.MPI_JOB, Change(ChangeType.DELETED, here))
    assert (before, series in scraped(engine, client)) == (True, False)


def test_a_scrape_is_what_prometheus_reads():
    engine, client = operator()
    here = manifest({"replicaStatuses": {"Launcher": {"active": 1}}})
    engine.cache.apply(Kind.MPI_JOB, Change(ChangeType.ADDED, here))
    told = list(text_string_to_metric_families(scraped(engine, client)))
    [info] = [family for family in told if family.name == "mpi_operator_job_info"]
    [sample] = info.samples
    assert len({family.name for family in told}) == len(told)
    assert (info.type, sample.labels, sample.value) == (
        "gauge",
        {"launcher": "pi-launcher", "namespace": "default"},
        1.0,
    )
