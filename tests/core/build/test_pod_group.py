"""The PodGroup as an object; what is in it, tests/core/policy/test_gang.py says."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from mpijob.core import build
from mpijob.core.config import Config, Gang
from mpijob.core.job import LauncherStart, RunPolicy, SchedulingPolicy
from mpijob.testing import worlds

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


DEFINITIONS = list(
    yaml.safe_load_all(Path(__file__).with_name("pod_groups.yaml").read_text(encoding="utf-8"))
)
TYPES = {"integer": int, "string": str, "object": dict}


def published(group):
    """Return the schema of the PodGroups of that `apiVersion`."""
    for definition in DEFINITIONS:
        for version in definition["spec"]["versions"]:
            if f"{definition['spec']['group']}/{version['name']}" == group["apiVersion"]:
                return version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    raise LookupError(group["apiVersion"])


def faults(value, schema, path=""):
    """Yield what an API server with that schema would say of a value."""
    type_ = schema.get("type")
    if type_ and (not isinstance(value, TYPES[type_]) or isinstance(value, bool)):
        yield f"{path}: no {type_}"
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        for key, inner in value.items():
            if key in known or "additionalProperties" in schema:
                of = known.get(key) or schema["additionalProperties"]
                yield from faults(inner, of, f"{path}.{key}")
            else:
                yield f"{path}.{key}: unknown"
    elif isinstance(value, int):
        if not schema.get("minimum", -(2**31)) <= value < 2**31:
            yield f"{path}: {value}"
    elif len(value) > schema.get("maxLength", 2**31) or not re.search(
        schema.get("pattern", ""), value
    ):
        yield f"{path}: {value!r}"


amounts = st.one_of(
    st.integers(0, 10**12).map(str),
    st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3})?([numkMGTPE]|[KMGTPE]i|e[0-9])?", fullmatch=True),
)
resources = st.dictionaries(st.sampled_from(("cpu", "memory", "nvidia.com/gpu")), amounts)
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
policies = st.builds(
    SchedulingPolicy,
    min_available=st.none() | st.integers(0, 5),
    queue=st.none() | st.just("") | names,
    min_resources=st.none() | resources,
    priority_class=st.none() | st.just("") | names,
    schedule_timeout_s=st.none() | st.integers(0, 2**31 - 1),
)


@example(Gang.SCHEDULER_PLUGINS, 2, SchedulingPolicy(min_available=0), {}, LauncherStart.AT_STARTUP)
@given(
    st.sampled_from(Gang),
    st.integers(0, 4),
    st.none() | policies,
    resources,
    st.sampled_from(LauncherStart),
)
def test_the_schedulers_own_definitions_accept_it(scheduler, workers, policy, requests, start):
    job = worlds.job(workers, RunPolicy(scheduling=policy), launcher_start=start)
    job.launcher.template["spec"]["containers"][0]["resources"] = {"requests": requests}
    made = build.pod_group(job, Config(gang=scheduler), {})
    assert list(faults(made["spec"], published(made))) == []


REFUSED = {
    "fewer members than the least": {"minMember": 0},
    "a text for a number": {"minMember": "1"},
    "a field that nobody knows": {"minMember": 1, "queue": "a"},
    "no quantity": {"minResources": {"cpu": "much"}},
}


@pytest.mark.parametrize("spec", REFUSED.values(), ids=REFUSED)
def test_the_definitions_have_teeth(spec):
    of = published({"apiVersion": VERSIONS[Gang.SCHEDULER_PLUGINS]})
    assert list(faults(spec, of)) != []
