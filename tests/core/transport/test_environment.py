"""Which variables ssh hands on, as a job says it; the scripts are tried in test_ssh_texts.py."""

import pytest

from mpijob.core.transport.environment import handed_on
from mpijob.testing import worlds

ENV = [
    {"name": "MODEL", "value": "big"},
    {"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    {"name": "ROOM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
    {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
]
CASES = {
    "all, unless the job says else": ({}, [], "all"),
    "nothing": ({"mpijob.dev/environment": "none"}, [], "none"),
    "names": ({"mpijob.dev/environment": "MODEL, TOKEN"}, [], "MODEL TOKEN"),
    "never what Kubernetes says of the launcher": ({}, ENV, "all -WHERE -ROOM"),
}


@pytest.mark.parametrize(("annotations", "env", "want"), CASES.values(), ids=CASES)
def test_a_job_says_what_is_handed_on(annotations, env, want):
    job = worlds.job(annotations=annotations)
    job.launcher.template["spec"]["containers"][0]["env"] = env
    assert handed_on(job) == want
