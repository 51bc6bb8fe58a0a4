"""A job that runs can be suspended, resumed and scaled, as on a cluster."""

import asyncio
import os

from mpijob.api.manifest import ref_of
from mpijob.core.job import Key
from mpijob.core.plan import Kind, Ref
from mpijob.ports import ChangeType

PI = Ref(Kind.MPI_JOB, "default", "pi")


def suspend(value):
    return {"spec": {"runPolicy": {"suspend": value}}}


def workers(count):
    return {"spec": {"mpiReplicaSpecs": {"Worker": {"replicas": count}}}}


def is_suspended(job):
    rows = job.get("status", {}).get("conditions", ())
    return any(row["type"] == "Suspended" and row["status"] == "True" for row in rows)


def runs(pod):
    return pod.get("status", {}).get("phase") == "Running"


async def turns():
    """Let everything that has heard of a change act on it."""
    for _ in range(20):
        await asyncio.sleep(0)


async def line(log):
    """Return a log's next line."""
    text = ""
    while not text.endswith("\n"):
        text += (await anext(log)).decode()
    return text


async def gone(objects, kind):
    """Return as soon as there is no object of a kind."""
    there, synced = set(), False
    async for change in objects.watch(kind):
        if change.type is ChangeType.SYNCED:
            synced = True
        elif change.type is ChangeType.DELETED:
            there.discard(change.manifest["metadata"]["name"])
        else:
            there.add(change.manifest["metadata"]["name"])
        if synced and not there:
            return


def test_a_suspended_job_has_no_process_and_runs_again_when_it_is_resumed(place, tmp_path):
    script = f"echo run; test -e {tmp_path}/go || sleep 1000"

    async def scenario(local):
        supervisor = local.create(place.mpijob(script, 2), place.settings())
        running = asyncio.create_task(supervisor.run())
        first = await place.pod_until(local.objects, "launcher", runs)
        await local.objects.patch(PI, suspend(True))
        await place.until(local.objects, Kind.MPI_JOB, is_suspended)
        await gone(local.objects, Kind.POD)
        left = place.processes()
        (tmp_path / "go").touch()
        await local.objects.patch(PI, suspend(False))
        await running
        second = await place.pod_until(local.objects, "launcher", bool)
        names = {pod["metadata"]["name"] for pod in (first, second)}
        return left, len(names), place.ends(supervisor.job)

    assert place.play(scenario) == ([], 2, [("Succeeded", "MPIJobSucceeded")])


def test_a_job_made_suspended_starts_nothing_until_it_is_resumed(place):
    manifest = place.mpijob("true", 1, runPolicy={"suspend": True})

    async def scenario(local):
        supervisor = local.create(manifest, place.settings())
        running = asyncio.create_task(supervisor.run())
        await place.until(local.objects, Kind.MPI_JOB, is_suspended)
        before = local.journal.store.list(Kind.POD)
        await local.objects.patch(PI, suspend(False))
        await running
        return before, place.ends(supervisor.job)

    assert place.play(scenario) == ((), [("Succeeded", "MPIJobSucceeded")])


def test_an_interrupted_command_leaves_a_suspended_job_and_resuming_gives_it_a_new_supervisor(
    plain_place,
):
    place = plain_place
    manifest = place.mpijob("true", 1, runPolicy={"suspend": True})

    async def begin(local):
        supervisor = local.create(manifest, place.settings())
        running = asyncio.create_task(supervisor.run())
        await place.until(local.objects, Kind.MPI_JOB, is_suspended)
        supervisor.interrupt("Interrupted", "enough for today")
        await running

    place.play(begin)

    async def resume(local):
        was = is_suspended(await local.objects.get(PI)), local.supervisor_pid(Key("default", "pi"))
        await local.objects.patch(PI, suspend(False))
        await local.attend(Key("default", "pi"))
        job = await place.until(local.objects, Kind.MPI_JOB, place.ends)
        return was, place.ends(job), local.supervisor_pid(Key("default", "pi"))

    was, ends, pid = place.play(resume)
    place.until_gone([pid] if pid else [])
    assert (was, ends) == ((True, None), [("Succeeded", "MPIJobSucceeded")])


def test_a_scaled_job_has_its_hosts_and_tells_them_to_who_runs(place, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    script = f"""
        while read line; do
            /etc/mpi/discover_hosts.sh | tr '\\n' ' '; echo
            test "$line" = end && exit
        done < {tmp_path}/pipe
    """
    manifest = place.mpijob(script, 1)
    manifest["metadata"]["annotations"] = {"mpijob.dev/elastic": "true"}

    def text(count):
        return "".join(f"pi-worker-{index}.pi.default.svc " for index in range(count))

    def tells(count):
        wanted = "".join(f"echo {host}\n" for host in text(count).split())
        return lambda config: config["data"]["discover_hosts.sh"] == f"#!/bin/sh\n{wanted}"

    async def scenario(local):
        supervisor = local.create(manifest, place.settings())
        running = asyncio.create_task(supervisor.run())
        pod = await place.pod_until(local.objects, "launcher", runs)
        log = local.logs.read(ref_of(pod), follow=True)
        # The other end is open as soon as the launcher runs.
        with open(tmp_path / "pipe", "w") as pipe:  # noqa: ASYNC230
            for count in (1, 3, 2):
                await local.objects.patch(PI, workers(count))
                await place.until(local.objects, Kind.CONFIG_MAP, tells(count))
                await turns()
                print("end" if count == 2 else "look", file=pipe, flush=True)
                assert await line(log) == text(count) + "\n"
        await log.aclose()
        await running
        return place.ends(supervisor.job)

    assert place.play(scenario) == [("Succeeded", "MPIJobSucceeded")]
