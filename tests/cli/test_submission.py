"""What `mpijob run` is to run."""

from pathlib import Path

import pytest

from mpijob.api.manifest import key_of
from mpijob.cli.job_options import NAMES
from mpijob.cli.submission import Wish, submission
from mpijob.cli.trouble import Trouble

NO_FLAGS = dict.fromkeys(NAMES)


def wish(*files, words=None, name="", namespace="", mpi="", **flags):
    return Wish(files, words, name, namespace, mpi, NO_FLAGS | {"env": {}} | flags)


@pytest.fixture
def file(tmp_path, good_manifest) -> str:
    path = tmp_path / "pi.yaml"
    path.write_bytes(good_manifest)
    return str(path)


def test_a_file_is_run_from_its_own_folder(file):
    assert submission(wish(file)).folder == Path(file).parent


def test_a_file_keeps_its_name_and_gets_a_namespace(file):
    assert key_of(submission(wish(file)).file.manifest) == ("default", "pi")


def test_the_command_line_names_a_file_anew(file):
    found = submission(wish(file, name="tau", namespace="lab")).file
    assert key_of(found.manifest) == ("lab", "tau")


def test_what_is_shown_has_no_namespace_that_nobody_asked_for(file):
    assert key_of(submission(wish(file)).manifest) == ("", "pi")


def test_a_program_is_run_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert submission(wish(words=("./pi",))).folder == tmp_path


def test_a_program_names_its_job():
    assert key_of(submission(wish(words=("python", "fit.py"))).file.manifest) == ("default", "fit")


NUMBERED = {"the program's name": ("", True), "a name that was asked for": ("tau", False)}


@pytest.mark.parametrize(("name", "want"), NUMBERED.values(), ids=NUMBERED)
def test_only_a_name_of_ours_may_get_a_number(name, want):
    assert submission(wish(words=("./pi",), name=name)).numbered is want


def test_a_family_of_mpi_is_the_jobs():
    found = submission(wish(words=("./pi",), mpi="mpich")).manifest
    assert found["spec"]["mpiImplementation"] == "MPICH"


WRONG = {
    "nothing to run": (wish(), "a job file, or a program after --"),
    "nothing after --": (wish(words=()), "a job file, or a program after --"),
    "a file and a program": (wish("pi.yaml", words=("./pi",)), "a file, or -- and a program"),
    "a program without --": (
        wish("python", "train.py", workers=2),
        "mpijob run -n 2 -- python train.py",
    ),
    "a program alone, without --": (wish("/bin/sh"), "mpijob run -- /bin/sh"),
    "options that the file has": (wish("pi.yaml", workers=2), "change pi.yaml"),
}


@pytest.mark.parametrize(("asked", "hint"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_meant_gets_a_hint(asked, hint):
    with pytest.raises(Trouble) as raised:
        submission(asked)
    assert raised.value.hint.startswith(hint)
