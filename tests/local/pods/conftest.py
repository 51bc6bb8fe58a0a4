"""A stage for pods: a runtime in a scratch folder, and all that it told."""

import asyncio
import contextlib
import os
import random
import tempfile
from pathlib import Path

import pytest

from mpijob.local.machine import namespaces_refusal
from mpijob.local.runtime import Container, Pod, Runtime

PATIENCE_S = 60.0


class Stage:
    """A running runtime, with short ways to say what the tests say often."""

    def __init__(self, runtime, folder):
        self.runtime = runtime
        self.folder = folder
        #: Seconds that no other process sleeps, so that a command line names a process of ours.
        self.unique = f"86{random.SystemRandom().randrange(10**9):09d}"
        self.told = []
        self._returned = []
        self._events = runtime.events()

    @staticmethod
    def shell(script, *, name="main", **fields):
        """Return a container that runs `script` in its pod's folder "work"."""
        fields = {"folder": "", "env": {"PATH": os.environ["PATH"]}} | fields
        return Container(name, ("sh", "-c", script), **fields)

    def pod(self, *containers, name="w-0", init=(), **fields):
        """Return a pod of `containers`, each with its log and folder where it names none.

        In its folder "work" are two fifos: a container writes "ready" for `word` to read, and
        waits for ever on "never".
        """
        folder = self.folder / name
        (folder / "work").mkdir(parents=True)
        (folder / "work").chmod(0o777)
        for fifo in ("ready", "never"):
            os.mkfifo(folder / "work" / fifo)
            os.chmod(folder / "work" / fifo, 0o666)

        def placed(container):
            return Container(
                container.name,
                container.argv,
                container.env,
                container.folder or str(folder / "work"),
                container.log or str(folder / "log"),
                container.uid,
                container.gid,
                container.groups,
            )

        return Pod(
            uid=f"uid-{name}",
            name=name,
            hostname=name,
            folder=str(folder),
            containers=tuple(map(placed, containers)),
            init=tuple(map(placed, init)),
            **fields,
        )

    def start(self, pod):
        self.runtime.start(pod)

    async def until(self, kind, **fields):
        """Return the first event of `kind` with `fields` that was not returned before."""

        def fits(event):
            found = isinstance(event, kind) and event not in self._returned
            return found and all(getattr(event, name) == want for name, want in fields.items())

        while not (found := list(filter(fits, self.told))):
            self.told.append(await anext(self._events))
        self._returned.append(found[0])
        return found[0]

    async def word(self, fifo, name="w-0"):
        """Return what a container writes into a fifo of its folder, when it does."""
        return await asyncio.to_thread((self.folder / name / "work" / fifo).read_text)

    def log(self, file="log", name="w-0"):
        return (self.folder / name / file).read_text()

    def sleepers(self):
        """Return how many processes, of any namespace, sleep our own time."""
        found = 0
        for process in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                line = Path("/proc", process, "cmdline").read_bytes()
                found += line.startswith(f"sleep\0{self.unique}\0".encode())
        return found


@pytest.fixture(scope="session")
def refusal():
    """Why pods cannot have namespaces on this machine."""
    return namespaces_refusal()


@pytest.fixture(params=["namespaces", "plain"])
def mode(request, refusal):
    """Each way to run pods that this machine has."""
    if request.param == "namespaces" and refusal:
        pytest.skip(f"pods cannot have namespaces here: {refusal}")
    return request.param


@pytest.fixture
def play(mode, stage_of):
    """Play a scenario on a stage, once in each way to run pods; return what it returned."""
    return lambda scenario, **settings: stage_of(scenario, mode=mode, **settings)


@pytest.fixture
def ground():
    """A scratch folder that any user may enter: a container may run as another one."""
    with tempfile.TemporaryDirectory(prefix="stage-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def stage_of(ground):
    """Play a scenario on a stage with settings of its own."""

    async def played(scenario, settings):
        runtime = await Runtime.launch(ground / "home", **settings)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await scenario(Stage(runtime, ground))
        finally:
            await runtime.close()

    return lambda scenario, **settings: asyncio.run(played(scenario, settings))


@pytest.fixture
def launched(ground):
    """Launch a runtime and close it."""

    async def life(settings):
        runtime = await Runtime.launch(ground / "home", **settings)
        await runtime.close()

    return lambda **settings: asyncio.run(life(settings))
