"""Run a job in a home on a disk that becomes full meanwhile: what test_full_disk starts."""

import asyncio
import os
import sys
from pathlib import Path

from mpijob.core.plan import Kind, Ref
from mpijob.local import backend, kernel
from mpijob.local.settings import Settings, inherited
from mpijob.ports import Unreachable

PI = Ref(Kind.MPI_JOB, "default", "pi")


def manifest(pipe):
    container = {"name": "mpi", "image": "x", "command": ["sh", "-c", f"read line < {pipe}"]}
    launcher = {"replicas": 1, "template": {"spec": {"containers": [container]}}}
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": "pi", "namespace": "default"},
        "spec": {"mpiReplicaSpecs": {"Launcher": launcher}},
    }


def fill(folder):
    """Fill the disk to its last byte."""
    with open(folder / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            return


async def until_running(objects):
    async for change in objects.watch(Kind.POD):
        if change.manifest.get("status", {}).get("phase") == "Running":
            return


async def scenario(local, disk, pipe):
    supervisor = local.create(manifest(pipe), Settings(environment=inherited(os.environ)))
    running = asyncio.create_task(supervisor.run())
    await until_running(local.objects)
    fill(disk)
    try:
        for number in range(1000):
            await local.objects.patch(PI, {"metadata": {"annotations": {"n": f"{number:01000}"}}})
    except Unreachable as full:
        sys.stdout.write(str(full).split(":")[0] + "\n")
    # The launcher ends, which nobody can write down; then there is room again.
    await asyncio.to_thread(pipe.write_text, "end\n")
    while supervisor._plane.kubelet.living:
        supervisor._news.clear()
        await supervisor._news.wait()
    (disk / "ballast").unlink()
    await running
    rows = supervisor.job["status"]["conditions"]
    sys.stdout.write([row["type"] for row in rows if row["status"] == "True"][-1] + "\n")


async def main():
    disk = Path(sys.argv[1])
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_SLAVE)
    pipe = disk.parent / "pipe"
    os.mkfifo(pipe)
    kernel.mount("tmpfs", str(disk), "tmpfs", 0, "size=1m")
    os.environ["MPIJOB_HOME"] = str(disk / "home")
    async with asyncio.timeout(60), backend.opened() as local:
        await scenario(local, disk, pipe)


asyncio.run(main())
