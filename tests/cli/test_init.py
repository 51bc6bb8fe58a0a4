"""`mpijob init`."""

from pathlib import Path

import pytest
import yaml

from mpijob.api.new_job import NewJob, manifest
from mpijob.cli import exits
from mpijob.cli.render.job_file import job_file

JOBS = {
    "a program": NewJob(name="pi", command=("./pi",)),
    "everything that flags can say": NewJob(
        name="train",
        command=("python", "train.py", "--lr", "0.1", "-3", "yes", "a b", "#", "é: {x}"),
        worker_count=3,
        slots=2,
        gpus=1,
        cpus="2",
        memory="4Gi",
        image="registry.example.com/me/train:1",
        flavour="MPICH",
        env={"SEED": "1", "SAYS": 'a "b": c'},
    ),
}


@pytest.mark.parametrize("new", JOBS.values(), ids=JOBS)
def test_a_job_file_is_the_job_that_its_flags_mean(new):
    written = yaml.safe_load(job_file(new, "job.yaml"))
    assert written == {
        **(plain := manifest(new)),
        "spec": {"mpiImplementation": new.flavour, **plain["spec"]},
    }


def test_it_writes_the_file_that_it_names(mpijob, tmp_path):
    path = tmp_path / "job.yaml"
    answer = mpijob("init", "-f", str(path), "-n", "3", "--", "python", "fit.py")
    assert (answer.code, yaml.safe_load(path.read_text())["metadata"]) == (0, {"name": "fit"})


def test_it_leaves_a_file_that_is_there_alone(mpijob, tmp_path):
    path = Path(tmp_path / "job.yaml")
    path.write_text("mine")
    answer = mpijob("init", "-f", str(path))
    assert (answer.code, path.read_text()) == (exits.INVALID, "mine")


def test_it_overwrites_where_it_is_told_to(mpijob, tmp_path):
    path = Path(tmp_path / "job.yaml")
    path.write_text("mine")
    assert mpijob("init", "-f", str(path), "--force").code == 0


WRONG = {
    "a quantity that is none": ("--cpus", "many"),
    "a variable without a value": ("-e", "SEED"),
    "no workers": ("-n", "0"),
    "another MPI": ("--mpi", "lam"),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_wrong_input(mpijob, words):
    assert mpijob("init", "-f", "-", *words).code == exits.INVALID
