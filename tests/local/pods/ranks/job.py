"""Run mpirun over hosts that are pods of this machine, as a job does, and tell how it went.

Usage: job.py SETTINGS, with settings as JSON: mode, mpirun (its path), worker_count, slots, runs,
command (the launcher's; "{hello}" is hello.py), folder (scratch), patience_s. Prints JSON: a list
of runs, each {"mode", "code", "output", "seconds", "folders", "left"}; the last
two are which folders of its runtime and how many processes of the job are there at the end.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from mpijob.local import processes
from mpijob.local.hosts import hosts_file
from mpijob.local.machine import machine
from mpijob.local.mpi import Family, installed
from mpijob.local.mpi_env import Surroundings, environment
from mpijob.local.runtime import Container, Exited, Mount, Pod, Refused, Runtime

HELLO = Path(__file__).with_name("hello.py")


def _mpi(settings):
    for mpi in installed(os.environ):
        if mpi.mpirun == settings["mpirun"]:
            return mpi
    raise SystemExit(f"no MPI at {settings['mpirun']}")


class Job:
    def __init__(self, settings, runtime, folder):
        self.settings = settings
        self.runtime = runtime
        self.folder = folder
        self.hosts = [f"w-{index}" for index in range(settings["worker_count"])]
        self.mpi = _mpi(settings)
        around = Surroundings(
            runtime.agent,
            settings["worker_count"] * settings["slots"],
            machine(os.environ).cpu_count,
            names_resolve=runtime.namespaced,
            openmpi_library=runtime.openmpi_library,
        )
        self.env = environment(self.mpi, around) | {"HOME": str(folder)} | settings["env"]
        config = folder / "config"
        config.mkdir()
        form = "{}:{}\n" if self.mpi.family != Family.OPENMPI else "{} slots={}\n"
        lines = [form.format(host, settings["slots"]) for host in self.hosts]
        (config / "hostfile").write_text("".join(lines))
        self.config = config

    def launcher_env(self):
        place = "/etc/mpi" if self.runtime.namespaced else self.config
        variables = (
            "OMPI_MCA_orte_default_hostfile",
            "PRTE_MCA_prte_default_hostfile",
            "HYDRA_HOST_FILE",
            "I_MPI_HYDRA_HOST_FILE",
        )
        return self.env | dict.fromkeys(variables, f"{place}/hostfile")

    def pod(self, host):
        folder = self.folder / host
        folder.mkdir()
        is_launcher = host == "launcher"
        command = [part.format(hello=HELLO) for part in self.settings["command"]]
        container = Container(
            "main",
            tuple(command) if is_launcher else (),
            self.launcher_env() if is_launcher else self.env,
            str(folder),
            str(folder / "log"),
        )
        return Pod(
            uid=f"uid-{host}",
            name=host,
            hostname=host,
            folder=str(folder),
            containers=(container,),
            launcher=is_launcher,
            mounts=(Mount("/etc/mpi", str(self.config), private=True),) if is_launcher else (),
            hosts=hosts_file(
                [(f"{name}.job.default.svc", name) for name in ["launcher", *self.hosts]],
                Path("/etc/hosts").read_text(),
            ),
        )

    async def outcome(self):
        async for event in self.runtime.events():
            match event:
                case Exited(uid="uid-launcher"):
                    return event.code, event.message
                case Refused():
                    return -1, event.message
        return -1, "the runtime ended"


def present(*folders):
    return [folder for folder in folders if os.path.exists(folder)]


async def run_once(settings, folder):
    folder.mkdir(parents=True)
    begun_at = time.monotonic()
    runtime = await Runtime.launch(folder / "home", mode=settings["mode"])
    try:
        job = Job(settings, runtime, folder)
        runtime.expect(job.hosts)
        for host in ["launcher", *job.hosts]:
            runtime.start(job.pod(host))
        try:
            async with asyncio.timeout(settings["patience_s"]):
                code, message = await job.outcome()
        except TimeoutError:
            code, message = -2, f"nothing came of it in {settings['patience_s']} s"
    finally:
        await runtime.close()
    log = folder / "launcher" / "log"
    return {
        "mode": "namespaces" if runtime.namespaced else "plain",
        "code": code,
        "output": (log.read_text(errors="replace") if log.exists() else "") + message,
        "seconds": time.monotonic() - begun_at,
        "folders": present(runtime.run_folder, runtime.shm_folder),
        "left": len(processes.marked(f"{processes.RUNTIME_MARK}={runtime.token}")),
    }


def main():
    settings = {"env": {}, "runs": 1, "patience_s": 60.0} | json.loads(sys.argv[1])
    runs = [
        asyncio.run(run_once(settings, Path(settings["folder"], str(index))))
        for index in range(settings["runs"])
    ]
    sys.stdout.write(json.dumps(runs))


if __name__ == "__main__":
    main()
