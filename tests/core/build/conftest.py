"""Jobs to build children of."""

from typing import Any

import pytest

from mpijob.testing import worlds


@pytest.fixture
def a_job():
    """Make a job; `launcher` and `worker` are merged into the templates' first containers."""

    def make(workers: int = 2, launcher: Any = None, worker: Any = None, **fields: Any):
        job = worlds.job(workers, **fields)
        merge(job.launcher.template["spec"]["containers"][0], launcher)
        if job.worker:
            merge(job.worker.template["spec"]["containers"][0], worker)
        return job

    return make


def merge(container: dict[str, Any], fields: Any) -> None:
    container.update(fields or {})
