"""`mpijob plan`."""

import json

import pytest
import yaml

from mpijob.api.new_job import NewJob, manifest
from mpijob.cli import exits

PI = manifest(NewJob(name="pi", command=("./pi",), worker_count=2, slots=2))


def _changed(**spec) -> str:
    return yaml.safe_dump({**PI, "spec": {**PI["spec"], **spec}})


def test_it_lists_what_would_be_made_in_order(mpijob):
    rows = [line.split()[:3] for line in mpijob("plan", "-", given=_changed()).out.splitlines()]
    assert rows == [
        ["STAGE", "KIND", "NAME"],
        ["1", "Service", "pi"],
        ["1", "ConfigMap", "pi-config"],
        ["1", "Secret", "pi-ssh"],
        ["1", "Secret", "pi-ssh-host"],
        ["2", "Pod", "pi-worker-0"],
        ["2", "Pod", "pi-worker-1"],
        ["3", "Job", "pi-launcher"],
    ]


def test_a_launcher_that_waits_comes_last(mpijob):
    given = _changed(launcherCreationPolicy="WaitForWorkersReady")
    assert mpijob("plan", "-", given=given).out.splitlines()[-1].split(maxsplit=3) == [
        "3",
        "Job",
        "pi-launcher",
        "when every worker is ready",
    ]


def test_a_suspended_job_has_a_suspended_launcher_alone(mpijob):
    given = _changed(runPolicy={"suspend": True})
    assert mpijob("plan", "-", given=given).out.splitlines()[-1].split() == [
        "2",
        "Job",
        "pi-launcher",
        "suspended",
    ]


def test_a_job_of_another_manager_is_left_alone(mpijob):
    given = _changed(runPolicy={"managedBy": "kueue.x-k8s.io/multikueue"})
    answer = mpijob("plan", "-", given=given)
    assert (answer.out, answer.err) == ("", "The operator would leave this job to another.\n")


def test_gang_scheduling_adds_a_group(mpijob):
    answer = mpijob("plan", "-", "--gang", "volcano", "-o", "name", given=_changed())
    assert "podgroup.scheduling.volcano.sh/pi" in answer.out.splitlines()


def test_the_objects_themselves(mpijob):
    found = json.loads(mpijob("plan", "-", "-o", "json", given=_changed()).out)["items"]
    assert {item["metadata"]["namespace"] for item in found} == {"default"}


def test_another_namespace(mpijob):
    answer = mpijob("plan", "-", "--namespace", "lab", "-o", "yaml", given=_changed())
    found = yaml.safe_load(answer.out)["items"]
    assert {item["metadata"]["namespace"] for item in found} == {"lab"}


WRONG = {
    "a wrong value": (_changed(slotsPerWorker=-1), "spec.slotsPerWorker"),
    "a wrong type": (_changed(slotsPerWorker="two"), "spec.slotsPerWorker"),
    "no YAML": ("{", "standard input:"),
    "nothing": ("", "the file is empty"),
}


@pytest.mark.parametrize(("given", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_job_is_refused_with_its_place(mpijob, given, said):
    answer = mpijob("plan", "-", given=given)
    assert (answer.code, said in answer.err) == (exits.INVALID, True)
