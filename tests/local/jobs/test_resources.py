"""What does not fit on this machine waits, in Kubernetes' words; GPUs are handed out one by one."""

import asyncio
import os

import pytest

from mpijob.core.plan import Kind


@pytest.fixture
def four_gpus(monkeypatch):
    """A machine that says it has four GPUs."""
    monkeypatch.setenv("MPIJOB_GPUS", "4")


def gpus(count):
    return {"limits": {"nvidia.com/gpu": str(count)}}


def held(pod):
    """Return why no node takes a pod, "" where one does or nobody has tried yet."""
    rows = pod.get("status", {}).get("conditions", ())
    messages = [row.get("message", "") for row in rows if row["type"] == "PodScheduled"]
    return messages[0] if messages else ""


MISFITS = {
    "CPUs": ({"cpu": "4000"}, "Insufficient cpu"),
    "memory": ({"memory": "4000Ti"}, "Insufficient memory"),
    "GPUs": ({"nvidia.com/gpu": "64"}, "Insufficient nvidia.com/gpu"),
}


@pytest.mark.parametrize(("limits", "what"), MISFITS.values(), ids=MISFITS)
def test_a_pod_that_does_not_fit_is_pending_in_kubernetes_words(plain_place, limits, what):
    place = plain_place
    pod = {"containers": [place.container("mpi", "true", resources={"limits": limits})]}

    async def scenario(local):
        supervisor = local.create(place.mpijob(pod=pod), place.settings())
        running = asyncio.create_task(supervisor.run())
        seen = await place.pod_until(local.objects, "launcher", held)
        supervisor.interrupt("Interrupted", "enough")
        await running
        return seen["status"]["phase"], held(seen)

    told = (
        f"0/1 nodes are available: 1 {what}. no new claims to deallocate, preemption: 0/1 nodes "
        "are available: 1 Preemption is not helpful for scheduling."
    )
    assert place.play(scenario) == ("Pending", told)


def test_cpus_and_memory_may_be_oversubscribed(plain_place):
    limits = {"limits": {"cpu": "4000", "memory": "4000Ti"}}
    pod = {"containers": [plain_place.container("mpi", "true", resources=limits)]}
    job = plain_place.run(plain_place.mpijob(pod=pod), oversubscribe=True)
    assert plain_place.ends(job) == [("Succeeded", "MPIJobSucceeded")]


def test_gpus_may_not_be_oversubscribed(plain_place):
    place = plain_place
    pod = {"containers": [place.container("mpi", "true", resources=gpus(64))]}

    async def scenario(local):
        supervisor = local.create(place.mpijob(pod=pod), place.settings(oversubscribe=True))
        running = asyncio.create_task(supervisor.run())
        seen = await place.pod_until(local.objects, "launcher", held)
        supervisor.interrupt("Interrupted", "enough")
        await running
        return held(seen).split(".")[0]

    assert place.play(scenario) == "0/1 nodes are available: 1 Insufficient nvidia"


def test_each_worker_has_gpus_of_its_own_and_who_asks_for_none_sees_none(
    place, four_gpus, tmp_path
):
    # With the launcher the workers end, who are to speak first.
    os.mkfifo(told := tmp_path / "told")
    script = f"echo $CUDA_VISIBLE_DEVICES; echo > {told}"
    worker = {"containers": [place.container("mpi", script, resources=gpus(2))]}
    both = f"exec 3<>{told}; read one <&3; read other <&3"
    manifest = place.mpijob(f'{both}; echo "[$CUDA_VISIBLE_DEVICES]"', 2, worker=worker)

    async def scenario(local):
        supervisor = local.create(manifest, place.settings())
        running = asyncio.create_task(supervisor.run())
        pods = [
            await place.until(
                local.objects, Kind.POD, lambda pod, n=name: n in pod["metadata"]["name"]
            )
            for name in ("worker-0", "worker-1", "launcher")
        ]
        logs = [await place.log_of(local, pod, follow=True) for pod in pods]
        await running
        return logs

    *workers, launcher = place.play(scenario)
    assert (sorted(workers), launcher) == (["0,1\n", "2,3\n"], "[]\n")


def test_a_machine_without_gpus_says_nothing_of_them(plain_place, monkeypatch):
    monkeypatch.setenv("MPIJOB_GPUS", "0")
    log = plain_place.output(plain_place.mpijob('echo "${CUDA_VISIBLE_DEVICES-unset}"'))
    assert log == "unset\n"


def test_no_gpu_is_given_to_two_jobs_and_who_waits_starts_when_it_is_free(
    plain_place, four_gpus, tmp_path
):
    place = plain_place
    script = f"echo $CUDA_VISIBLE_DEVICES; read line < {tmp_path}/$0"

    def job(name, count):
        container = place.container("mpi", resources=gpus(count))
        container["command"] = ["sh", "-c", script, name]
        return place.mpijob(name=name, pod={"containers": [container]})

    async def scenario(local):
        names = {"one": 3, "two": 2, "three": 1}
        for name in names:
            os.mkfifo(tmp_path / name)
        tasks, pods = {}, {}
        # One after the other, so that it is known who comes first.
        for name, count in names.items():
            supervisor = local.create(job(name, count), place.settings())
            tasks[name] = asyncio.create_task(supervisor.run())
            pods[name] = await place.until(
                local.objects,
                Kind.POD,
                lambda pod, n=name: (
                    pod["metadata"]["name"].startswith(f"{n}-launcher")
                    and (held(pod) or pod.get("status", {}).get("phase") == "Running")
                ),
            )
        waiting = [name for name, pod in pods.items() if held(pod)]
        # Who waits reads nothing before the others have ended.
        for name in sorted(names, key=lambda name: name in waiting):
            await asyncio.to_thread((tmp_path / name).write_text, "go on")
            await tasks[name]
        logs = [await place.log_of(local, pod) for pod in pods.values()]
        return waiting, logs

    waiting, (one, two, three) = place.play(scenario)
    assert (waiting, one, three, len(set(two.strip().split(",")))) == (["two"], "0,1,2\n", "3\n", 2)
