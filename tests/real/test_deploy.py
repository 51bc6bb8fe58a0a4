"""The two commands by which mpi-operator v0.2's documents install it, one right after the other.

As in test_install.py, the operator that acts is a process here, with the token of its service
account and the arguments of its Deployment.
"""

import pytest
import yaml

from harness.fake_site import CHILDREN
from harness.recipes import TOP
from mpijob.generate.settings import NAMESPACE

OLD = "/apis/kubeflow.org/v1alpha2/namespaces/{}/mpijobs"
NEW = "/apis/kubeflow.org/v2beta1/namespaces/{}/mpijobs"
EXAMPLE = TOP / "examples" / "v1alpha2" / "pi.yaml"


@pytest.fixture(scope="module")
def operator(site):
    """The operator that the two commands left."""
    for place in ("deploy/crd/crd-v1alpha2.yaml", "deploy/"):
        code, _, complaint = site.kubectl("create", "-f", str(TOP / place))
        assert code == 0, complaint
    return site.operator(NAMESPACE)


@pytest.fixture(scope="module")
def space(site, operator):
    return site.space("somebody")


def _ended(site, path, name):
    def has_ended(job):
        rows = job.get("status", {}).get("conditions", ())
        return any((row["type"], row["status"]) == ("Succeeded", "True") for row in rows)

    return site.api.until(path, has_ended, fieldSelector=f"metadata.name={name}")


@pytest.fixture(scope="module")
def job(site, space):
    """The example of that version once it has ended, as kubectl shows it, and its launcher's Job.

    All at once: the version is there for as long as no test has taken it away.
    """
    code, _, complaint = site.kubectl("create", "-n", space, "-f", str(EXAMPLE))
    assert code == 0, complaint
    _ended(site, OLD.format(space), "pi")
    _, said, complaint = site.kubectl("get", "-n", space, "-o", "yaml", "mpijobs", "pi")
    assert said, complaint
    launcher = site.api.read(f"{CHILDREN['jobs'].format(space)}/pi-launcher")
    return yaml.safe_load(said), launcher


def test_the_definition_is_listed(site, operator):
    _, said, _ = site.kubectl("get", "crd", "-o", "name")
    assert "customresourcedefinition.apiextensions.k8s.io/mpijobs.kubeflow.org" in said.split()


def test_a_job_of_that_version_runs_to_its_end(job):
    assert job[0]["status"]["replicaStatuses"] == {"Launcher": {"succeeded": 1}, "Worker": {}}


def test_the_job_reads_back_as_it_was_written(job):
    found, written = job[0], yaml.safe_load(EXAMPLE.read_text())
    assert (found["apiVersion"], found["spec"]) == (written["apiVersion"], written["spec"])


def test_its_children_are_owned_in_the_version_that_is_served(job):
    owners = [owner["apiVersion"] for owner in job[1]["metadata"]["ownerReferences"]]
    assert owners == ["kubeflow.org/v1alpha2"]


@pytest.fixture(scope="module")
def moved(site, space, job, operator):
    """The first operator's exit code, once its version was no longer served and another was."""
    words = ("--serve=v2beta1", "--force")
    code, _, complaint = site.mpijob("install", *words)
    assert code == 0, complaint
    return operator.ended()


def test_an_operator_whose_version_goes_ends(moved):
    assert moved == 1


def test_its_successor_works_in_the_version_that_there_is(site, space, moved):
    site.operator(NAMESPACE)
    manifest = yaml.safe_load((TOP / "examples" / "v2beta1" / "pi.yaml").read_text())
    manifest["metadata"]["name"] = "new"
    site.api.create(NEW.format(space), manifest)
    assert _ended(site, NEW.format(space), "new")["status"]["state"] == "Succeeded"
