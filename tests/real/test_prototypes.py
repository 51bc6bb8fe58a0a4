"""The quickstart of kubeflow's mpi-job package, typed for a cluster: from `ks init` to `ks delete`.

The pods run on fake nodes, two of which have 8 GPUs; the operator that acts is a process here, with
the token of its account and the arguments of its Deployment.
"""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.fake_site import JOBS, MPIJOB, FakeSite
from harness.fake_site import fake_site as brought_up
from harness.unavailable import Unavailable
from mpijob.cli import exits

GPU_NODES = 5  # Every fourth has GPUs.
BENCHMARK = "tensorflow-benchmark-16"
DEFINITION = "customresourcedefinition.apiextensions.k8s.io/mpijobs.kubeflow.org"


@dataclass
class Person:
    """Somebody who types commands in an application's folder, and what became of each."""

    site: FakeSite
    folder: Path
    answers: dict[str, tuple[int, str, str]] = field(default_factory=dict)

    def types(self, *words, told_as=""):
        done = subprocess.run(
            [*MPIJOB, *words],
            cwd=self.folder,
            env={**os.environ, "KUBECONFIG": self.site.cluster.kubeconfig},
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        self.answers[told_as or " ".join(words)] = done.returncode, done.stdout, done.stderr
        return done


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A cluster of this module's own."""
    try:
        with brought_up(tmp_path_factory.mktemp("site"), node_count=GPU_NODES) as there:
            yield there
    except Unavailable as lacking:
        pytest.skip(f"no real control plane: {lacking}")


@pytest.fixture(scope="module")
def person(site, tmp_path_factory):
    """Who has typed the quickstart, but has not deleted anything yet."""
    folder = tmp_path_factory.mktemp("person")
    person = Person(site, folder)
    person.types("ks", "init", "lab")
    person.folder = folder / "lab"
    person.types("ks", "pkg", "install", "kubeflow/mpi-job@master")
    person.types("ks", "generate", "mpi-job-simple", BENCHMARK, "--gpus", "16")
    person.types("ks", "apply", "default", told_as="before the operator")
    person.types("ks", "generate", "mpi-operator", "mpi-operator")
    person.types("ks", "apply", "default", "-c", "mpi-operator", "--wait", told_as="the operator")
    site.operator("default", "mpi-operator")
    person.types("ks", "apply", "default", "-c", BENCHMARK, "--wait", told_as="the job")
    return person


def test_a_job_before_its_operator_is_told_what_is_missing(person):
    code, _, said = person.answers["before the operator"]
    assert (code, said.splitlines()) == (
        exits.NOT_FOUND,
        [
            (
                f"error: mpijob.kubeflow.org/{BENCHMARK}: "
                "the cluster does not know MPIJobs of kubeflow.org/v1alpha1"
            ),
            "hint: `mpijob install` puts their definition and the operator there",
        ],
    )


def test_the_operator_is_made_and_ready(person):
    code, said, _ = person.answers["the operator"]
    assert (code, said.splitlines()[0], said.splitlines()[-2:]) == (
        exits.OK,
        f"{DEFINITION} created",
        ["deployment.apps/mpi-operator created", "deployment.apps/mpi-operator ready"],
    )


def test_the_job_is_made_and_has_succeeded(person):
    code, said, _ = person.answers["the job"]
    name = f"mpijob.kubeflow.org/{BENCHMARK}"
    assert (code, said.splitlines()) == (exits.OK, [f"{name} created", f"{name} Succeeded"])


def test_the_job_reads_back_as_it_was_made(person):
    path = f"/apis/kubeflow.org/v1alpha1/namespaces/default/mpijobs/{BENCHMARK}"
    assert person.site.api.read(path)["spec"] == {
        "gpus": 16,
        "template": {
            "spec": {
                "containers": [{"name": BENCHMARK, "image": "mpijob/tensorflow-benchmarks:latest"}]
            }
        },
    }


def test_sixteen_gpus_are_two_workers_of_eight(person):
    config = person.site.api.read(f"/api/v1/namespaces/default/configmaps/{BENCHMARK}-config")
    assert config["data"]["hostfile"].split() == [
        f"{BENCHMARK}-worker-0",
        "slots=8",
        f"{BENCHMARK}-worker-1",
        "slots=8",
    ]


def test_its_launcher_has_the_documents_name(person):
    assert person.site.children("default", BENCHMARK)["jobs"] == [f"{BENCHMARK}-launcher"]


def test_what_is_there_already_is_unchanged(person):
    said = person.types("ks", "apply", "default").stdout.splitlines()
    assert [line for line in said if not line.endswith(" unchanged")] == []


def test_a_dry_run_changes_nothing(person):
    person.types("ks", "param", "set", "mpi-operator", "gpusPerNode", "4")
    said = person.types("ks", "apply", "default", "--dry-run").stdout.splitlines()
    person.types("ks", "param", "set", "mpi-operator", "gpusPerNode", "8")
    changed = [line for line in said if "unchanged" not in line]
    assert changed == ["deployment.apps/mpi-operator configured (dry run)"]


def test_a_generated_job_is_applied_and_waited_for(person):
    words = ("generate", "mpi-job-custom", "custom", "--api-version", "v1alpha1", "--cluster")
    done = person.types(*words, "--apply", "--wait", "-p", "gpusPerReplica=0")
    assert (done.returncode, done.stdout.splitlines()) == (
        exits.OK,
        ["mpijob.kubeflow.org/custom created", "mpijob.kubeflow.org/custom Succeeded"],
    )


def test_a_wait_ends_with_its_time(person):
    image = ("-p", "image=example.com/mpi:1", "-p", "gpus=8")
    words = ("generate", "mpi-job-simple", "waits", "--cluster", "--apply", "--wait")
    # The server takes a second to make anything of it.
    done = person.types(*words, *image, "--timeout", "0.01s")
    assert (done.returncode, done.stderr.splitlines()) == (
        exits.TIMED_OUT,
        ["error: timed out: not all of it is ready, or has ended"],
    )


def test_a_namespace_that_is_not_there_is_named(person):
    done = person.types("generate", "simple", "x", "--cluster", "--apply", "-n", "nowhere")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        exits.NOT_FOUND,
        "hint: kubectl create namespace nowhere",
    )


@pytest.fixture(scope="module")
def deleted(person):
    """What is left when the application is deleted, while others have a job; and when none has."""
    api = person.site.api
    for name in ("custom", "waits"):
        person.types("delete", "--cluster", "--ignore-not-found", name)
    other = {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": "other"},
        "spec": {
            "runPolicy": {"suspend": True},
            "mpiReplicaSpecs": {
                "Launcher": {
                    "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}},
                }
            },
        },
    }
    api.create(JOBS.format("default"), other)
    person.types("ks", "delete", "default", told_as="beside another's job")
    api.delete(f"{JOBS.format('default')}/other")
    person.types("ks", "delete", "default", told_as="alone")
    person.types("ks", "delete", "default", told_as="once more")
    return person


def test_the_definition_stays_while_others_have_jobs(deleted):
    code, _, said = deleted.answers["beside another's job"]
    assert (code, said) == (
        exits.OK,
        f"{DEFINITION} stays, since others have MPIJobs: 1 of them\n",
    )


def test_all_that_the_application_made_is_told_as_it_goes(deleted):
    _, said, _ = deleted.answers["beside another's job"]
    assert said.splitlines() == [
        f"mpijob.kubeflow.org/{BENCHMARK} deleted",
        "deployment.apps/mpi-operator deleted",
        "rolebinding.rbac.authorization.k8s.io/mpi-operator-lease deleted",
        "role.rbac.authorization.k8s.io/mpi-operator-lease deleted",
        "clusterrolebinding.rbac.authorization.k8s.io/mpi-operator deleted",
        "clusterrole.rbac.authorization.k8s.io/mpi-operator deleted",
        "serviceaccount/mpi-operator deleted",
    ]


def test_the_definition_goes_where_nobody_else_has_jobs(deleted):
    code, said, _ = deleted.answers["alone"]
    assert (code, said) == (exits.OK, f"{DEFINITION} deleted\n")


def test_deleting_again_finds_nothing(deleted):
    code, _, said = deleted.answers["once more"]
    assert (code, said) == (exits.OK, "nothing of it is there\n")
