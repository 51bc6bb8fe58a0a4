"""Jobs of every version under one definition that serves all, by an operator with its own rights.

As in test_install.py, the operator that acts is a process here, and pods run as fake nodes say.
"""

import pytest
import yaml

from harness import upstream
from harness.recipes import TOP
from harness.unavailable import Unavailable
from mpijob.core.version import Version
from mpijob.generate.settings import NAMESPACE

JOBS = "/apis/{}/namespaces/{}/mpijobs"
ALL = tuple(version.value for version in Version)
FILES = {f"{path.parent.name}-{path.stem}": path for path in sorted(TOP.glob("examples/v*/*.yaml"))}


@pytest.fixture(scope="module")
def usual(site):
    """In which version kubectl sees MPIJobs, where the served versions are the usual ones."""
    code, _, complaint = site.mpijob("install")
    assert code == 0, complaint
    site.api.until_explained("kubeflow.org/v2beta1")
    _, said, complaint = site.kubectl("explain", "mpijobs")
    return said, complaint


@pytest.fixture(scope="module")
def space(site, usual):
    """A namespace with nodes that have GPUs, in a cluster that serves every version."""
    words = [f"--serve={version}" for version in ALL]
    code, _, complaint = site.mpijob("install", "--force", *words)
    assert code == 0, complaint
    site.api.until_answers("/apis/kubeflow.org/v1")
    for node in site.api.read("/api/v1/nodes")["items"]:
        room = {"capacity": {"nvidia.com/gpu": "64"}, "allocatable": {"nvidia.com/gpu": "64"}}
        site.api.merge(f"/api/v1/nodes/{node['metadata']['name']}/status", {"status": room})
    site.operator(NAMESPACE)
    return site.space("somebody")


def _has_ended(job):
    rows = job.get("status", {}).get("conditions", ())
    return any(row["type"] in ("Succeeded", "Failed") and row["status"] == "True" for row in rows)


@pytest.fixture(scope="module")
def ended(site, space):
    """Every example, once it has ended: as it was written, and as it is read in its version."""
    written = {}
    for name, path in FILES.items():
        written[name] = yaml.safe_load(path.read_text())
        written[name]["metadata"]["name"] = name
        site.api.create(JOBS.format(written[name]["apiVersion"], space), written[name])
    found = {}
    for name, manifest in written.items():
        jobs = JOBS.format(manifest["apiVersion"], space)
        found[name] = site.api.until(jobs, _has_ended, fieldSelector=f"metadata.name={name}")
    return written, found


@pytest.fixture(scope="module")
def theirs(site, space):
    """Other operators' examples, by file, as they read once they have ended.

    Each is applied as it is, in a namespace of its own but where it names one itself.
    """
    try:
        paths = [
            path
            for release in (upstream.WITH_ALL, upstream.NEWEST, upstream.TRAINING)
            for path in upstream.examples(release)
        ]
    except Unavailable as lacking:
        pytest.skip(f"no examples of theirs: {lacking}")
    found = {}
    for number, path in enumerate(paths):
        written = yaml.safe_load(path.read_text())
        named = written["metadata"].get("namespace")
        where = named or site.space(f"their-{number}")
        words = () if named else ("-n", where)
        code, _, complaint = site.kubectl("apply", *words, "-f", str(path))
        assert code == 0, f"{path}: {complaint}"
        found[path] = (written, where)
    return {
        path: (written, site.api.until(JOBS.format(written["apiVersion"], where), _has_ended))
        for path, (written, where) in found.items()
    }


def test_kubectl_means_v2beta1_where_it_is_not_told(usual):
    said, complaint = usual
    assert "VERSION:    v2beta1\n" in said, complaint


@pytest.mark.parametrize("name", FILES)
def test_an_example_ends_well(ended, name):
    status = ended[1][name]["status"]
    assert status["replicaStatuses"]["Launcher"] == {"succeeded": 1}


@pytest.mark.parametrize("name", FILES)
def test_an_example_reads_back_as_it_was_written(ended, name):
    assert ended[1][name]["spec"] == ended[0][name]["spec"]


@pytest.mark.parametrize("name", FILES)
def test_the_selector_of_old_documents_finds_one_launcher(site, space, ended, name):
    labels = f"mpi_job_name={name},mpi_role_type=launcher"
    pods = site.api.read(f"/api/v1/namespaces/{space}/pods", labelSelector=labels)["items"]
    assert len(pods) == 1


def _said(value):
    """A value without what is null in it: a server keeps none of that."""
    match value:
        case dict():
            return {key: _said(each) for key, each in value.items() if each is not None}
        case list():
            return [_said(each) for each in value]
    return value


def test_their_examples_end_well_and_read_back_as_they_were_written(theirs):
    wrong = {
        str(path): job["status"]
        for path, (written, job) in theirs.items()
        if job["spec"] != _said(written["spec"])
        or job["status"]["replicaStatuses"]["Launcher"] != {"succeeded": 1}
    }
    assert (wrong, len(theirs)) == ({}, 20)


def test_their_examples_are_of_every_version(theirs):
    versions = {job["apiVersion"].rpartition("/")[2] for _, job in theirs.values()}
    assert versions == set(ALL)


@pytest.mark.parametrize("version", ALL)
def test_what_somebody_else_has_under_a_childs_name_is_told_and_left_alone(site, space, version):
    name = f"{version}-blocked"
    configs, theirs = f"/api/v1/namespaces/{space}/configmaps", {"hostfile": "theirs"}
    site.api.create(configs, {"metadata": {"name": f"{name}-config"}, "data": theirs})
    job = yaml.safe_load(FILES[f"{version}-pi"].read_text())
    job["metadata"]["name"] = name
    site.api.create(JOBS.format(job["apiVersion"], space), job)
    event = site.api.until(
        f"/api/v1/namespaces/{space}/events",
        lambda event: event["reason"] == "ErrResourceExists",
        fieldSelector=f"involvedObject.name={name}",
    )
    there = site.api.read(f"{configs}/{name}-config")
    assert (event["message"], there["data"]) == (
        f'Resource "{name}-config" of Kind "ConfigMap" already exists and is not managed by MPIJob',
        theirs,
    )


def test_the_operator_asks_for_nothing_that_it_may_not(site, ended):
    rows = [row for row in site.cluster.requests() if row.user == site.user(NAMESPACE)]
    assert {(row.resource, row.subresource, row.verb) for row in rows if row.code == 403} == set()


def test_older_versions_use_the_rights_that_are_granted_for_them(site, ended):
    rows = [row for row in site.cluster.requests() if row.user == site.user(NAMESPACE)]
    made = [("mpijobs", "patch")]
    made += [(kind, "create") for kind in ("serviceaccounts", "roles", "rolebindings")]
    assert set(made) <= {(row.resource, row.verb) for row in rows}
