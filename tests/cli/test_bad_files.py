"""Every command that reads a job file answers a bad one alike: one message, the field, exit 2."""

import pytest

from mpijob.cli import exits, job_input, lint

MODULES = (job_input, lint)
COMMANDS = (("run",), ("run", "--dry-run"), ("plan",), ("lint",))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_bad_file(mpijob, tmp_path, bad_manifest, command):
    path = tmp_path / "job.yaml"
    path.write_bytes(bad_manifest.data)
    answer = mpijob(*command, str(path))
    said = answer.err + answer.out
    where = f": error: {bad_manifest.field}: " if bad_manifest.field else ": error: "
    got = (
        answer.code,
        said.startswith(f"{path}:"),
        where in said,
        bad_manifest.words in said,
        "Traceback" in said,
    )
    assert got == (exits.INVALID, True, True, True, False), said


def test_a_good_file_has_no_errors(mpijob, tmp_path, good_manifest):
    path = tmp_path / "job.yaml"
    path.write_bytes(good_manifest)
    assert mpijob("lint", str(path)).code == exits.OK


def test_warnings_may_count(mpijob, tmp_path, good_manifest):
    path = tmp_path / "job.yaml"
    path.write_bytes(good_manifest.replace(b"image: example.com/mpi:1", b"image: IMAGE"))
    codes = (mpijob("lint", str(path)).code, mpijob("lint", "--strict", str(path)).code)
    assert codes == (exits.OK, exits.INVALID)


def test_lint_speaks_to_programs(mpijob, tmp_path, good_manifest):
    path = tmp_path / "job.yaml"
    path.write_bytes(good_manifest.replace(b"image: example.com/mpi:1", b"image: IMAGE"))
    assert '"severity": "warning"' in mpijob("lint", "-o", "json", str(path)).out


def test_lint_reads_several_files(mpijob, tmp_path, good_manifest):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_bytes(good_manifest)
    bad.write_text("kind: Pod")
    answer = mpijob("lint", str(good), str(bad))
    assert (answer.code, f"{bad}:1:1: error: kind: this is a Pod" in answer.out) == (2, True)


def test_a_file_that_is_not_there(mpijob, tmp_path):
    answer = mpijob("run", str(tmp_path / "none.yaml"))
    assert (answer.code, answer.err) == (
        exits.INVALID,
        f"{tmp_path}/none.yaml: error: there is no such file\n",
    )
