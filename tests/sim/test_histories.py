"""Whole histories, with every kind of bad luck; and one of each kind, crashed at every step."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from mpijob.api import versions
from mpijob.core.config import Config, Gang, Transport
from mpijob.core.job import LauncherStart, MPIJob
from mpijob.core.plan import Kind, Ref
from mpijob.sim import rest, user
from mpijob.sim.history import calm, failures, run, tick
from mpijob.sim.world import Setting, World

#: Seeds that once broke a property, each with what it found.
ONCE_BROKEN = [
    int(line.split()[0])
    for line in (Path(__file__).parent / "seeds.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
DIGEST = """
import logging; logging.disable()
from hashlib import sha256
from mpijob.sim.history import run
world = run({seed})
print(sha256(repr([c.manifest for c in world.store.changes(0)]).encode()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 300, 60))
def test_every_history_ends_well(first):
    # Sixty at a time take more than half a second, and less than sixty tests.
    assert failures(range(first, first + 60)) == {}


def test_what_once_broke_holds():
    assert failures(ONCE_BROKEN) == {}


def test_one_seed_is_one_history():
    first, second = run(7), run(7)
    assert first.store.changes(0) == second.store.changes(0)


@pytest.mark.slow
def test_one_seed_is_one_history_whatever_the_order_of_sets():
    # Three processes of Python take more than half a second to start.
    digests = {_digest(seed="23", hash_seed=hash_seed) for hash_seed in ("0", "1", "31337")}
    assert len(digests) == 1


def _digest(seed, hash_seed):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    code = DIGEST.format(seed=seed)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


# One history crashed at every step there is.


def job(workers=2, annotations=None, **run_policy):
    manifest = user.job(Random(0))
    container = {"name": "mpi", "image": "example/mpi:1"}
    command = {**container, "command": ["mpirun", "train"]}
    replicas = {
        "Launcher": {"template": {"spec": {"containers": [command]}}},
        "Worker": {"replicas": workers, "template": {"spec": {"containers": [container]}}},
    }
    metadata = {"namespace": user.NAMESPACE, "name": user.NAME, "annotations": annotations or {}}
    spec = {"mpiReplicaSpecs": replicas, "runPolicy": run_policy}
    return {**manifest, "metadata": metadata, "spec": spec}


def patiently(manifest):
    spec = {**manifest["spec"], "launcherCreationPolicy": LauncherStart.WHEN_WORKERS_READY.value}
    return {**manifest, "spec": spec}


def a_whole_life(world):
    calm(world)


def until(world, role, phase):
    """Go on until a pod of that role is in that phase."""
    for _ in range(60):
        pods = world.store.list(Kind.POD)
        if any(role in p["metadata"]["name"] and p["status"]["phase"] == phase for p in pods):
            return
        tick(world)


def suspended_and_resumed(world):
    until(world, "launcher", "Running")
    world.write(user.JOB, {"spec": {"runPolicy": {"suspend": True}}})
    calm(world)
    world.write(user.JOB, {"spec": {"runPolicy": {"suspend": False}}})
    calm(world)


def with_a_dead_worker(world):
    until(world, "launcher", "Running")
    world.nodes.strike("evict", f"{user.NAME}-worker-1")
    calm(world)


def rescaled(world):
    until(world, "worker", "Pending")
    world.write(user.JOB, {"spec": {"mpiReplicaSpecs": {"Worker": {"replicas": 1}}}})
    calm(world)


def deleted(world):
    until(world, "launcher", "Running")
    world.remove(user.JOB)
    calm(world)


PLAIN = Config()
#: Some may end in the moment of their suspension, after a crash: then what their policy would keep
#: is gone. So it keeps nothing.
LIVES = {
    "a plain job": (job(cleanPodPolicy="All"), PLAIN, a_whole_life),
    "a patient job": (patiently(job(cleanPodPolicy="Running")), PLAIN, a_whole_life),
    "a job that is suspended and resumed": (
        job(cleanPodPolicy="All"),
        PLAIN,
        suspended_and_resumed,
    ),
    "a patient job that is suspended and resumed": (
        patiently(job(cleanPodPolicy="All")),
        PLAIN,
        suspended_and_resumed,
    ),
    "a job that starts anew for a dead worker": (
        patiently(job(3, cleanPodPolicy="All")),
        PLAIN,
        with_a_dead_worker,
    ),
    "an elastic job with a dead worker": (
        job(3, annotations={"mpijob.dev/elastic": "true"}),
        PLAIN,
        with_a_dead_worker,
    ),
    "a gang": (
        patiently(job(3, cleanPodPolicy="All")),
        Config(gang=Gang.VOLCANO),
        suspended_and_resumed,
    ),
    "a job with a time to live": (job(ttlSecondsAfterFinished=5), PLAIN, a_whole_life),
    "a job on one machine": (job(), Config(transport=Transport.RSH), a_whole_life),
    "a job that loses a worker by its owner's wish": (job(3), PLAIN, rescaled),
    "a job that is deleted": (job(3), PLAIN, deleted),
}


def ended(manifest, config, life, crash_at):
    world = World(Setting(config=config, crash_at=crash_at), Random(1))
    world.submit(manifest)
    life(world)
    rest.check(world)
    return world


@pytest.mark.slow
@pytest.mark.parametrize(("manifest", "config", "life"), LIVES.values(), ids=LIVES)
def test_a_crash_at_any_step_does_not_matter(manifest, config, life):
    # A life is lived once for each of its steps.
    unharmed = ended(manifest, config, life, None)
    elsewhere = {
        step: rest.picture(crashed)
        for step in range(unharmed.steps_run)
        if rest.picture(crashed := ended(manifest, config, life, step)) != rest.picture(unharmed)
    }
    assert elsewhere == {}


def test_a_life_has_a_launcher():
    world = ended(*LIVES["a plain job"], None)
    assert world.store.get(Ref(Kind.JOB, user.NAMESPACE, "pi-launcher")) is not None


def test_nearly_every_job_that_is_drawn_is_sound():
    # Most of what goes wrong goes wrong with a sound job: a history of another is soon told.
    drawn = [user.job(Random(seed)) for seed in range(200)]
    sound = [isinstance(versions.job(job), MPIJob) for job in drawn]
    assert sound.count(True) > 180
