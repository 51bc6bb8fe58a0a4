"""`mpijob doctor`."""

import json

import pytest

from mpijob.cli import checkup, exits

NAMES = {
    "system", "mpi", "mpi4py", "compiler", "namespaces", "cpus", "memory", "gpus", "shm",
    "open files", "home", "journal",
}  # fmt: skip


def test_it_looks_at_everything_that_jobs_need(home):
    assert {check.name for check in checkup.checkup()} == NAMES


def test_it_says_so_to_programs(mpijob):
    found = json.loads(mpijob("doctor", "-o", "json").out)
    assert {check["name"] for check in found} == NAMES


def test_a_home_that_cannot_be_used_is_broken(mpijob, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MPIJOB_HOME", str(tmp_path / "file"))
    answer = mpijob("doctor")
    assert (answer.code, answer.out.splitlines()[-1]) == (
        exits.FAILED,
        "Jobs cannot run here before this is mended: home.",
    )


def test_a_journal_that_is_none_is_broken(mpijob, home):
    home.journal.write_bytes(b"no database" * 1000)
    answer = mpijob("doctor")
    assert (answer.code, answer.out.splitlines()[-1]) == (
        exits.FAILED,
        "Jobs cannot run here before this is mended: journal.",
    )


@pytest.mark.parametrize("count", [0, 1, 2])
def test_it_counts_the_jobs(mpijob, store, count):
    for index in range(count):
        store.job(f"pi-{index}")
    found = {check.name: check.found for check in checkup.checkup()}
    assert found["journal"].startswith("1 job," if count == 1 else f"{count} jobs,")
