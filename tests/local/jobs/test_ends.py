"""Nothing outlives its job, however it ends, and the next command tells the truth about it."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from mpijob.core.job import Key
from mpijob.core.plan import Kind, Ref

PI = Ref(Kind.MPI_JOB, "default", "pi")
#: A launcher that says when it has begun, and a process below it that ignores what it can.
STUBBORN = "(trap '' TERM HUP INT; while :; do sleep 1000; done) & echo begun; wait"

SUPERVISE = """
import asyncio, json, os, sys
from mpijob.local import backend
from mpijob.local.settings import Settings

async def main():
    manifest, settings = json.loads(sys.argv[1]), Settings(**json.loads(sys.argv[2]))
    async with backend.opened() as local:
        supervisor = local.create(manifest, settings)
        supervisor.catch_signals()
        print("made", flush=True)
        await supervisor.run()

asyncio.run(main())
"""


@pytest.fixture
def supervised(place):
    """Runs a job in a process of its own until its launcher has begun; gives that process."""
    import json

    from msgspec.structs import asdict

    processes = []

    def begun(manifest):
        command = [sys.executable, "-c", SUPERVISE, json.dumps(manifest)]
        command.append(json.dumps(asdict(place.settings())))
        process = subprocess.Popen(command, env=place.environment, stdout=subprocess.PIPE)
        processes.append(process)
        process.stdout.readline()

        async def scenario(local):
            pod = await place.pod_until(local.objects, "launcher", bool)
            async for piece in local.logs.read(
                Ref(Kind.POD, "default", pod["metadata"]["name"]), follow=True
            ):
                if b"begun" in piece:
                    return

        place.play(scenario)
        return process

    yield begun
    for process in processes:
        process.stdout.close()
        if process.poll() is None:
            process.kill()
        process.wait()


def said(job, type_="Failed"):
    return [row["message"] for row in job["status"]["conditions"] if row["type"] == type_]


def kill(process, running, place):
    """Kill a process, and return when it is gone and the kernel has ended what it ran."""
    process.kill()
    process.wait()
    place.until_gone(running)


SIGNALS = {
    "Ctrl-C": signal.SIGINT,
    "SIGTERM": signal.SIGTERM,
    "a closed terminal": signal.SIGHUP,
}


@pytest.mark.parametrize("number", SIGNALS.values(), ids=SIGNALS)
def test_a_signal_ends_the_job_and_all_of_it(place, supervised, number):
    process = supervised(place.mpijob(STUBBORN, 2))
    process.send_signal(number)
    assert process.wait() == 0
    job = place.job()
    assert (place.ends(job), said(job), place.processes()) == (
        [("Failed", "Interrupted")],
        [f"mpijob was told to stop ({number.name}), and the job with it"],
        [],
    )


def test_a_second_signal_ends_all_at_once(place, supervised):
    script = "trap '' TERM INT HUP; echo begun; while :; do sleep 1000; done"
    process = supervised(place.mpijob(script, 1))
    process.send_signal(signal.SIGINT)
    place.play(lambda local: place.until(local.objects, Kind.MPI_JOB, place.ends))
    process.send_signal(signal.SIGINT)
    assert (process.wait(), place.processes()) == (0, [])


def test_when_mpijob_is_killed_the_kernel_ends_the_job_and_the_next_command_says_so(
    place, supervised
):
    process = supervised(place.mpijob(STUBBORN, 2))
    running = place.processes()
    kill(process, running, place)
    job = place.job()
    told = f"mpijob (process {process.pid}) ended without having finished this job"
    assert (place.ends(job), said(job)[0].startswith(told), place.processes()) == (
        [("Failed", "SupervisorLost")],
        True,
        [],
    )


def test_the_pods_of_a_killed_mpijob_have_failed_and_are_cleaned_up_as_the_job_says(
    place, supervised
):
    manifest = place.mpijob(STUBBORN, 2, runPolicy={"cleanPodPolicy": "Running"})
    process = supervised(manifest)
    running = place.processes()
    kill(process, running, place)

    async def scenario(local):
        pods = local.journal.store.list(Kind.POD)
        return [(pod["status"]["phase"], pod["status"]["reason"]) for pod in pods]

    assert set(place.play(scenario)) == {("Failed", "SupervisorLost")}


def test_a_job_of_a_living_mpijob_is_left_alone(place, supervised):
    process = supervised(place.mpijob(STUBBORN))
    assert place.ends(place.job()) == []
    process.send_signal(signal.SIGTERM)
    process.wait()


def test_a_killed_runtime_ends_the_job_and_says_so(place):
    async def scenario(local):
        supervisor = local.create(place.mpijob("echo begun; sleep 1000", 1), place.settings())
        running = asyncio.create_task(supervisor.run())
        await place.pod_until(
            local.objects, "launcher", lambda pod: pod.get("status", {}).get("phase") == "Running"
        )
        os.kill((await supervisor._launching)._process.pid, signal.SIGKILL)
        await running
        return place.ends(supervisor.job)

    assert place.play(scenario) == [("Failed", "RuntimeLost")]


def test_a_job_that_hangs_is_ended_at_its_deadline(place):
    manifest = place.mpijob(STUBBORN, 1, runPolicy={"activeDeadlineSeconds": 1})
    assert place.ends(place.run(manifest)) == [("Failed", "DeadlineExceeded")]


def test_a_deleted_job_is_gone_with_its_processes_and_its_folder(place, supervised):
    process = supervised(place.mpijob(STUBBORN, 2))

    async def scenario(local):
        await local.objects.delete(PI)

    place.play(scenario)
    assert process.wait() == 0

    async def looked(local):
        kinds = (Kind.MPI_JOB, Kind.JOB, Kind.POD, Kind.SERVICE, Kind.CONFIG_MAP, Kind.SECRET)
        left = [row for kind in kinds for row in local.journal.store.list(kind)]
        return left, list((local.home.jobs / "default").iterdir())

    assert (place.play(looked), place.processes()) == (([], []), [])


def test_a_deleted_job_whose_mpijob_was_killed_leaves_nothing(place, supervised):
    process = supervised(place.mpijob(STUBBORN, 1))
    running = place.processes()
    kill(process, running, place)

    async def scenario(local):
        await local.objects.delete(PI)
        await local.attend(Key("default", "pi"))
        left = [row for kind in (Kind.JOB, Kind.POD) for row in local.journal.store.list(kind)]
        return left, list((local.home.jobs / "default").iterdir())

    assert place.play(scenario) == ([], [])


def test_a_job_that_is_handed_on_goes_on_without_its_command(place):
    async def begin(local):
        local.detach(place.mpijob("echo done", 1), place.settings())

    place.play(begin)

    async def scenario(local):
        job = await place.until(local.objects, Kind.MPI_JOB, place.ends)
        pod = await place.pod_until(local.objects, "launcher", bool)
        log = await place.log_of(local, pod)
        pid = local.supervisor_pid(Key("default", "pi"))
        return place.ends(job), log, pid

    ended, log, pid = place.play(scenario)
    if pid is not None:
        place.until_gone([pid])
    assert (ended, log) == ([("Succeeded", "MPIJobSucceeded")], "done\n")
