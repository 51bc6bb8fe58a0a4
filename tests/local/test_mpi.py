"""Which MPIs a machine has: told from what their launchers say of themselves."""

import json

import pytest

from mpijob.local.mpi import Family, Mpi, as_json, described, installed, preferred

ANSWERS = {
    "Open MPI 5, of a wheel": (
        "mpirun (Open MPI) 5.0.11\n\nReport bugs to https://www.open-mpi.org/community/help/\n",
        "Open MPI 5.0.11",
    ),
    "Open MPI 4, of Debian": ("mpirun.openmpi (OpenRTE) 4.1.4\n\nReport bugs to", "Open MPI 4.1.4"),
    "MPICH": (
        "HYDRA build details:\n    Version:                                 5.0.2\n    Release",
        "MPICH 5.0.2",
    ),
    "Intel MPI": (
        "Intel(R) MPI Library for Linux* OS, Version 2021.18.1 Build 20260626 (id: b44796a)\n",
        "Intel MPI 2021.18.1",
    ),
    "a launcher of something else": ("srun 23.11.4\n", None),
    "no answer": ("", None),
}


@pytest.mark.parametrize(("answer", "want"), ANSWERS.values(), ids=ANSWERS)
def test_a_launcher_that_answers_as(answer, want):
    mpi = described("/opt/mpi/bin/mpirun", answer)
    assert (mpi and mpi.title) == want


def fake(folder, version, *, name="mpirun"):
    """Put a launcher there that answers as Open MPI does, and notes that it was asked."""
    folder.mkdir(parents=True, exist_ok=True)
    launcher = folder / name
    asked = folder / "asked"
    launcher.write_text(f"#!/bin/sh\necho x >> {asked}\necho 'mpirun (Open MPI) {version}'\n")
    launcher.chmod(0o755)
    return launcher, asked


def versions(environ, **kwargs):
    return [mpi.version for mpi in installed(environ, **kwargs) if mpi.version.startswith("9.")]


def test_what_is_named_comes_before_what_is_in_the_path(tmp_path):
    for place, version in (("a/bin", "9.1"), ("b/bin", "9.2"), ("c", "9.3")):
        fake(tmp_path / place, version)
    environ = {"MPIJOB_MPI_PATH": f"{tmp_path}/b:{tmp_path}/c", "PATH": f"{tmp_path}/a/bin:/bin"}
    assert versions(environ) == ["9.2", "9.3", "9.1"]


def test_a_launcher_under_two_names_is_one_mpi(tmp_path):
    launcher, _ = fake(tmp_path / "a/bin", "9.1")
    (tmp_path / "a/bin/mpiexec").symlink_to(launcher)
    assert versions({"PATH": f"{tmp_path}/a/bin:/bin"}) == ["9.1"]


def test_a_launcher_that_does_not_answer_is_passed_over(tmp_path):
    launcher, _ = fake(tmp_path / "a", "9.1")
    launcher.write_text("neither a script nor a program")
    assert versions({"PATH": f"{tmp_path}/a:/bin"}) == []


def test_a_launcher_is_asked_once_until_it_changes(tmp_path):
    launcher, asked = fake(tmp_path / "a", "9.1")
    cache = tmp_path / "cache" / "mpis.json"
    environ = {"PATH": f"{tmp_path}/a:/bin"}
    for _ in range(2):
        versions(environ, cache=cache)
    launcher.write_text(launcher.read_text().replace("9.1", "9.10"))
    assert (versions(environ, cache=cache), asked.read_text()) == (["9.10"], "x\nx\n")


def test_a_damaged_cache_costs_time_alone(tmp_path):
    fake(tmp_path / "a", "9.1")
    cache = tmp_path / "mpis.json"
    for text in ("{", "[1]"):
        cache.write_text(text)
        assert versions({"PATH": f"{tmp_path}/a:/bin"}, cache=cache) == ["9.1"]


def test_the_library_lies_beside_the_launcher(tmp_path):
    library = tmp_path / "lib64" / "libmpi.so.40"
    library.parent.mkdir()
    library.touch()
    mpi = described(f"{tmp_path}/bin/mpirun", "mpirun (Open MPI) 5.0.11")
    assert mpi.library == str(library)


def mpis(*families):
    return tuple(Mpi(family, f"{index}.0", "/opt", "/opt/bin/mpirun", "")
                 for index, family in enumerate(families))  # fmt: skip


PREFERENCES = {
    "the first of the family": (mpis(Family.MPICH, Family.OPENMPI, Family.OPENMPI), "1.0"),
    "none of it": (mpis(Family.MPICH, Family.INTEL), None),
}


@pytest.mark.parametrize(("found", "want"), PREFERENCES.values(), ids=PREFERENCES)
def test_for_open_mpi_there_is(found, want):
    mpi = preferred(found, Family.OPENMPI)
    assert (mpi and mpi.version) == want


def test_mpich_stands_in_for_intel_mpi():
    assert preferred(mpis(Family.OPENMPI, Family.MPICH), Family.INTEL).version == "1.0"


def test_an_mpi_is_told_of_as_json():
    (mpi,) = mpis(Family.MPICH)
    assert json.loads(json.dumps(as_json(mpi)))["family"] == "mpich"
