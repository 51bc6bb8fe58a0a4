"""What a call needs on a cluster, without one: its storage, and what its job gets for it."""

import json
import os
import subprocess
import sys
from glob import glob
from pathlib import Path

import pytest

from mpijob.core.version import Version
from mpijob.sdk import Client, Cluster, JobError, JobFailed, MPIJob
from mpijob.sdk.cluster_place import ClusterPlace
from mpijob.sdk.job import Wanted, manifest
from mpijob.sdk.shipping import Call, failure, pickled, results, ship
from mpijob.sdk.waiting import waited
from mpijob.sdk.where import Here, meant


def place(**fields):
    """Return a cluster that is never asked anything."""
    return ClusterPlace(None, Version.V2BETA1, Cluster(**fields), "default")


def job(**fields):
    """Return a call's job."""
    config = MPIJob(num_workers=1, num_launcher_replicas=1)
    return manifest(Wanted("fit", config, ["fit"], image="train:1", **fields))


def pods(made):
    """Return the pod specs of a job."""
    return [role["template"]["spec"] for role in made["spec"]["mpiReplicaSpecs"].values()]


def test_every_pod_sees_the_volume_that_calls_are_on():
    made = place(storage="/shared", volume={"nfs": {"server": "a", "path": "/b"}}).fitted(job())
    found = [(pod["volumes"], pod["containers"][0]["volumeMounts"]) for pod in pods(made)]
    volume = {"name": "mpijob-calls", "nfs": {"server": "a", "path": "/b"}}
    mount = {"name": "mpijob-calls", "mountPath": "/mpijob-calls"}
    assert found == [([volume], [mount])] * 2


def test_every_container_has_the_secret_s_variables():
    made = place(storage="s3://a/b", secret="keys").fitted(job())
    found = [pod["containers"][0]["envFrom"] for pod in pods(made)]
    assert found == [[{"secretRef": {"name": "keys"}}]] * 2


LACKING = {
    "no storage": (place(), r"Cluster\(storage=…\), or \$MPIJOB_STORAGE"),
    "a folder that is no volume": (place(storage="/shared"), "say which volume it is"),
}


@pytest.mark.parametrize(("there", "told"), LACKING.values(), ids=LACKING)
def test_what_a_call_lacks_is_told(there, told):
    with pytest.raises(JobError, match=told):
        there.new_folder()


def test_a_job_without_an_image_is_not_made():
    config = MPIJob(num_workers=1, num_launcher_replicas=1)
    bare = manifest(Wanted("fit", config, ["fit"]))
    with pytest.raises(JobFailed, match="needs an image"):
        waited(lambda: place().detach(bare))


def test_a_folder_has_a_path_here_and_one_in_the_pods(tmp_path):
    there = place(storage=str(tmp_path), volume={"hostPath": {"path": "/x"}})
    made = there.new_folder()
    made.write("a", b"b")
    with there.folder(made.place).open("a") as file:
        assert (file.read(), made.place) == (b"b", f"/mpijob-calls/{made.path.name}")


@pytest.fixture
def stored(tmp_path):
    """Return a call's folder in an object store, which is a folder here."""
    return place(storage=f"file://{tmp_path}/bucket").new_folder()


def test_what_is_stored_is_read(stored):
    stored.write("modules/deep/a.py", b"a")
    with stored.open("modules/deep/a.py") as file:
        assert file.read() == b"a"


def test_what_is_stored_is_named(stored):
    for name in ("b", "a"):
        stored.write(name, b"")
    assert stored.names() == ["a", "b"]


def test_nothing_is_stored_before_anything_is_written(stored):
    assert stored.names() == []


def test_what_is_removed_is_gone(stored):
    stored.write("a", b"")
    stored.remove()
    assert stored.names() == []


def called(stored, function):
    """Have one rank call a function, all by the object store; return its exit code."""
    call = Call("call", function, (20,), {}, 1)
    ship(call, pickled(call), stored, place().surroundings())
    words = place().program(stored)[1:]
    done = subprocess.run([sys.executable, *words], capture_output=True, check=False, timeout=60)
    return done.returncode, done.stderr.decode()


@pytest.mark.mpi
def test_a_rank_finds_and_leaves_everything_in_an_object_store(stored):
    assert (called(stored, lambda number: number + 1), results(stored)) == ((0, ""), [21])


@pytest.mark.mpi
def test_a_rank_that_ends_well_leaves_none_of_its_modules_on_its_host(
    stored, tmp_path, monkeypatch
):
    # Its MPI has something there as well.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ended = called(stored, lambda _: glob(f"{os.environ['TMPDIR']}/mpijob-*"))
    ((there,),) = results(stored)
    assert (ended, Path(there).parent, Path(there).exists()) == ((0, ""), tmp_path, False)


@pytest.mark.mpi
def test_the_user_s_own_modules_go_to_an_object_store_too(stored, tmp_path, monkeypatch):
    (tmp_path / "own_module.py").write_text("def doubled(number):\n    return 2 * number\n")
    monkeypatch.syspath_prepend(tmp_path)

    def twice(number):
        from own_module import doubled

        return doubled(number)

    assert (called(stored, twice), results(stored)) == ((0, ""), [40])


@pytest.mark.mpi
def test_a_rank_that_fails_tells_so_in_an_object_store(stored):
    def fail(number):
        raise LookupError(number)

    code, _ = called(stored, fail)
    raised, at = failure(stored)
    assert (code, raised.args, at.rank) == (1, (20,), 0)


@pytest.mark.mpi
def test_ranks_of_another_mpi_than_mpirun_s_are_told(stored):
    # Alone, it is one rank of one; two were to be.
    call = Call("call", lambda: 1, (), {}, 2)
    ship(call, pickled(call), stored, place().surroundings())
    words = place().program(stored)[1:]
    subprocess.run([sys.executable, *words], capture_output=True, check=False, timeout=60)
    told, _ = failure(stored)
    assert "a rank sees 1 rank, and the job has 2" in str(told)


def test_what_comes_with_a_call_is_listed(stored):
    call = Call("call", len, ((),), {}, 1)
    ship(call, pickled(call), stored, place().surroundings())
    with stored.open("call.json") as file:
        assert "cloudpickle/cloudpickle.py" in json.load(file)["luggage"]


def test_a_cluster_that_no_kubeconfig_names_is_told():
    with pytest.raises(JobError, match="no kubeconfig: /absent is not there"):
        Client(Cluster(kubeconfig="/absent")).list()


WHERE = {
    "here, where nobody says": ({}, Here()),
    "here, where it is said not to be a cluster": ({"MPIJOB_CLUSTER": "0"}, Here()),
    "on a cluster, with its storage": (
        {"MPIJOB_CLUSTER": "1", "MPIJOB_STORAGE": "s3://a"},
        Cluster(storage="s3://a"),
    ),
}


@pytest.mark.parametrize(("environment", "where"), WHERE.values(), ids=WHERE)
def test_jobs_run(environment, where):
    assert meant(environment) == where
