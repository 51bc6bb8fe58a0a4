"""`mpijob generate`, as far as it asks no cluster."""

import json

import pytest
import yaml

from mpijob.cli import exits

SIMPLE = ("generate", "mpi-job-simple", "bench")


def test_objects_are_printed_as_yaml(mpijob):
    [job] = yaml.load_all(mpijob(*SIMPLE, "-p", "gpus=16", "-n", "team").out, yaml.CSafeLoader)
    worker = job["spec"]["mpiReplicaSpecs"]["Worker"]
    limits = worker["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert (job["apiVersion"], job["metadata"], worker["replicas"], limits) == (
        "kubeflow.org/v2beta1",
        {"name": "bench", "namespace": "team"},
        2,
        {"nvidia.com/gpu": 8},
    )


@pytest.mark.parametrize("version", ["v1alpha1", "v1alpha2", "v1", "v2beta1"])
def test_a_job_is_written_in_the_version_that_is_asked_for(mpijob, version):
    made = mpijob(*SIMPLE, "--api-version", version, "-o", "json").out
    assert [one["apiVersion"] for one in json.loads(made)["items"]] == [f"kubeflow.org/{version}"]


def test_files_are_so_named_that_kubectl_makes_them_in_their_order(mpijob, tmp_path):
    mpijob("generate", "mpi-operator", "op", "--output-dir", str(tmp_path / "made"))
    names = mpijob("generate", "mpi-operator", "op", "-o", "name").out.splitlines()
    files = sorted((tmp_path / "made").iterdir())
    kinds = [yaml.load(file.read_text(), yaml.CSafeLoader)["kind"].lower() for file in files]
    assert kinds == [name.partition("/")[0].partition(".")[0] for name in names]


def test_what_is_printed_runs_here(mpijob, tmp_path):
    file = tmp_path / "bench.yaml"
    file.write_text(mpijob(*SIMPLE, "-p", "command=mpirun,hostname").out)
    assert mpijob("run", "--dry-run", "-q", str(file)).code == exits.OK


WRONG = {
    "no prototype of that name": (("generate", "cake", "a"), "no prototype's name has “cake”"),
    "no parameter": ((*SIMPLE, "-p", "gpus"), "“gpus” is not NAME=VALUE"),
    "an unknown parameter": ((*SIMPLE, "-p", "gpu=1"), "did you mean gpus?"),
    "a wrong number": ((*SIMPLE, "-p", "gpus=12"), "must be 1, 2, 4 or a multiple of 8"),
    "no name for an object": (
        ("generate", "mpi-operator", "YOUR_NAME_HERE"),
        "“YOUR_NAME_HERE” is no name for an object",
    ),
    "a wait for nothing": ((*SIMPLE, "--wait"), "--wait goes with --apply"),
    "a time for no wait": ((*SIMPLE, "--apply", "--timeout", "5m"), "--timeout goes with --wait"),
    "files of names": ((*SIMPLE, "--output-dir", "x", "-o", "name"), "-o name is nothing to write"),
    "applied and printed": ((*SIMPLE, "--apply", "-o", "yaml"), "--apply prints and writes no"),
    "an operator on this machine": (
        ("generate", "mpi-operator", "op", "--apply"),
        "on this machine there are MPIJobs and pods, and no ClusterRole",
    ),
    "a time for a wait on this machine": (
        (*SIMPLE, "--apply", "--wait", "--timeout", "5m"),
        "--timeout is about a cluster",
    ),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_in_words(mpijob, words, said):
    answer = mpijob(*words)
    assert (answer.code, said in answer.err) == (exits.INVALID, True), answer.err


def test_two_faults_are_two_lines_and_the_way_to_the_description(mpijob):
    told = mpijob(*SIMPLE, "-p", "gpus=x", "-p", "y=1").err.splitlines()
    assert (len(told), told[-1]) == (
        3,
        "hint: `mpijob prototype describe mpi-job-simple` tells of all parameters",
    )


HELLO = ("-p", "gpusPerReplica=0", "-p", "command=echo,hello", "--apply")


def test_a_job_is_run_on_this_machine_and_waited_for(mpijob, monkeypatch):
    monkeypatch.setenv("MPIJOB_LOCAL_PODS", "plain")
    answer = mpijob("generate", "mpi-job-custom", "hello", *HELLO, "--wait")
    assert (answer.code, answer.out) == (exits.OK, "hello\n")


def test_a_job_is_made_on_this_machine_and_left_to_itself(mpijob, monkeypatch):
    monkeypatch.setenv("MPIJOB_LOCAL_PODS", "plain")
    made = mpijob("generate", "mpi-job-custom", "hello", *HELLO)
    waited = mpijob("wait", "hello")
    assert (made.out, waited.code) == ("mpijob.kubeflow.org/hello created\n", exits.OK)
