"""The job that flags mean, and the name that a command gives it."""

import pytest

from mpijob.api import versions
from mpijob.api.new_job import NewJob, free_name, manifest, named_after
from mpijob.core.job import Flavour, MPIJob

TRAIN = NewJob(name="train", command=("python", "train.py"), worker_count=2, slots=2)


def _launcher(new: NewJob) -> dict:
    replicas = manifest(new)["spec"]["mpiReplicaSpecs"]
    return replicas["Launcher"]["template"]["spec"]["containers"][0]


def _worker(new: NewJob) -> dict:
    replicas = manifest(new)["spec"]["mpiReplicaSpecs"]
    return replicas["Worker"]["template"]["spec"]["containers"][0]


def test_the_launcher_starts_a_rank_for_every_slot():
    assert _launcher(TRAIN)["command"] == ["mpirun", "-n", "4", "python", "train.py"]


def test_the_job_is_sound():
    assert isinstance(versions.job(manifest(TRAIN)), MPIJob)


def test_the_flavour_is_said_where_it_is_not_the_default():
    new = NewJob(name="pi", command=("./pi",), flavour="MPICH")
    assert versions.job(manifest(new)).flavour is Flavour.MPICH


def test_open_mpi_is_told_to_hand_the_variables_to_its_ranks():
    new = NewJob(name="pi", command=("./pi",), env={"SEED": "1"})
    assert _launcher(new)["command"] == ["mpirun", "-n", "1", "-x", "SEED", "./pi"]


def test_hydra_hands_over_every_variable_by_itself():
    new = NewJob(name="pi", command=("./pi",), env={"SEED": "1"}, flavour="Intel")
    assert _launcher(new)["command"] == ["mpirun", "-n", "1", "./pi"]


def test_variables_are_the_launchers():
    new = NewJob(name="pi", command=("./pi",), env={"SEED": "1"})
    assert _launcher(new)["env"] == [{"name": "SEED", "value": "1"}]


def test_resources_are_the_workers():
    new = NewJob(name="pi", command=("./pi",), cpus="2", memory="1Gi", gpus=1)
    assert _worker(new) == {
        "name": "worker",
        "resources": {"limits": {"cpu": "2", "memory": "1Gi", "nvidia.com/gpu": 1}},
    }


def test_launcher_and_workers_have_one_image():
    new = NewJob(name="pi", command=("./pi",), image="pi:1")
    assert (_launcher(new)["image"], _worker(new)["image"]) == ("pi:1", "pi:1")


NAMES = {
    "the script's name": ("python train.py", "train"),
    "options of the interpreter are skipped": ("python3.11 -u train_big.py --lr 1", "train-big"),
    "a module's last part": ("python -m pkg.fit", "fit"),
    "a program's name without its suffix": ("./a.out", "a"),
    "a path's last part": ("/opt/bin/Solver 3", "solver"),
    "variables before the program are skipped": ("env A=1 ./solve", "solve"),
    "a digit in front gets a word before it": ("./3d-fft", "job-3d-fft"),
    "nothing to name it after": ("bash -c", "bash"),
    "code names nothing": ("python3 -u -c x=1;print(x)", "python3"),
    "no letters at all": ("./___", "job"),
    "no command": ("", "job"),
    "a long name leaves room for the workers'": (f"./{'x' * 300}", "x" * 40),
}


@pytest.mark.parametrize(("command", "want"), NAMES.values(), ids=NAMES)
def test_a_command_names_its_job(command, want):
    assert named_after(command.split()) == want


FREE = {
    "free as it is": (frozenset(), "pi"),
    "taken once": (frozenset({"pi"}), "pi-2"),
    "a gap is filled": (frozenset({"pi", "pi-3"}), "pi-2"),
    "taken often": (frozenset({"pi", "pi-2", "pi-3"}), "pi-4"),
}


@pytest.mark.parametrize(("taken", "want"), FREE.values(), ids=FREE)
def test_a_name_that_is_taken_gets_a_number(taken, want):
    assert free_name("pi", taken) == want
