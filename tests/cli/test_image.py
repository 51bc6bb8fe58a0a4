"""`mpijob image`."""

import pytest

from mpijob.cli import exits
from mpijob.generate.image import ImageSettings, containerfile


def test_it_prints_the_containerfile_of_a_project(mpijob, tmp_path):
    (tmp_path / "requirements.txt").write_text("numpy\n")
    answer = mpijob("image", str(tmp_path), "--mpi", "mpich", "--user", "runner", "--base", "b:1")
    assert ("COPY requirements.txt" in answer.out, "FROM b:1\n" in answer.out) == (True, True)


def test_a_project_without_requirements_has_mpi4py_alone(mpijob, tmp_path):
    assert mpijob("image", str(tmp_path)).out == containerfile(ImageSettings())


def test_it_writes_the_file_that_it_names(mpijob, tmp_path):
    path = tmp_path / "Containerfile"
    answer = mpijob("image", str(tmp_path), "-f", str(path))
    assert (path.read_text(), f"buildah build -f {path}" in answer.err) == (
        containerfile(ImageSettings()),
        True,
    )


WRONG = {
    "a file that is there already": (["-f", "there"], "there is there already"),
    "requirements that are not there": (["--requirements", "no.txt"], "there is no no.txt in"),
    "a user that is none": (["--user", "A B"], "no name of a user"),
}


@pytest.mark.parametrize(("words", "told"), WRONG.values(), ids=WRONG)
def test_it_says_what_is_wrong(mpijob, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").touch()
    answer = mpijob("image", ".", *words)
    assert (answer.code, told in answer.err) == (exits.INVALID, True)
