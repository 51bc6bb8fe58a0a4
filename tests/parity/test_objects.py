"""Our children of a job are those of mpi-operator v0.8.2, but for what docs/differences.md lists.

Both halves are held: what is not listed is equal, and what is listed is there.
"""

import re
from pathlib import Path

import pytest

from mpijob.core import build, names, transport
from mpijob.core.config import Config

SETUPS = {
    "a job that mpi-operator began": "",
    "a job of ours": None,
}
API = {
    "service": ("v1", "Service"),
    "config": ("v1", "ConfigMap"),
    "secret": ("v1", "Secret"),
    "worker": ("v1", "Pod"),
    "launcher": ("batch/v1", "Job"),
}
METADATA = r"(worker|launcher/spec/template)/metadata"
POD = r"(worker/spec|launcher/spec/template/spec)"
LAUNCHER = "launcher/spec/template/spec"
# By their row in docs/differences.md: the places where ours may differ.
LISTED = {
    11: r"launcher/spec/ttlSecondsAfterFinished",
    17: r"service/spec/publishNotReadyAddresses",
    18: (
        rf"config/data/wait_for_workers\.sh|{LAUNCHER}/initContainers/\[wait-for-workers\]/.*"
        rf"|{LAUNCHER}/volumes/\[mpijob-setup\]/.*"
    ),
    19: rf"{LAUNCHER}/containers/\[mpi\]/env/\[PRTE_MCA_prte_.*",
    20: rf"{LAUNCHER}/containers/\[mpi\]/env/\[HYDRA_LAUNCHER_EXTRA_ARGS\]/.*",
    21: rf"{LAUNCHER}/dnsConfig/searches",
    23: rf"{POD}/containers/\[mpi\]/terminationMessagePolicy",
    24: (
        r"config/data/(ssh_config|sshd_config|prepare_ssh\.sh|start_sshd\.sh|handed_on)"
        r"|config/data/(ssh_)?with_environment\.sh"
        r"|worker/spec/containers/\[mpi\]/command"
        r"|worker/spec/initContainers/\[prepare-ssh\]/.*"
        rf"|{LAUNCHER}/containers/\[mpi\]/env/\[(OMPI_MCA_plm_rsh|PRTE_MCA_plm_ssh)_agent\]/.*"
        rf"|{LAUNCHER}/containers/\[mpi\]/env/\[I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS\]/value"
        rf"|{POD}/volumes/\[mpijob-(keys|drawn-keys)\]/.*"
        rf"|{POD}/volumes/\[mpijob-setup\]/.*"
        rf"|{POD}/containers/\[mpi\]/volumeMounts/\[(/etc/mpijob/.*|/etc/passwd)\]/.*"
    ),
    35: r"(service|config|secret|launcher)/metadata/labels/mpijob\.dev/child",
    36: rf"{POD}/containers/\[mpi\]/ports/.*",
    37: rf"{LAUNCHER}/containers/\[mpi\]/env/\[OMPI_MCA_if_base_do_not_resolve\]/.*",
    38: (
        rf"{METADATA}/(labels|annotations)/sidecar\.istio\.io/inject"
        rf"|{METADATA}/annotations/linkerd\.io/inject"
    ),
    39: (
        rf"{POD}/volumes/\[mpijob-shared-memory\]/.*"
        rf"|{POD}/containers/\[mpi\]/volumeMounts/\[/dev/shm\]/.*"
    ),
    44: rf"{LAUNCHER}/containers/\[mpi\]/env/\[PRTE_MCA_odls_base_max_threads\]/.*",
    26: r"config/metadata/annotations/mpijob\.dev/ssh-setup",
    45: rf"{METADATA}/labels/(group[-_]name|mpi[-_](job|role)[-_](name|type|role))",
}


def wanted(case, recorded):
    """Return our children of a case's job, as far as there are facts of them."""
    job, facts = case.job, case.facts["children"]
    setup = transport.setup(job, Config(), recorded)
    moment = case.facts.get("running") or case.facts["suspended"]
    running = moment["workers"]
    if case.name == "many":
        running = [names.worker(job.name, index) for index in range(job.worker_count)]
    made = {
        "service": build.service(job),
        "config": build.config(job, running, Config(), setup),
        "secret": build.user_secret(job),
        "launcher": build.launcher(job, Config(), setup, suspended=job.suspended),
    }
    workers = {
        name: build.worker(job, names.worker_index(name), Config(), setup)
        for name in facts.get("workers", ())
    }
    return made, workers


def whole(kind, child, job, name):
    """Return one of their children with what the facts leave out of all of them."""
    version, wire_kind = API[kind]
    child = {key: value for key, value in child.items() if key != "keys"}
    metadata = {
        "namespace": job.namespace,
        "name": name,
        "ownerReferences": [names.owner(job.identity)],
        **child["metadata"],
    }
    if kind == "launcher":
        template = child["spec"]["template"]
        owned = {"ownerReferences": [names.owner(job.identity)], **template["metadata"]}
        child["spec"] = {**child["spec"], "template": {**template, "metadata": owned}}
    return {**child, "apiVersion": version, "kind": wire_kind, "metadata": metadata}


def differing(case, recorded, compared):
    """Return every difference, its path led by the kind of child."""
    made, workers = wanted(case, recorded)
    facts, job = case.facts["children"], case.job
    pairs = [
        (kind, whole(kind, facts[kind], job, facts[kind]["metadata"]["name"]), made[kind])
        for kind in made
    ]
    pairs += [
        ("worker", whole("worker", theirs, job, name), workers[name])
        for name, theirs in facts.get("workers", {}).items()
    ]
    for kind, theirs, ours in pairs:
        for found in compared(theirs, ours):
            yield f"{kind}{found.path}", found


@pytest.mark.parametrize("recorded", SETUPS.values(), ids=SETUPS)
def test_children_are_mpi_operators_but_for_the_listed_differences(made, recorded, compared):
    unlisted = [
        found
        for path, found in differing(made, recorded, compared)
        if not any(re.fullmatch(pattern, path) for pattern in LISTED.values())
    ]
    assert unlisted == []


@pytest.fixture(scope="module")
def paths(cases, compared):
    """Return every path at which any child of any job differs."""
    return {
        path
        for case in cases
        for recorded in SETUPS.values()
        for path, _ in differing(case, recorded, compared)
    }


@pytest.mark.parametrize("row", LISTED)
def test_every_listed_difference_is_there(paths, row):
    places = list(_alternatives(LISTED[row]))
    assert [p for p in places if not any(re.fullmatch(p, path) for path in paths)] == []


@pytest.mark.parametrize("row", LISTED)
def test_every_difference_is_documented(row):
    text = (Path(__file__).parents[2] / "docs" / "differences.md").read_text()
    assert f"\n| {row} |" in text


def _alternatives(pattern):
    """Return the alternatives of a pattern at its top level."""
    depth, start = 0, 0
    for index, letter in enumerate(pattern):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "|" and depth == 0:
            yield pattern[start:index]
            start = index + 1
    yield pattern[start:]


def test_jobs_that_mpi_operator_began_differ_in_little(cases, compared):
    """Nothing of an ssh set-up of ours is in a job whose pods mpi-operator made."""
    places = {path for case in cases for path, _ in differing(case, "", compared)}
    assert [path for path in places if re.fullmatch(LISTED[24], path) and "setup" not in path] == []


@pytest.mark.parametrize("recorded", SETUPS.values(), ids=SETUPS)
def test_variables_come_in_mpi_operators_order(made, recorded):
    def listed(launcher):
        return [e["name"] for e in launcher["spec"]["template"]["spec"]["containers"][0]["env"]]

    theirs = listed(made.facts["children"]["launcher"])
    ours = listed(wanted(made, recorded)[0]["launcher"])
    assert [name for name in ours if name in theirs] == theirs


def test_the_users_keys_have_mpi_operators_names(made):
    assert sorted(build.USER_KEY_NAMES) == made.facts["children"]["secret"]["keys"]


def test_a_resumed_jobs_directives_are_those_of_a_new_one(cases):
    [case] = [case for case in cases if case.name == "suspended"]
    setup = transport.setup(case.job, Config(), "")
    ours = build.scheduling_directives(case.job, Config(service_mesh=True), setup)["metadata"]
    theirs = case.facts["resumed"]["children"]["launcher"]["spec"]["template"]["metadata"]
    families = re.compile(LISTED[45].rpartition("/")[2])
    ours["labels"] = {k: v for k, v in ours["labels"].items() if not families.fullmatch(k)}
    assert ours == {key: theirs[key] for key in ("labels", "annotations")}
