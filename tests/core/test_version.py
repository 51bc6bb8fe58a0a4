"""A job's pods are found by whatever was written to find them, whichever version it was for."""

import pytest
from msgspec.structs import replace

from mpijob.core import build, names
from mpijob.core.config import Config
from mpijob.core.job import Role
from mpijob.core.transport import setup
from mpijob.core.version import Version
from mpijob.testing import worlds

SELECTORS = {
    "v1alpha1 and v1alpha2": {"mpi_job_name": "pi", "mpi_role_type": "launcher"},
    "mpi-operator's v1": {"mpi-job-name": "pi", "mpi-job-role": "launcher"},
}


def written_in(version):
    made = worlds.job()
    return replace(made, identity=replace(made.identity, written_in=version))


def pods(job):
    """The labels of every pod of a job."""
    chosen = setup(job, Config(), None)
    launcher = build.launcher(job, Config(), chosen, suspended=False)["spec"]["template"]
    workers = [build.worker(job, index, Config(), chosen) for index in range(job.worker_count)]
    return [pod["metadata"]["labels"] for pod in (launcher, *workers)]


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("selector", SELECTORS.values(), ids=SELECTORS)
def test_every_versions_selector_finds_one_launcher(version, selector):
    found = [labels for labels in pods(written_in(version)) if labels.items() >= selector.items()]
    assert len(found) == 1


@pytest.mark.parametrize("version", Version)
def test_the_service_finds_every_pod(version):
    job = written_in(version)
    assert all(labels.items() >= names.selector(job).items() for labels in pods(job))


def test_the_training_operators_labels():
    job = written_in(Version.V1)
    shared = {
        "training.kubeflow.org/operator-name": "mpijob-controller",
        "training.kubeflow.org/job-name": "pi",
    }
    found = [
        {key: of for key, of in names.pod_labels(job, role).items() if "training" in key}
        for role in (Role.LAUNCHER, Role.WORKER)
    ]
    replica_type = "training.kubeflow.org/replica-type"
    assert found == [
        {**shared, replica_type: "launcher", "training.kubeflow.org/job-role": "master"},
        {**shared, replica_type: "worker"},
    ]
