"""The PodGroup as an object; what is in it, tests/core/policy/test_gang.py says."""

import pytest

from mpijob.core import build
from mpijob.core.config import Config, Gang

VERSIONS = {
    Gang.VOLCANO: "scheduling.volcano.sh/v1beta1",
    Gang.SCHEDULER_PLUGINS: "scheduling.x-k8s.io/v1alpha1",
}


@pytest.mark.parametrize("scheduler", Gang)
def test_each_scheduler_has_a_kind_of_its_own(a_job, scheduler):
    made = build.pod_group(a_job(), Config(gang=scheduler), {})
    assert (made["apiVersion"], made["kind"]) == (VERSIONS[scheduler], "PodGroup")


@pytest.mark.parametrize("scheduler", Gang)
def test_it_is_the_jobs_own_and_bears_no_labels(a_job, scheduler):
    metadata = build.pod_group(a_job(), Config(gang=scheduler), {})["metadata"]
    assert metadata == {
        "namespace": "default",
        "name": "pi",
        "ownerReferences": [
            {
                "apiVersion": "kubeflow.org/v2beta1",
                "kind": "MPIJob",
                "name": "pi",
                "uid": "job-uid",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def test_without_a_gang_scheduler_there_is_none(a_job):
    assert build.pod_group(a_job(), Config(), {}) is None
