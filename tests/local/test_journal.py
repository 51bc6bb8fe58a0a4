"""The journal is whole whatever happens to its writers, and every reader sees the same."""

import os
import signal
import sqlite3
import subprocess
import sys
from random import Random

import pytest

from mpijob.cluster.refusals import Refused
from mpijob.core.plan import Kind, Ref
from mpijob.local import database as database_module
from mpijob.local import home
from mpijob.local.journal import Journal, JournalBroken

HOSTS = Ref(Kind.CONFIG_MAP, "default", "hosts")


@pytest.fixture
def place(tmp_path):
    return home.opened(tmp_path / "home")


@pytest.fixture
def journals(place):
    """Opens journals of one home, each as another process would."""
    opened = []

    def another():
        opened.append(Journal(place))
        return opened[-1]

    yield another
    for journal in opened:
        journal.close()


def config(name="hosts", **data):
    metadata = {"namespace": "default", "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def create(journal, manifest):
    now = journal.now()
    uid = f"uid of {manifest['metadata']['name']}"
    return journal.write(lambda store: store.create(manifest, now=now, uid=uid))


def patch(journal, **data):
    now = journal.now()
    return journal.write(lambda store: store.patch(HOSTS, {"data": data}, now=now))


def names(journal):
    return [row["metadata"]["name"] for row in journal.store.list(Kind.CONFIG_MAP)]


def test_what_was_written_is_there_when_the_journal_is_opened_again(journals):
    create(journals(), config(a="1"))
    assert journals().store.get(HOSTS)["data"] == {"a": "1"}


def test_what_another_wrote_is_seen_after_catching_up(journals):
    one, other = journals(), journals()
    create(one, config(a="1"))
    other.catch_up()
    assert other.store.snapshot().objects == one.store.snapshot().objects


def test_a_writer_decides_on_what_others_wrote_before(journals):
    one, other = journals(), journals()
    create(one, config(a="1"))
    patch(other, b="2")
    patch(one, c="3")
    assert one.store.get(HOSTS)["data"] == {"a": "1", "b": "2", "c": "3"}


def test_two_writers_never_take_the_same_name(journals):
    one, other = journals(), journals()
    create(one, config())
    with pytest.raises(Refused):
        create(other, config())


def test_a_refused_write_leaves_nothing_of_what_it_did_before(journals):
    one = journals()

    def twice(store):
        store.create(config(), now=one.now(), uid="u1")
        store.create(config(), now=one.now(), uid="u2")

    with pytest.raises(Refused):
        one.write(twice)
    assert (names(one), names(journals())) == ([], [])


def test_a_reader_that_is_far_behind_reads_all_anew(journals, monkeypatch):
    monkeypatch.setattr(database_module, "HISTORY_LENGTH", 4)
    one, late = journals(), journals()
    told = late.subscribe(Kind.CONFIG_MAP, lambda: None)
    create(one, config())
    for number in range(20):
        patch(one, a=str(number))
    late.catch_up()
    assert [(row.type.value, row.manifest["data"]) for row in told.pending] == [
        ("ADDED", {"a": "19"})
    ]


def test_the_history_is_bounded(journals, place, monkeypatch):
    monkeypatch.setattr(database_module, "HISTORY_LENGTH", 4)
    one = journals()
    create(one, config())
    for number in range(50):
        patch(one, a=str(number))
    with sqlite3.connect(place.journal) as database:
        count = database.execute("SELECT count(*) FROM history").fetchone()[0]
    database.close()
    assert count < 12


def test_the_journal_is_readable_by_its_user_alone(journals, place):
    journals()
    assert place.journal.stat().st_mode & 0o077 == 0


def test_a_journal_of_a_newer_layout_is_left_alone(journals, place):
    journals()
    with sqlite3.connect(place.journal) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(JournalBroken, match="written by a newer mpijob"):
        Journal(place)


def test_a_file_that_is_no_database_is_named(place):
    place.journal.write_text("this is not a database, and long enough to be looked at as one\n" * 9)
    with pytest.raises(JournalBroken, match=r"journal\.db is damaged"):
        Journal(place)


def test_a_full_disk_is_told_and_loses_nothing(journals):
    one = journals()
    create(one, config("kept", a="1"))
    pages = one._database._connection.execute("PRAGMA page_count").fetchone()[0]
    one._database._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalBroken, match="disk full"):
        create(one, config("lost", a="x" * 100_000))
    one._database._connection.execute("PRAGMA max_page_count = 100000")
    create(one, config("later"))
    assert (names(one), names(journals())) == (["kept", "later"],) * 2


WRITER = """
import sys
from itertools import count
from pathlib import Path
from mpijob.local.home import opened
from mpijob.local.journal import Journal

journal = Journal(opened(Path(sys.argv[1])))
for number in count():
    name = f"c-{sys.argv[2]}-{number}"
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "default", "name": name},
        "data": {"text": "x" * (number * 37 % 5000)},
    }
    journal.write(lambda store: store.create(manifest, now=journal.now(), uid=f"uid of {name}"))
    print(name, flush=True)
"""


@pytest.mark.slow  # Twelve processes are started and killed.
def test_a_writer_killed_at_any_moment_leaves_the_journal_whole(place):
    dice = Random(7)
    acknowledged = {name for turn in range(12) for name in killed_writer(place, turn, dice)}
    journal = Journal(place)
    there = set(names(journal))
    sound = journal._database._connection.execute("PRAGMA integrity_check").fetchone()[0]
    journal.close()
    assert (sound, acknowledged - there) == ("ok", set())


def killed_writer(place, turn, dice):
    """Kill a writer shortly after one of its writes; return the names that it had told of."""
    command = [sys.executable, "-c", WRITER, str(place.path), str(turn)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        told = [writer.stdout.readline().strip() for _ in range(dice.randint(1, 30))]
        for _ in range(dice.randint(0, 5000)):
            pass  # So that the kill meets another moment of the next write.
        writer.send_signal(signal.SIGKILL)
        return told + writer.stdout.read().split()


FILLER = """
import os, sys
from pathlib import Path
from mpijob.local import kernel
from mpijob.local.home import opened
from mpijob.local.journal import Journal, JournalBroken

kernel.unshare(kernel.CLONE_NEWNS)
kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_SLAVE)
kernel.mount("tmpfs", sys.argv[1], "tmpfs", 0, "size=512k")
home = opened(Path(sys.argv[1]) / "home")
journal = Journal(home)

def write(name, size):
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "default", "name": name},
        "data": {"text": "x" * size},
    }
    journal.write(lambda store: store.create(manifest, now=journal.now(), uid=f"uid of {name}"))

kept = []
try:
    for number in range(1000):
        write(f"c-{number}", 3000)
        kept.append(f"c-{number}")
except JournalBroken as full:
    print(full)
again = Journal(home)
there = [row["metadata"]["name"] for row in again.store.list("ConfigMap")]
print(sorted(there) == sorted(kept), 0 < len(kept) < 1000)
"""


@pytest.mark.root  # It mounts a small disk, in a mount namespace of its own.
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
def test_a_disk_that_is_really_full_is_told_and_loses_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(tmp_path)], capture_output=True, text=True, check=False
    )
    told, kept = done.stdout.splitlines()
    assert (told.split(":")[0], kept, done.stderr) == ("disk full", "True True", "")
