"""The definition of MPIJobs on a real API server: what it lets in, refuses, keeps and shows."""

import contextlib
import http.client
import json
import runpy
import ssl
import subprocess
from pathlib import Path

import pytest
import yaml

from mpijob.api import versions
from mpijob.api.crd import NAME, definition
from mpijob.core.job import Rejected

ROOT = Path(__file__).parents[2]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
VERSIONS = ("v1", "v1alpha2", "v1alpha1", "v2beta1")
GOOD = runpy.run_path(str(ROOT / "tests" / "jobfile" / "bad_manifests.py"))["GOOD"]
ASK_ONLY = {"dryRun": "All", "fieldValidation": "Strict"}


def established(api, manifest):
    """Return once the server serves this definition, as far as it says so."""
    answer = api.ask("POST", DEFINITIONS, manifest)
    if answer.code == http.client.CONFLICT:
        there = api.read(f"{DEFINITIONS}/{manifest['metadata']['name']}")
        version = {"resourceVersion": there["metadata"]["resourceVersion"]}
        metadata = {**manifest["metadata"], **version}
        api.did(
            api.ask("PUT", f"{DEFINITIONS}/{metadata['name']}", manifest | {"metadata": metadata})
        )
    else:
        api.did(answer)
    query = {"fieldSelector": f"metadata.name={manifest['metadata']['name']}"}
    api.until(DEFINITIONS, is_established, **query)


def is_established(crd):
    rows = crd.get("status", {}).get("conditions") or ()
    return any((row["type"], row["status"]) == ("Established", "True") for row in rows)


@pytest.fixture(scope="module")
def defined(cluster):
    """The cluster, knowing MPIJobs."""
    with cluster.api("test-crd") as api:
        established(api, definition())
    return cluster


@pytest.fixture
def jobs(defined, namespace):
    """The path of the MPIJobs of this test's namespace."""
    return f"/apis/kubeflow.org/v2beta1/namespaces/{namespace}/mpijobs"


def placed(job):
    """Return a job as it is sent to a namespace: its own is left out."""
    metadata = {k: v for k, v in job["metadata"].items() if k != "namespace"}
    return {**job, "metadata": metadata}


def _jobs_of(path):
    """The MPIJobs in a file: an example's, or the one that upstream's answers are about."""
    documents = yaml.safe_load_all(path.read_text())
    jobs = [document.get("job", document) for document in documents]
    return [job for job in jobs if job["kind"] == "MPIJob"]


SOUND = {
    f"{path.relative_to(ROOT)}: {job['metadata']['name']}": job
    for path in (*ROOT.glob("tests/parity/data/*.yaml"), *ROOT.glob("examples/*/*.yaml"))
    # v1 is served only where it is asked for.
    if path.name != "invalid-name.yaml" and path.parent.name != "v1"
    for job in _jobs_of(path)
}


@pytest.mark.parametrize("job", SOUND.values(), ids=SOUND)
def test_a_sound_job_is_let_in_and_kept_as_it_was_written(api, jobs, job):
    sent = placed(job)
    path = jobs.replace("kubeflow.org/v2beta1", sent["apiVersion"])
    stored = api.did(api.ask("POST", path, sent, query=ASK_ONLY))
    assert stored["spec"] == sent["spec"]


def _changed(**spec):
    return placed(_with(yaml.safe_load(GOOD), spec))


def _with(job, spec):
    for path, value in spec.items():
        *parents, last = ["spec", *path.split("__")]
        inner = job
        for step in parents:
            inner = inner.setdefault(step, {})
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    return job


def _named(name, workers=2):
    job = _changed(mpiReplicaSpecs__Worker__replicas=workers)
    return {**job, "metadata": {"name": name}}


BROKEN = {
    "a name with a dot": (_named("p.i"), "metadata.name"),
    "a name that starts with a digit": (_named("3pi"), "metadata.name"),
    "a name of 55 characters": (_named("p" * 55, workers=1), "metadata.name"),
    "a name of 54 characters and eleven workers": (_named("p" * 54, workers=11), "metadata.name"),
    "no launcher": (_changed(mpiReplicaSpecs__Launcher=None), "spec.mpiReplicaSpecs[Launcher]"),
    "two launchers": (
        _changed(mpiReplicaSpecs__Launcher__replicas=2),
        "spec.mpiReplicaSpecs[Launcher].replicas",
    ),
    "no workers": (
        _changed(mpiReplicaSpecs__Worker__replicas=0),
        "spec.mpiReplicaSpecs[Worker].replicas",
    ),
    "nobody says how many workers": (
        _changed(mpiReplicaSpecs__Worker__replicas=None),
        "spec.mpiReplicaSpecs[Worker].replicas",
    ),
    "more workers than a hostfile has lines": (
        _changed(mpiReplicaSpecs__Worker__replicas=1_000_000),
        "spec.mpiReplicaSpecs[Worker].replicas",
    ),
    "a launcher that always starts again": (
        _changed(mpiReplicaSpecs__Launcher__restartPolicy="Always"),
        "spec.mpiReplicaSpecs[Launcher].restartPolicy",
    ),
    "workers with an exit code's policy": (
        _changed(mpiReplicaSpecs__Worker__restartPolicy="ExitCode"),
        "spec.mpiReplicaSpecs[Worker].restartPolicy",
    ),
    "a launcher without containers": (
        _changed(mpiReplicaSpecs__Launcher__template__spec__containers=[]),
        "spec.mpiReplicaSpecs[Launcher].template.spec.containers",
    ),
    "workers without a template": (
        _changed(mpiReplicaSpecs__Worker__template=None),
        "spec.mpiReplicaSpecs[Worker].template.spec.containers",
    ),
    "negative slots": (_changed(slotsPerWorker=-1), "spec.slotsPerWorker"),
    "a clean-up policy in the wrong case": (
        _changed(runPolicy__cleanPodPolicy="running"),
        "spec.runPolicy.cleanPodPolicy",
    ),
    "a negative time to live": (
        _changed(runPolicy__ttlSecondsAfterFinished=-1),
        "spec.runPolicy.ttlSecondsAfterFinished",
    ),
    "a negative deadline": (
        _changed(runPolicy__activeDeadlineSeconds=-1),
        "spec.runPolicy.activeDeadlineSeconds",
    ),
    "a negative limit of tries": (
        _changed(runPolicy__backoffLimit=-1),
        "spec.runPolicy.backoffLimit",
    ),
    "a gang of a negative size": (
        _changed(runPolicy__schedulingPolicy__minAvailable=-1),
        "spec.runPolicy.schedulingPolicy.minAvailable",
    ),
    "another manager": (_changed(runPolicy__managedBy="me"), "spec.runPolicy.managedBy"),
    "an ssh path with a colon": (_changed(sshAuthMountPath="/a:b"), "spec.sshAuthMountPath"),
}


def _told(answer):
    """The fields that a refusal names at the beginning of its causes' messages."""
    causes = answer.body["details"]["causes"]
    return {cause["message"].split(": ")[1] for cause in causes}


@pytest.mark.parametrize(("job", "field"), BROKEN.values(), ids=BROKEN)
def test_a_rule_refuses_and_names_the_field(api, jobs, job, field):
    answer = api.ask("POST", jobs, job, query=ASK_ONLY)
    assert (answer.code, _told(answer)) == (422, {field})


@pytest.mark.parametrize("job", [case[0] for case in BROKEN.values()], ids=BROKEN)
def test_the_operator_has_the_same_rule(job):
    assert isinstance(versions.job(job), Rejected)


#: Jobs that the operator takes as well: what is wrong there hurts only who wrote it.
HARMLESS = {"workers that are misspelled"}
#: What only whoever reads the file can know: it was not meant for an API server at all.
OF_THE_FILE = {
    "two documents": "a server reads the first one",
    "UTF-16": "YAML may be written so",
    "a field in the wrong place": "an older version has it there, and a server keeps it for that",
}


def _sent(cluster, path, data):
    """Return the code that a file's bytes are answered with; 413 where nobody reads them."""
    place = cluster.url.removeprefix("https://")

    trust = ssl.create_default_context(cafile=cluster.ca)
    with contextlib.closing(http.client.HTTPSConnection(place, context=trust)) as connection:
        headers = {
            "Authorization": f"Bearer {cluster.token}",
            "Content-Type": "application/yaml",
            "Accept": "application/json",
        }
        try:
            connection.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return http.client.REQUEST_ENTITY_TOO_LARGE, b""


def test_a_bad_manifest_is_refused_or_told(defined, jobs, bad_manifest, request):
    name = request.node.callspec.id
    code, body = _sent(defined, jobs, bad_manifest.data)
    if code < http.client.BAD_REQUEST and name not in HARMLESS | OF_THE_FILE.keys():
        assert isinstance(versions.job(json.loads(body)), Rejected)


def test_four_versions_are_taken(api, defined):
    there = api.read(f"{DEFINITIONS}/{NAME}")
    version = {"resourceVersion": there["metadata"]["resourceVersion"]}
    wanted = definition(VERSIONS)
    sent = wanted | {"metadata": wanted["metadata"] | version}
    stored = api.did(api.ask("PUT", f"{DEFINITIONS}/{NAME}", sent, query={"dryRun": "All"}))
    assert {row["name"] for row in stored["spec"]["versions"]} == set(VERSIONS)


def test_kubectl_shows_a_line_that_says_how_a_job_is(api, defined, jobs, namespace):
    api.create(jobs, placed(yaml.safe_load(GOOD)))
    status = {"state": "Running", "ready": "2/2", "restarts": 0}
    api.merge(f"{jobs}/pi/status", {"status": status})
    words = [defined.binaries["kubectl"], "--kubeconfig", defined.kubeconfig, "-n", namespace]
    done = subprocess.run(
        [*words, "get", "mj"], capture_output=True, text=True, check=True, timeout=60
    )
    heading, line = (row.split() for row in done.stdout.splitlines())
    assert (heading, line[:-1]) == (
        ["NAME", "STATE", "READY", "RESTARTS", "AGE"],
        ["pi", "Running", "2/2", "0"],
    )


# Jobs that were there before the rules, as mpi-operator's definition lets them in.

GROUP = "adopted.mpijob.dev"


def _foreign(*, rules):
    """The definition under a group of its own, with or without the rules."""
    made = json.loads(json.dumps(definition()).replace("kubeflow.org", GROUP))
    del made["spec"]["names"]["shortNames"]
    if not rules:
        for version in made["spec"]["versions"]:
            del version["schema"]["openAPIV3Schema"]["x-kubernetes-validations"]
    return made


@pytest.fixture(scope="module")
def adopted(cluster):
    """The path of a namespace's jobs, of which two were unsound before the rules came."""
    with cluster.api("test-crd") as api:
        established(api, _foreign(rules=False))
        path = f"/apis/{GROUP}/v2beta1/namespaces/default/mpijobs"
        for name in ("unsound", "untold"):
            job = _changed(slotsPerWorker=-1)
            api.create(path, {**job, "apiVersion": f"{GROUP}/v2beta1", "metadata": {"name": name}})
        established(api, _foreign(rules=True))
        probe = {**_changed(slotsPerWorker=-1), "apiVersion": f"{GROUP}/v2beta1"}
        # The server takes a moment to look by the new rules, and tells nobody when it does.
        for _ in range(5000):
            if not api.ask("POST", path, probe, query=ASK_ONLY).is_good:
                break
        yield path
        api.delete(f"{DEFINITIONS}/mpijobs.{GROUP}")


INVALID = {"conditions": [{"type": "Invalid", "status": "True", "reason": "ValidationError"}]}


def test_a_job_that_was_unsound_before_the_rules_takes_a_status(api, adopted):
    told = api.merge(f"{adopted}/untold/status", {"status": INVALID})
    assert told["status"] == INVALID


CHANGES = {
    "a label": ({"metadata": {"labels": {"a": "b"}}}, 200),
    "what is as unsound as before": ({"spec": {"slotsPerWorker": -2}}, 200),
    "what becomes sound": ({"spec": {"slotsPerWorker": 1}}, 200),
    "what becomes unsound": ({"spec": {"runPolicy": {"backoffLimit": -1}}}, 422),
}


@pytest.mark.parametrize(("fields", "code"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_such_a_job(api, adopted, fields, code):
    api.merge(f"{adopted}/unsound/status", {"status": INVALID})
    answer = api.ask(
        "PATCH",
        f"{adopted}/unsound",
        fields,
        content_type="application/merge-patch+json",
        query={"dryRun": "All"},
    )
    assert answer.code == code
