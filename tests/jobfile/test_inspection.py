"""All that is said of a job file, with its place and a hint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.api.versions import job
from mpijob.core.finding import Severity
from mpijob.core.job import MPIJob
from mpijob.jobfile import Invalid, errors, inspected, parse
from mpijob.jobfile.inspection import manifest_findings

GOOD = """\
apiVersion: kubeflow.org/v2beta1
kind: MPIJob
metadata:
  name: pi
spec:
  slotsPerWorker: 2
  mpiReplicaSpecs:
    Launcher:
      template:
        spec:
          containers:
          - name: mpi
            image: example.com/mpi:1
            command: [mpirun]
            args: ["-n", "4", "pi"]
    Worker:
      replicas: 2
      template:
        spec:
          containers:
          - name: mpi
            image: example.com/mpi:1
            resources: {limits: {cpu: 2}}
"""


def said(text):
    return [
        (str(complaint), complaint.finding.hint)
        for complaint in inspected(parse(text.encode(), "job.yaml"))
    ]


def test_a_good_job_leaves_nothing_to_say():
    assert said(GOOD) == []


def test_a_name_that_the_server_draws_is_judged_with_its_letters():
    assert said(GOOD.replace("name: pi", "generateName: pi-", 1)) == []


def test_everything_is_told_at_once_in_the_order_of_the_file():
    wrong = (
        GOOD.replace("slotsPerWorker: 2", "slotsPerWorker: -1")
        .replace('"-n", "4"', '"-n", "$N"')
        .replace("mpi:1\n            command", "IMAGE\n            command")
        .replace("replicas: 2", "replica: 2")
    )
    assert said(wrong) == [
        (
            (
                "job.yaml:6:3: error: spec.slotsPerWorker: Invalid value: -1: must be greater than "
                "or equal to 0"
            ),
            "",
        ),
        (
            (
                "job.yaml:16:5: error: spec.mpiReplicaSpecs[Worker].replicas: Invalid value: 0: "
                "must be greater than or equal to 1"
            ),
            "",
        ),
        (
            "job.yaml:17:7: error: spec.mpiReplicaSpecs[Worker].replica: there is no such field",
            'Did you mean "replicas"?',
        ),
        (
            (
                "job.yaml:22:13: warning: spec.mpiReplicaSpecs[Worker].template.spec.containers[0]"
                '.image: workers run "example.com/mpi:1", the launcher "example.com/IMAGE"'
            ),
            "Both need the same MPI in the same place; one image for both is the safe way.",
        ),
    ]


def test_an_unquoted_number_comes_with_a_hint():
    assert said(GOOD.replace('"4"', "4")) == [
        (
            (
                "job.yaml:15:26: error: spec.mpiReplicaSpecs[Launcher].template.spec.containers[0]"
                '.args[1]: Invalid value: "integer": must be of type string: "integer"'
            ),
            'Numbers must be in quotes here: "2", not 2.',
        )
    ]


def test_errors_are_what_keeps_a_job_from_running():
    file = parse(GOOD.replace("example.com/mpi:1", "IMAGE").encode(), "job.yaml")
    severities = [complaint.finding.severity for complaint in inspected(file)]
    assert (severities, errors(file)) == ([Severity.WARNING] * 2, ())


def complaints(data):
    try:
        return errors(parse(data, "job.yaml"))
    except Invalid as invalid:
        return invalid.complaints


def test_a_bad_manifest_is_told_by_its_field(bad_manifest):
    first = complaints(bad_manifest.data)[0].finding
    assert (first.field if bad_manifest.field else "") == bad_manifest.field


def test_a_bad_manifest_is_told_in_words(bad_manifest):
    assert bad_manifest.words in complaints(bad_manifest.data)[0].finding.message


def test_a_bad_manifest_is_told_in_one_sentence(bad_manifest):
    assert "\n" not in str(complaints(bad_manifest.data)[0])


def test_the_manifest_that_all_bad_ones_are_made_of_is_good(good_manifest):
    assert inspected(parse(good_manifest, "job.yaml")) == ()


@pytest.mark.parametrize("name", ["metadata", "spec", "status"])
def test_a_top_level_field_of_any_type_is_no_crash(name):
    for value in ("[]", "5", "text", "{a: [1]}", "null", "true"):
        text = f"apiVersion: kubeflow.org/v2beta1\nkind: MPIJob\n{name}: {value}\n"
        assert errors(parse(text.encode(), "job.yaml"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def paths(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*path, key))


def with_value(manifest, path, value):
    if not path:
        return value
    copy = list(manifest) if isinstance(manifest, list) else dict(manifest)
    copy[path[0]] = with_value(manifest[path[0]], path[1:], value)
    return copy


MANIFEST = parse(GOOD.encode(), "job.yaml").manifest
SPECS = sorted(
    (path for path in paths(MANIFEST) if path[:1] not in (("kind",), ("apiVersion",), ())), key=str
)


@given(st.sampled_from(SPECS), json_values)
def test_a_job_with_any_value_in_any_field_is_told_or_can_be_run(path, value):
    manifest = with_value(MANIFEST, path, value)
    told = any(one.severity is Severity.ERROR for one in manifest_findings(manifest))
    assert told or isinstance(job(manifest), MPIJob)
