"""What this machine is to run for a Pod manifest: programs, environments, users, mounts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mpijob.core import names
from mpijob.core.job import Manifest, Role
from mpijob.local import hosts, runtime
from mpijob.local.environment import ConfigError, Place, environment, expanded
from mpijob.local.home import PodFolder
from mpijob.local.paths import rewrite
from mpijob.local.runtime import Mount
from mpijob.local.users import user_of
from mpijob.local.volumes import MountFailed, Volumes

#: The machine's own address.
MACHINE_ADDRESS = "127.0.0.1"
_SSHD = "sshd"
_MPIRUN = re.compile(r"\bmpi(?:run|exec)\b")
_TERMINATION_PATH = "/dev/termination-log"


class Hopeless(ConfigError):
    """The job cannot run on this machine whatever is waited for; the message says why."""


class Surroundings(Struct, frozen=True):
    """What a pod's programs have of this machine.

    Args:
        folder: Where a container starts that names no working directory.
        environment: What every container has before what its manifest says.
        namespaced: Whether pods see their volumes at the paths that they name. Where they do not,
            these paths are rewritten wherever they are spoken of.
        keep: Paths that stay visible in pods whatever is mounted above them.
        no_mpi: Why there is no mpirun for the job; "" where there is one.
        hosts: The pods' hosts file, "" for the machine's own.
        devices: The GPUs that are this pod's, as CUDA_VISIBLE_DEVICES has them; None where the
            machine has none to hand out.

    """

    folder: str
    environment: Mapping[str, str]
    namespaced: bool = True
    keep: tuple[str, ...] = ()
    no_mpi: str = ""
    hosts: str = ""
    devices: str | None = None


def role_of(pod: Manifest) -> Role | None:
    """Return the role that a pod's label tells, or None."""
    label = (pod["metadata"].get("labels") or {}).get(names.ROLE_TYPE_LABEL)
    return Role(label) if label in {role.value for role in Role} else None


def hostname_of(pod: Manifest) -> str:
    """Return a pod's host name."""
    found: str = pod["spec"].get("hostname") or pod["metadata"]["name"]
    return found


def address_of(pod: Manifest) -> str:
    """Return a pod's address: every host of a job has one of its own."""
    if role_of(pod) is Role.LAUNCHER:
        return hosts.address(0)
    index = names.worker_index(pod["metadata"]["name"])
    return MACHINE_ADDRESS if index is None else hosts.address(index + 1)


def workload(
    place: Place, volumes: Volumes, folder: PodFolder, surroundings: Surroundings
) -> runtime.Pod:
    """Return what the runtime is to run for the pod of `place`.

    Raises:
        ConfigError: a container refers to something that is not there, or says nothing to run.
        MountFailed: a volume cannot be seen where it should.

    """
    pod, spec = place.pod, place.pod["spec"]
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            raise Hopeless(
                f'init container "{container["name"]}" is to be restarted always (a sidecar), '
                "which is not done on this machine: make it an ordinary container"
            )
    builder = _Builder(place, volumes, folder, surroundings)
    init = tuple(builder.container(c) for c in spec.get("initContainers") or ())
    containers = tuple(builder.container(c) for c in spec["containers"])
    if not surroundings.namespaced:
        places = builder.places
        init = tuple(_moved(container, places) for container in init)
        containers = tuple(_moved(container, places) for container in containers)
    return runtime.Pod(
        uid=pod["metadata"]["uid"],
        name=pod["metadata"]["name"],
        hostname=hostname_of(pod),
        folder=str(folder.path),
        containers=containers,
        init=init,
        launcher=role_of(pod) is Role.LAUNCHER,
        mounts=tuple(builder.mounts.values()),
        keep=surroundings.keep,
        hosts=_hosts(pod, surroundings.hosts),
    )


def _parent(target: str) -> str:
    """Return the folder in which a mount point would have to be made, "" where it is there."""
    if os.path.lexists(target):
        return ""
    parent = os.path.dirname(target)
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    return parent


def _moved(container: runtime.Container, places: Mapping[str, str]) -> runtime.Container:
    """Return a container that finds its volumes where they are, without mounts."""
    return replace(
        container,
        argv=tuple(rewrite(word, places) for word in container.argv),
        env={name: rewrite(value, places) for name, value in container.env.items()},
        folder=rewrite(container.folder, places),
    )


class _Builder:
    """Goes through a pod's containers and gathers their mounts, which they share here."""

    def __init__(
        self, place: Place, volumes: Volumes, folder: PodFolder, surroundings: Surroundings
    ) -> None:
        self.place = place
        self.volumes = volumes
        self.folder = folder
        self.surroundings = surroundings
        self.mounts: dict[str, Mount] = {}

    @property
    def places(self) -> dict[str, str]:
        """Where what a container sees at a path really is, for pods that have no mounts."""
        return {mount.target: mount.source for mount in self.mounts.values() if mount.source}

    def container(self, container: Manifest) -> runtime.Container:
        """Return one container as a program."""
        user = user_of(container, self.place.pod)
        env = self._environment(container, user.environment())
        spared = {env.get("HOME", ""), self.surroundings.folder}
        for entry, mount in self.volumes.mounts(container, env):
            if entry["name"] == names.SSH_VOLUME and _parent(mount.target) in spared:
                # It would take a cover over the user's own folder, and new files there would be
                # lost with the pod; ranks need no keys here.
                continue
            self._add(container, mount)
        self._add_termination_file(container)
        log = self.folder.log(container["name"], 0)
        log.parent.mkdir(parents=True, exist_ok=True)
        return runtime.Container(
            name=container["name"],
            argv=self._argv(container, env),
            env=env,
            folder=container.get("workingDir") or self.surroundings.folder,
            log=str(log),
            uid=user.uid,
            gid=user.gid,
            groups=user.groups,
        )

    def _environment(self, container: Manifest, of_user: Mapping[str, str]) -> dict[str, str]:
        around = self.surroundings
        given = {**around.environment, **of_user}
        if around.devices is not None:
            given["CUDA_VISIBLE_DEVICES"] = around.devices
        env = environment(container, self.place, given)
        if around.devices:
            # Handed out means handed out: no two pods share a device, whatever they say.
            env["CUDA_VISIBLE_DEVICES"] = around.devices
        return env

    def _argv(self, container: Manifest, env: Mapping[str, str]) -> tuple[str, ...]:
        """Return what to execute: nothing for a host that only waits for its ranks."""
        said = [*(container.get("command") or ()), *(container.get("args") or ())]
        words = tuple(expanded(str(word), env) for word in said)
        role = role_of(self.place.pod)
        if role is Role.WORKER and words and os.path.basename(words[0]) == _SSHD:
            return ()
        if not words and role is Role.LAUNCHER:
            raise Hopeless(
                f'container "{container["name"]}" says neither command nor args, and its image '
                "is not looked into on this machine: write the command into the job file"
            )
        if role is Role.LAUNCHER and self.surroundings.no_mpi and _MPIRUN.search(" ".join(words)):
            raise Hopeless(self.surroundings.no_mpi)
        return words

    def _add(self, container: Manifest, mount: Mount) -> None:
        seen = self.mounts.setdefault(mount.target, mount)
        if seen.source != mount.source or seen.tmpfs != mount.tmpfs:
            raise MountFailed(
                f'container "{container["name"]}" mounts another volume at {mount.target} than '
                "the containers before it; on this machine a pod's containers share their mounts"
            )

    def _add_termination_file(self, container: Manifest) -> None:
        """Mount the file of a container's last words, where it names a place of its own for it."""
        target = container.get("terminationMessagePath") or _TERMINATION_PATH
        if target == _TERMINATION_PATH:
            return
        path = self.folder.termination(container["name"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o666)
        path.chmod(0o666)
        self._add(container, Mount(target, str(path)))


def _hosts(pod: Manifest, shared: str) -> str:
    """Return the pod's hosts file: the job's, and the aliases that the pod asks for."""
    aliases = pod["spec"].get("hostAliases") or ()
    if not shared or not aliases:
        return shared
    return shared + "".join(f"{row['ip']} {' '.join(row['hostnames'])}\n" for row in aliases)


def last_words(container: Manifest, folder: PodFolder, log: Path, exit_code: int) -> str:
    """Return a container's termination message: what it left, else the end of a failure's log.

    Source: `getTerminationMessage`, Kubernetes 1.36 (pkg/kubelet/kuberuntime).
    """
    path = folder.termination(container["name"])
    if path.exists():
        said = path.read_bytes()[:4096].decode(errors="replace")
        if said:
            return said
    falls_back = container.get("terminationMessagePolicy") == "FallbackToLogsOnError"
    return tail(log) if falls_back and exit_code != 0 else ""


def tail(log: Path, *, lines: int = 80, size: int = 2048) -> str:
    """Return the end of a log: at most so many lines, and bytes."""
    try:
        with open(log, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - size))
            text = file.read(size)
    except FileNotFoundError:
        return ""
    return b"".join(text.splitlines(keepends=True)[-lines:]).decode(errors="replace")
