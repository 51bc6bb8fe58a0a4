"""An operator on a bad line to a real API server: every job ends right, and nothing leaks.

Jobs of all kinds are made, changed and deleted beside the line, on fake nodes; operators, two as
they are installed, reach the server by the line alone. After a while the line is mended, and then
everything has to be as it should be. Ends, launchers and children are looked at beside the line.

`MPIJOB_FAULTS_S` is how long the line is bad (`make soak` chooses 600), `MPIJOB_FAULTS_SEED` draws.
"""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from harness.api import Event
from harness.audit import JOB_NAME, Audit, audited
from harness.cluster import Cluster, write_kubeconfig
from harness.fake_site import JOBS
from harness.own_operator import MPIJOB
from harness.processes import Process
from harness.proxy import CALM, Faults, Line, bad_line
from harness.stories import Play

BAD_S = float(os.environ.get("MPIJOB_FAULTS_S", "40"))
SEED = int(os.environ.get("MPIJOB_FAULTS_SEED", "1"))
#: How long everything may take to come right on a line that is good again: a watch that fell silent
#: last is given up after 100 s, and then some stories have yet to be told to their end.
SETTLE_S = 240
JOBS_PER_S = 2.0
OPERATORS = 2
BAD = Faults(
    lost=0.03,
    unheard=0.04,
    slow=0.05,
    twice=0.02,
    conflict=0.02,
    busy=0.03,
    broken=0.03,
    late=0.03,
    mute=0.01,
    watch_forgotten=0.1,
    watch_cut=0.35,
    watch_ended=0.25,
    watch_mute=0.2,
)

pytestmark = [
    pytest.mark.slow,  # The line is bad for as long as it takes to meet most faults.
    pytest.mark.timeout(BAD_S + SETTLE_S + 240, func_only=True),
]


@dataclass
class Outcome:
    """What came of it all."""

    unsettled: list[str]
    audit: Audit
    line: Line
    job_count: int
    operator_starts: int


class Operators:
    """As many operators as are installed; one that ends is started again, as by a kubelet."""

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path) -> None:
        self._words = [
            *MPIJOB,
            "operator",
            f"--namespace={namespace}",
            f"--lock-namespace={namespace}",
            "--health-port=0",
        ]
        self._environment = {"KUBECONFIG": str(kubeconfig)}
        self._folder = folder
        self.starts = 0
        self._running = [self._started(index) for index in range(OPERATORS)]

    def go_on(self) -> None:
        """Start those again that have ended."""
        self._running = [
            self._started(index) if process.has_ended else process
            for index, process in enumerate(self._running)
        ]

    def stop(self) -> None:
        for process in self._running:
            process.stop()

    def _started(self, index: int) -> Process:
        self.starts += 1
        log = self._folder / f"operator-{index}.log"
        return Process(f"operator-{index}", self._words, log, environment=self._environment)


@pytest.fixture(scope="module")
def space(defined: Cluster):
    """A namespace of this module's own."""
    name = f"faults-{SEED}"
    with defined.api("faults") as api:
        api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
        api.until(accounts, lambda found: found["metadata"]["name"] == "default")
        api.until_answers(JOBS.format(name))
    yield name
    with defined.api("faults") as api:
        api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def outcome(defined, space, tmp_path_factory):
    """Play all stories on a bad line, mend it, and wait until all is well or time is up."""
    folder = tmp_path_factory.mktemp("faults")
    dice = Random(SEED)
    print(f"seed {SEED}, logs in {folder}")  # noqa: T201
    line, moment = Line(Random(SEED), BAD), threading.Event()
    with (
        defined.api("faults") as api,
        audited(defined, space) as audit,
        bad_line(defined.url, defined.ca, line),
    ):
        kubeconfig = write_kubeconfig(
            folder / "kubeconfig", url=line.url, ca=Path(defined.ca), user={"token": defined.token}
        )
        operators, play = Operators(kubeconfig, space, folder), Play(api, space, dice)
        try:
            began_at = time.monotonic()
            while (passed_s := time.monotonic() - began_at) < BAD_S:
                if len(play.made) < passed_s * JOBS_PER_S:
                    play.begin()
                play.go_on()
                operators.go_on()
                moment.wait(0.05)
            line.faults = CALM
            ends_at = time.monotonic() + SETTLE_S
            unsettled = ["nothing was looked at"]
            while (unsettled or not play.is_through) and time.monotonic() < ends_at:
                play.go_on()
                operators.go_on()
                moment.wait(0.5)
                unsettled = play.unsettled()
        finally:
            operators.stop()
    return Outcome(unsettled, audit, line, len(play.made), operators.starts)


def test_every_job_ends_as_it_should_and_has_the_children_it_should_have(outcome):
    assert "\n".join(outcome.unsettled) == ""


def test_no_job_has_two_launchers_and_none_that_has_ended_goes_on(outcome):
    assert outcome.audit.wrongs == []


def test_every_fault_has_happened(outcome):
    odds = {**BAD.of_requests(), **BAD.of_watches()}
    assert set(odds) - set(outcome.line.done) == set()


def test_the_server_is_not_overrun(outcome):
    most_per_s = outcome.line.most_per_s()
    per_job = sum(outcome.line.asked.values()) / outcome.job_count
    print(f"at most {most_per_s:.0f} requests/s, {per_job:.0f} a job")  # noqa: T201
    # On a good line a job takes some 20, and jobs come at a rate of JOBS_PER_S.
    assert (most_per_s < 50 * JOBS_PER_S, per_job < 60) == (True, True)


def _launcher(name, phase="Running", **metadata):
    labels = {JOB_NAME: "pi"}
    return {"metadata": {"name": name, "labels": labels, **metadata}, "status": {"phase": phase}}


def _ended(*ends):
    rows = [{"type": end, "status": "True"} for end in ends]
    return {"metadata": {"uid": "u", "name": "pi"}, "status": {"conditions": rows}}


WRONGS = {
    "two launchers at once": ("see_launcher", [_launcher("a"), _launcher("b")], 1),
    "one after the other": (
        "see_launcher",
        [_launcher("a"), _launcher("a", "Failed"), _launcher("b")],
        0,
    ),
    "one while the other goes": (
        "see_launcher",
        [_launcher("a"), _launcher("a", deletionTimestamp="now"), _launcher("b")],
        0,
    ),
    "two ends": ("see_job", [_ended("Succeeded", "Failed")], 1),
    "an end that is taken back": ("see_job", [_ended("Failed"), _ended()], 1),
    "another end": ("see_job", [_ended("Failed"), _ended("Succeeded")], 1),
    "one end": ("see_job", [_ended(), _ended("Failed"), _ended("Failed")], 0),
}


@pytest.mark.parametrize(("see", "objects", "want"), WRONGS.values(), ids=WRONGS)
def test_the_audit_tells_what_must_never_be(see, objects, want):
    audit = Audit()
    for found in objects:
        getattr(audit, see)(Event("MODIFIED", found))
    assert len(audit.wrongs) == want
