"""However a supervisor, a runtime or a pod's keeper dies, no process of the job lives on."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mpijob.local import processes
from mpijob.local.sweep import sweep

SUPERVISOR = Path(__file__).with_name("supervisor.py")
PATIENCE_S = 60.0

# Which processes are killed, with SIGKILL, in this order.
VICTIMS = {
    "the supervisor": ("supervisor",),
    "the runtime": ("runtime",),
    "both, the supervisor first": ("supervisor", "runtime"),
    "both, the runtime first": ("runtime", "supervisor"),
    "a pod's keeper": ("keeper",),
}


class Family:
    """A supervisor in a process of its own, with two pods full of processes."""

    def __init__(self, mode, folder):
        self.home = folder / "home"
        command = [sys.executable, str(SUPERVISOR), mode, str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = json.loads(self.process.stdout.readline())
        self.mark = f"{processes.RUNTIME_MARK}={said['token']}"
        self.command = said["command"]
        self.runtime = said["runtime"]
        self.keepers = said["keepers"]

    def kill(self, victims):
        """Kill the victims at once; return when those that are our child's are dead."""
        named = {
            "supervisor": [self.process.pid],
            "runtime": [self.runtime],
            "keeper": self.keepers[:1],
            "keepers": self.keepers,
        }
        for victim in victims:
            for number in named[victim]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)

    def members(self):
        """Return the processes of the pods: by their mark, and by their command's odd number."""
        found = processes.marked(self.mark)
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if self.command in Path("/proc", name, "cmdline").read_bytes().decode():
                    found.add(int(name))
        return found

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        # A runtime that still lives ends by itself, now that its supervisor is gone.
        gone([self.runtime, *self.keepers])
        sweep(self.home)
        # What has stripped itself of its marks, and lost its keeper, only the test can name.
        for member in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)


@pytest.fixture
def family(mode):
    with tempfile.TemporaryDirectory(prefix="stage-", ignore_cleanup_errors=True) as folder:
        made = Family(mode, Path(folder))
        yield made
        made.end()


def gone(members):
    """Wait for each of `members` to be dead; return those that are not after a long while."""
    late = []
    for member in members:
        try:
            handle = os.pidfd_open(member)
        except ProcessLookupError:
            continue
        try:
            ready, _, _ = select.select([handle], [], [], PATIENCE_S)
            if not ready:
                late.append(member)
        finally:
            os.close(handle)
    return late


@pytest.mark.parametrize("victims", VICTIMS.values(), ids=VICTIMS)
def test_nothing_is_left_after_the_death_of(victims, family):
    members = family.members()
    family.kill(victims)
    if "supervisor" not in victims and "runtime" not in victims:
        # The other pod lives on, as it should, until its supervisor ends.
        family.process.terminate()
    assert (len(members) >= 8, gone(members), family.members()) == (True, [], set())


def test_a_sweep_ends_what_outlived_even_the_keepers(family):
    family.kill(("supervisor", "runtime", "keepers"))
    gone([family.runtime, *family.keepers])
    sweep(family.home)
    assert {pid for pid in family.members() if processes.carries(pid, family.mark)} == set()


def test_a_sweep_removes_the_folders_of_a_dead_runtime(family):
    record = next(family.home.glob("runtimes/*.json"))
    folders = json.loads(record.read_text())["folders"]
    family.kill(("supervisor", "runtime", "keepers"))
    gone([family.runtime, *family.keepers])
    sweep(family.home)
    assert [path for path in [*folders, record] if os.path.exists(path)] == []


def test_a_sweep_leaves_a_living_runtime_alone(family):
    members = family.members()
    sweep(family.home)
    assert members <= family.members()


def test_a_sweep_removes_no_folder_but_those_that_a_runtime_made(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    records = tmp_path / "home" / "runtimes"
    records.mkdir(parents=True)
    (records / "0123.json").write_text(json.dumps({"folders": [str(precious), 7, "/"]}))
    (records / "4567.json").write_text('{"folders": ["/tm')
    sweep(tmp_path / "home")
    assert (precious.exists(), list(records.iterdir())) == (True, [])
