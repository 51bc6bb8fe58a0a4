"""The same commands on a cluster: a real API server, with an operator for one namespace."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from harness.cluster import write_kubeconfig
from harness.fake_site import JOBS, define
from harness.own_operator import MPIJOB, own_operator
from mpijob.api.crd import definition
from mpijob.cli import exits
from mpijob.cli.root import cli

PODS = "/api/v1/namespaces/{}/pods"
IMAGE = "example.com/mpi:1"
EVER = {"fake.mpijob.dev/runs-for": "ever"}


@dataclass(frozen=True)
class Site:
    """A namespace of a cluster with an operator, and a person who types commands there."""

    cluster: object
    api: object
    namespace: str
    folder: Path

    def mpijob(self, *words):
        """Type a command; return its exit code, what it printed, and what it said beside."""
        place = ("--kubeconfig", self.cluster.kubeconfig, "-n", self.namespace)
        done = CliRunner().invoke(cli, [*place, *words], prog_name="mpijob")
        return done.exit_code, done.stdout, done.stderr

    def told(self, *words):
        """Type a command that must do, and return what it printed."""
        code, said, complaint = self.mpijob(*words)
        assert code == 0, complaint
        return said

    def file(self, name, *, annotations=None, workers=2):
        """Return the path of a job file."""
        container = {"name": "mpi", "image": IMAGE}
        template = {"metadata": {"annotations": annotations or {}}}
        launcher = {**template, "spec": {"containers": [{**container, "command": ["mpirun"]}]}}
        roles = {
            "Launcher": {"template": launcher, "restartPolicy": "Never"},
            "Worker": {"replicas": workers, "template": {"spec": {"containers": [container]}}},
        }
        job = {
            "apiVersion": "kubeflow.org/v2beta1",
            "kind": "MPIJob",
            "metadata": {"name": name},
            "spec": {"runPolicy": {"backoffLimit": 0}, "mpiReplicaSpecs": roles},
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(job))
        return str(path)

    def requests(self):
        """Return what commands have asked in this namespace so far, and how often."""
        rows = [row for row in self.cluster.requests() if row.namespace == self.namespace]
        return Counter((r.verb, r.resource) for r in rows if r.agent.startswith("mpijob/"))


@pytest.fixture(scope="module")
def site(cluster, tmp_path_factory):
    folder, namespace = tmp_path_factory.mktemp("cli"), f"t-{secrets.token_hex(4)}"
    with cluster.api("test-cli") as api:
        define(api, definition())
        api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        api.until(accounts, lambda found: found["metadata"]["name"] == "default")
        try:
            with own_operator(cluster, namespace, folder):
                yield Site(cluster, api, namespace, folder)
        finally:
            api.delete(f"/api/v1/namespaces/{namespace}")


# Looking. One job that has ended well is looked at in every way.


@pytest.fixture(scope="module")
def done(site):
    site.told("run", "--detach", "--name", "done", "-n", "2", "--image", IMAGE, "--", "hostname")
    return site.told("wait", "done", "--timeout", "60s")


def test_wait_says_how_a_job_ended(done):
    assert done == "mpijob.kubeflow.org/done Succeeded\n"


LOOKS = {
    "a row": (("get", "done"), "done   Succeeded"),
    "a wide row": (("get", "done", "-o", "wide"), "MPIJobSucceeded"),
    "a name": (("get", "-o", "name"), "mpijob.kubeflow.org/done\n"),
    "a page": (("describe", "done"), "Workers × slots:  2×1"),
    "its pods on the page": (("describe", "done"), "done-launcher-"),
    "events of the job": (("events", "done"), "MPIJobSucceeded"),
    "events of its pods": (("events", "done"), "pod/done-worker-0"),
    "why": (("why", "done"), "has succeeded\n"),
}


@pytest.mark.parametrize(("words", "want"), LOOKS.values(), ids=LOOKS)
def test_a_job_is_shown_as_it_is_on_one_machine(site, done, words, want):
    assert want in site.told(*words)


def test_a_document_says_what_it_is(site, done):
    events = json.loads(site.told("events", "done", "-o", "json"))["items"]
    assert {(event["apiVersion"], event["kind"]) for event in events} == {("v1", "Event")}


ASKED = {
    "get": (("get",), {("list", "mpijobs"): 1}),
    "get of one": (("get", "done"), {("list", "mpijobs"): 1}),
    "why": (
        ("why", "done"),
        {("get", "mpijobs"): 1, ("list", "pods"): 1, ("list", "jobs"): 1, ("list", "events"): 1},
    ),
    "describe": (
        ("describe",),
        {("list", "mpijobs"): 1, ("list", "pods"): 1, ("list", "jobs"): 1, ("list", "events"): 1},
    ),
}


@pytest.mark.parametrize(("words", "want"), ASKED.values(), ids=ASKED)
def test_a_command_asks_once_for_each_kind(site, done, words, want):
    before = site.requests()
    site.told(*words)
    assert site.requests() - before == Counter(want)


def test_a_name_that_no_job_has_is_met_with_the_nearest(site, done):
    code, _, complaint = site.mpijob("why", "dne")
    assert (code, "did you mean “done”?" in complaint) == (exits.NOT_FOUND, True)


def test_the_shell_completes_names_of_the_cluster(site, done, monkeypatch):
    line = f"mpijob --kubeconfig {site.cluster.kubeconfig} -n {site.namespace} get do"
    monkeypatch.setenv("_MPIJOB_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", "6")
    assert CliRunner().invoke(cli, [], prog_name="mpijob").stdout == "plain,done\n"


def test_it_is_a_plugin_of_kubectl(site, done):
    words = [site.cluster.binaries["kubectl"], "mpijob", "get", "-o", "name", "-n", site.namespace]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "KUBECONFIG": site.cluster.kubeconfig, "PATH": path}
    said = subprocess.run(
        words, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert "mpijob.kubeflow.org/done" in said.stdout


# Running.


def test_a_job_that_is_waited_for_ends_with_its_launchers_code(site):
    file = site.file("fails", annotations={"fake.mpijob.dev/exit-code": "3"})
    assert site.mpijob("run", file)[0] == 3


def test_a_job_that_is_waited_for_ends_well(site):
    assert site.mpijob("run", site.file("ends"))[0] == 0


def test_a_program_gets_a_name_that_is_free(site, done):
    said = [site.told("run", "-d", "--image", IMAGE, "--", "free") for _ in range(2)]
    assert said == ["mpijob.kubeflow.org/free created\n", "mpijob.kubeflow.org/free-2 created\n"]


def test_a_job_that_has_ended_makes_no_room_for_another(site, done):
    assert site.mpijob("run", "-d", site.file("done"))[0] == exits.CONFLICT


UNFIT = {
    "no image": ("run", "--", "hostname"),
    "an option for one machine": ("run", "--oversubscribe", "--image", IMAGE, "--", "hostname"),
}


@pytest.mark.parametrize("words", UNFIT.values(), ids=UNFIT)
def test_what_no_cluster_can_do_is_not_tried(site, words):
    assert site.mpijob(*words)[0] == exits.INVALID


def test_ctrl_c_deletes_the_job(site):
    file = site.file("stopped", annotations=EVER)
    words = ["--kubeconfig", site.cluster.kubeconfig, "-n", site.namespace, "run", file]
    with subprocess.Popen([*MPIJOB, *words], stderr=subprocess.PIPE, text=True) as running:
        query = {"fieldSelector": "metadata.name=stopped"}
        site.api.until(JOBS.format(site.namespace), lambda job: "status" in job, **query)
        running.send_signal(signal.SIGINT)
        _, complaint = running.communicate(timeout=60)
    assert (running.returncode, "stopped was deleted" in complaint) == (exits.INTERRUPTED, True)


# Changing.


@pytest.fixture(scope="module")
def changed(site):
    """What was said while a job was suspended, resumed, scaled and deleted, and what is left."""
    site.told("run", "-d", site.file("long", annotations=EVER))
    said = []
    for words, state in (
        ((), "Running"),
        (("suspend", "long"), "Suspended"),
        (("resume", "long"), "Running"),
        (("scale", "long", "--replicas", "3"), ""),
    ):
        said += [site.told(*words).split()[-1]] if words else []
        if state:
            site.told("wait", "long", "--for", f"condition={state}", "--timeout", "60s")
    site.api.until(
        JOBS.format(site.namespace),
        lambda job: job.get("status", {}).get("ready") == "3/3",
        fieldSelector="metadata.name=long",
    )
    said.append(site.told("delete", "long").split()[-1])
    pods = site.api.read(PODS.format(site.namespace))["items"]
    return said, [p["metadata"]["name"] for p in pods if p["metadata"]["name"].startswith("long-")]


def test_a_job_is_suspended_resumed_scaled_and_deleted(changed):
    assert changed[0] == ["suspended", "resumed", "workers", "deleted"]


def test_delete_returns_when_no_pod_is_left(changed):
    assert changed[1] == []


# What a cluster does not let one do.


@pytest.fixture(scope="module")
def stranger(site):
    """The kubeconfig of somebody without any right."""
    accounts = f"/api/v1/namespaces/{site.namespace}/serviceaccounts"
    site.api.create(accounts, {"metadata": {"name": "stranger"}})
    token = site.api.create(f"{accounts}/stranger/token", {"spec": {}})["status"]["token"]
    return _kubeconfig(site, "stranger", token)


def _kubeconfig(site, name, token, url=""):
    path = site.folder / f"{name}.kubeconfig"
    where = {"url": url or site.cluster.url, "ca": Path(site.cluster.ca)}
    return str(write_kubeconfig(path, **where, user={"token": token}))


COMMANDS = ("get", "describe", "events", "why x", "logs x", "delete x", "wait x", "get -w")


@pytest.mark.parametrize("words", COMMANDS)
def test_a_right_that_is_missing_is_named_in_one_line(site, stranger, words):
    code, _, complaint = site.mpijob("--kubeconfig", stranger, *words.split())
    first, hint = complaint.splitlines()
    assert (code, "cannot" in first, hint.startswith("hint: ask for that right")) == (1, True, True)


def test_credentials_that_are_not_taken_are_named(site):
    file = _kubeconfig(site, "wrong", "no-such-token")
    code, _, complaint = site.mpijob("--kubeconfig", file, "get")
    assert (code, f"the credentials of {file}" in complaint) == (1, True)


def test_a_server_that_does_not_answer_is_named(site):
    file = _kubeconfig(site, "dead", "token", "https://127.0.0.1:1")
    code, _, complaint = site.mpijob("--kubeconfig", file, "get")
    assert (code, "https://127.0.0.1:1" in complaint) == (1, True)


# The doctor.


@pytest.fixture(scope="module")
def doctor(site):
    """What the doctor says to somebody who sees everything."""
    code, said, _ = site.mpijob("doctor", "--operator-namespace", site.namespace, "-o", "json")
    return code, {row["name"]: row for row in json.loads(said)}


def test_the_doctor_knows_the_server(site, doctor):
    found = doctor[1]["server"]["found"]
    version = site.api.read("/version")["gitVersion"]
    assert found == f"Kubernetes {version}"


def test_the_doctor_finds_who_leads(site, doctor):
    found = doctor[1]["lease"]
    assert (found["health"], found["found"].split(" ")[0]) == (
        "ok",
        f"{site.namespace}/mpi-operator",
    )


def test_the_doctor_counts_the_gpus(doctor):
    assert doctor[1]["gpus"]["found"] == "40 nvidia.com/gpu"


def test_the_doctor_tells_a_stranger_of_rights_that_are_missing(site, stranger):
    code, said, _ = site.mpijob("--kubeconfig", stranger, "doctor", "-o", "json")
    found = {row["name"]: row["health"] for row in json.loads(said)}
    assert (code, found["rights"], found["nodes"]) == (1, "broken", "ok")


def test_the_doctor_tells_of_a_server_that_does_not_answer(site):
    file = _kubeconfig(site, "dead", "token", "https://127.0.0.1:1")
    code, said, _ = site.mpijob("--kubeconfig", file, "doctor")
    assert (code, said.startswith("broken  server")) == (1, True)
