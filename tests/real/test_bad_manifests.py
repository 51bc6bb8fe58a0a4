"""Job files of which no job can be made, sent to a real API server with the real kubectl.

Each goes to a namespace of its own, past an operator that looks after all of them, and after every
few comes a sound job. So it is with our definition, which refuses nearly all, in every version; and
with mpi-operator's, which lets most of those of v2beta1 through to the operator.
"""

import re
import runpy
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from harness import upstream
from harness.fake_site import DEFINITIONS, JOBS
from mpijob.api.crd import NAME
from mpijob.core import options
from mpijob.core.version import Version
from mpijob.generate.settings import NAMESPACE

ROOT = Path(__file__).parents[2]
CASES = runpy.run_path(str(ROOT / "tests" / "jobfile" / "bad_manifests.py"))
BAD, GOOD, OLDER = CASES["BAD"], CASES["GOOD"], CASES["OLDER"]
DEFINITION = f"{DEFINITIONS}/{NAME}"
#: Of so many bad ones in a row, a sound job comes after the last.
ROW = 10
#: What says that a job is invalid; of v1 `Failed` does, from the beginning.
INVALID = {"Invalid", "Failed"}
TOLD = {"Created", *INVALID}


@dataclass(frozen=True)
class Sent:
    """What came of the bad files and of the sound jobs among them.

    Args:
        refused: What kubectl said of each file that it, or the server, would not take.
        told: The true conditions that each job came to have that was taken.
        sound: The same of the sound jobs, once each had ended.
        is_alive: Whether the operator that began is still the one that runs.
        log: What it wrote.

    """

    refused: dict[str, str]
    told: dict[str, dict[str, str]]
    sound: list[set[str]]
    is_alive: bool
    log: str


@pytest.fixture(scope="module")
def site(site):
    """A cluster of this module's own, with our operator, that serves every version."""
    words = [f"--serve={version.value}" for version in Version]
    code, _, complaint = site.mpijob("install", "--wait", *words)
    assert code == 0, complaint
    return site


@pytest.fixture(scope="module")
def operator(site):
    """The operator of all namespaces."""
    return site.operator(NAMESPACE)


def _sent(site, operator, names, prefix, send):
    """Send each file to a namespace of its own, and sound jobs in between."""
    refused, told, sound = {}, {}, []
    space = site.space(f"{prefix}-sound")
    for row, few in enumerate(_rows(names)):
        for index, name in enumerate(few):
            where = f"{prefix}-{row}-{index}"
            site.api.create("/api/v1/namespaces", {"metadata": {"name": where}})
            said = send(where, BAD[name].data)
            if site.api.read(JOBS.format(where))["items"]:
                job = site.api.until(JOBS.format(where), lambda job: TOLD & _true(job).keys())
                told[name] = _true(job)
            else:
                refused[name] = said
        site.api.create(JOBS.format(space), _sound(f"sound-{row}"))
        sound.append(set(_true(site.until(space, f"sound-{row}", _has_ended))))
    return Sent(refused, told, sound, not operator.has_ended, operator.log.read_text())


def _rows(names):
    return [names[at : at + ROW] for at in range(0, len(names), ROW)]


def _sound(name):
    return {**yaml.safe_load(GOOD), "metadata": {"name": name}}


def _true(job):
    rows = job.get("status", {}).get("conditions") or ()
    return {row["type"]: row["message"] for row in rows if row["status"] == "True"}


def _has_ended(job):
    return "completionTime" in job.get("status", {})


@pytest.fixture(scope="module")
def under_ours(site, operator, tmp_path_factory):
    """What came of the files under our definition, by kubectl."""
    folder = tmp_path_factory.mktemp("bad")

    def send(where, data):
        file = folder / f"{where}.yaml"
        file.write_bytes(data)
        _, _, said = site.kubectl("create", "-n", where, "-f", str(file))
        file.unlink()
        return said

    return _sent(site, operator, list(BAD), "ours", send)


#: Options of ours in words that mean nothing.
BROKEN = {
    options.WRITTEN_IN: "v9",
    options.TRANSPORT: "smoke",
    options.MPI_IMPLEMENTATION: "LAM",
    options.CONVERTED_FROM: "{",
    options.SSH_SETUP: "somebody",
    options.ELASTIC: "perhaps",
}


@pytest.fixture(scope="module")
def with_broken_options(site, operator):
    """The true conditions of a sound job of each older version that has such options."""
    space = site.space("broken")
    for version, text in OLDER.items():
        job = yaml.safe_load(text)
        job["metadata"] = {"name": version, "annotations": BROKEN}
        site.api.create(f"/apis/{job['apiVersion']}/namespaces/{space}/mpijobs", job)
    return {version: set(_true(site.until(space, version, _has_ended))) for version in OLDER}


@pytest.fixture(scope="module")
def under_theirs(site, operator, under_ours, with_broken_options):
    """What came, under mpi-operator's, of those that reach a server; nobody checks them first."""
    there = site.api.read(DEFINITION)["metadata"]["resourceVersion"]
    theirs = upstream.definition()
    theirs["metadata"]["resourceVersion"] = there
    site.api.did(site.api.ask("PUT", DEFINITION, theirs))
    site.api.until(DEFINITIONS, _has_no_rules, fieldSelector=f"metadata.name={NAME}")

    def send(where, data):
        path = JOBS.format(where)
        return site.api.ask("POST", path, data, content_type="application/yaml").message

    read = [name for name in BAD if _BY_SERVER.search(under_ours.refused.get(name, ""))]
    return _sent(site, operator, read, "theirs", send)


_BY_SERVER = re.compile(r"^(Error from server|The \S+ \S* ?is invalid)", re.MULTILINE)


def _has_no_rules(crd):
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return "x-kubernetes-validations" not in schema


@pytest.fixture(params=["under_ours", "under_theirs"])
def sent(request):
    """Either."""
    return request.getfixturevalue(request.param)


#: What is no fault to a server, or gone before it reaches one.
FINE = {
    "UTF-16": "YAML may be written so",
    "two documents": "the first is a job; the second one has its name",
    "a key twice": "kubectl takes the last",
    "workers that are misspelled": "a job without workers, and a role that is passed over",
    "an older version": "a job of that version, and a field that the server keeps for the others",
    "a field in the wrong place": "an older version has it there, and a server keeps it for that",
    "v1alpha2: an earlier version's GPUs": "likewise, and here it says nothing",
    "v1: a later version's ssh path": "likewise",
}
#: What mpi-operator's definition drops without a word: the job that is left is sound.
DROPPED = {
    "a key that is a number",
    "a key that is a boolean",
    "a field that is misspelled",
    "a field of a container that is misspelled",
}


def _silent(sent, names):
    """The files that are neither refused nor told of as invalid."""
    return {
        name
        for name in names
        if not sent.refused.get(name) and not INVALID & sent.told[name].keys()
    }


def test_every_bad_file_is_refused_or_its_job_says_why(under_ours):
    assert _silent(under_ours, BAD) == FINE.keys()


def test_what_their_definition_lets_in_says_why_it_is_invalid(under_theirs):
    names = under_theirs.refused.keys() | under_theirs.told.keys()
    assert _silent(under_theirs, names) == DROPPED


def test_a_job_that_is_invalid_names_the_field(under_theirs):
    told = {name: rows["Invalid"] for name, rows in under_theirs.told.items() if "Invalid" in rows}
    assert [name for name, message in told.items() if BAD[name].field not in message] == []


def test_the_operator_goes_on(sent):
    assert (sent.is_alive, "Traceback" in sent.log) == (True, False)


def test_sound_jobs_among_them_run_to_their_end(sent):
    assert sent.sound == [{"Created", "Succeeded"}] * len(sent.sound)


def test_options_that_mean_nothing_keep_no_job_from_its_end(with_broken_options):
    assert list(with_broken_options.values()) == [{"Created", "Succeeded"}] * len(OLDER)
