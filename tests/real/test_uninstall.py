"""Installing where another operator is at work, and uninstalling: what stays, and what it takes.

The cluster has no node: nothing runs, and nothing has to.
"""

import subprocess
from pathlib import Path

import pytest
import yaml

from mpijob.generate.operator import installation
from mpijob.generate.settings import Installation

ROOT = Path(__file__).parents[2]
JOBS = "/apis/kubeflow.org/v2beta1/namespaces/default/mpijobs"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mpijobs.kubeflow.org"


@pytest.fixture(scope="module")
def bare(plane):
    """A client of it with every right."""
    with plane.api() as api:
        yield api


@pytest.fixture
def installed(bare, typed):
    """An installation, with a job of somebody's; all of it is gone afterwards."""
    code, _, complaint = typed("install")
    assert code == 0, complaint
    bare.create(JOBS, yaml.safe_load((ROOT / "examples/pi/pi.yaml").read_text()))
    yield
    typed("uninstall", "--delete-jobs", "--yes")
    path, _, name = DEFINITION.rpartition("/")
    bare.until_gone(path, name)


def _is_there(api, path):
    return api.ask("GET", path).is_good


def _operator(api):
    return _is_there(api, f"{DEPLOYMENTS.format('mpi-operator')}/mpijob-operator")


def test_uninstalling_keeps_the_definition_and_the_jobs(bare, typed, installed):
    code, _, said = typed("uninstall")
    jobs = [job["metadata"]["name"] for job in bare.read(JOBS)["items"]]
    assert (code, _operator(bare), jobs, "1 MPIJobs stay" in said) == (0, False, ["pi"], True)


def test_nothing_of_the_operator_is_left(bare, typed, installed):
    typed("uninstall")
    left = []
    for path in ("rolebindings", "roles", "clusterroles", "clusterrolebindings"):
        items = bare.read(f"/apis/rbac.authorization.k8s.io/v1/{path}")["items"]
        left += [i["metadata"]["name"] for i in items if "mpijob-operator" in i["metadata"]["name"]]
    assert left == []


def test_jobs_go_only_when_that_is_said_twice(bare, typed, installed):
    code, _, said = typed("uninstall", "--delete-jobs")
    assert (code, _operator(bare), "would delete 1 MPIJobs" in said) == (2, True, True)


def test_said_twice_the_definition_and_all_jobs_go(bare, typed, installed):
    typed("uninstall", "--delete-jobs", "--yes")
    bare.until_unknown(JOBS)
    assert not _is_there(bare, DEFINITION)


def test_where_there_is_nothing_to_uninstall_it_says_so(typed):
    code, _, said = typed("uninstall", "--namespace", "nowhere")
    assert (code, said) == (0, "no operator of ours is in namespace nowhere\n")


@pytest.fixture
def rival(bare):
    """An mpi-operator that is at work."""
    labels = {"app": "mpi-operator"}
    containers = [{"name": "it", "image": "mpioperator/mpi-operator:0.8.2"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    path = DEPLOYMENTS.format("default")
    bare.create(path, {"metadata": {"name": "mpi-operator"}, "spec": spec})
    yield f"{path}/mpi-operator"
    bare.delete(f"{path}/mpi-operator")
    bare.until_gone(path, "mpi-operator")


def test_beside_an_operator_at_work_nothing_is_installed(bare, typed, rival):
    code, _, said = typed("install")
    told = "mpi-operator is at work: Deployment default/mpi-operator" in said
    assert (code, told, _operator(bare)) == (4, True, False)


def test_beside_one_that_rests_it_is_installed(bare, typed, rival, installed_after):
    assert installed_after == 0


@pytest.fixture
def installed_after(bare, typed, rival):
    """How an installation ended once the other operator was told to rest, as the hint says."""
    bare.merge(rival, {"spec": {"replicas": 0}})
    code, _, _ = typed("install")
    yield code
    typed("uninstall", "--delete-jobs", "--yes")
    path, _, name = DEFINITION.rpartition("/")
    bare.until_gone(path, name)


def test_kustomize_makes_what_is_installed(plane):
    words = [plane.binaries["kubectl"], "kustomize", str(ROOT / "deploy" / "all")]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    made, wanted = yaml.safe_load_all(done.stdout), installation(Installation())
    assert _by_name(made) == _by_name(wanted)


def _by_name(manifests):
    return {(made["kind"], made["metadata"]["name"]): made for made in manifests}
