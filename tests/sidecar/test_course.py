"""What a controller does, in order, with a master that is made to do what a test needs."""

import asyncio
from pathlib import Path

import pytest

from mpijob.generate.openmpi.choices import Transfer
from mpijob.ports import Change, ChangeType, Forbidden
from mpijob.sidecar.course import Failed, Signals, Surroundings, course
from mpijob.sidecar.orders import Orders

ORDERS = Orders("ns", "x-master")
SOON = 0


class Play:
    """A worker's folder, and the master as its watch tells of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: asyncio.Queue[Change | Exception] = asyncio.Queue()
        self.driver = folder / "driver"

    @property
    def signals(self):
        """What the worker has been told."""
        return sorted(path.name for path in (self.folder / ".openmpi-controller").iterdir())

    def tell(self, phase, change=ChangeType.MODIFIED):
        spec = {"containers": [{"name": "job"}], "restartPolicy": "Never"}
        manifest = {"metadata": {"name": "x-master"}, "spec": spec, "status": {"phase": phase}}
        self.told.put_nowait(Change(change, manifest))

    async def changes(self):
        while True:
            change = await self.told.get()
            if isinstance(change, Exception):
                raise change
            yield change

    def begin(self, orders=ORDERS):
        around = Surroundings(self.folder, {}, self.changes, self.driver)
        return asyncio.create_task(course(orders, around, Signals(self.folder)))

    async def until(self, signals):
        """Return once the worker has been told all that."""
        while self.signals != signals:  # noqa: ASYNC110  # Files tell nobody.
            await asyncio.sleep(0)


@pytest.fixture
def played(tmp_path):
    """Play a scene; a course that has not ended by then is ended."""

    def play(scene):
        async def whole():
            async with asyncio.timeout(20):
                return await scene(Play(tmp_path))

        return asyncio.run(whole())

    return play


async def the_failure_of(task):
    with pytest.raises(Failed) as failed:
        await task
    return failed.value


def test_a_worker_begins_once_the_master_is_there(played):
    async def scene(play):
        task = play.begin()
        play.tell("Pending")
        await play.until(["SIGCONT"])
        return task.done()

    assert played(scene) is False


@pytest.mark.parametrize("end", ["Succeeded", "Failed"])
def test_a_worker_may_end_when_the_master_has_however_it_ended(played, end):
    async def scene(play):
        task = play.begin()
        play.tell("Running")
        await play.until(["SIGCONT"])
        play.tell(end)
        await task
        return play.signals

    assert played(scene) == ["SIGCONT", "SIGTERM"]


def test_a_master_that_is_deleted_has_ended(played):
    async def scene(play):
        task = play.begin()
        play.tell("Running")
        await play.until(["SIGCONT"])
        play.tell("Running", ChangeType.DELETED)
        await task
        return play.signals

    assert played(scene) == ["SIGCONT", "SIGTERM"]


def test_a_master_that_is_never_there_is_not_waited_for_without_end(played):
    async def scene(play):
        failed = await the_failure_of(play.begin(Orders("ns", "x-master", timeout_s=SOON)))
        return str(failed), failed.code, play.signals

    assert played(scene) == ("after 0 s there is no pod x-master", 124, ["SIGTERM"])


def test_a_worker_with_gpus_waits_for_their_driver(played):
    async def scene(play):
        task = play.begin(Orders("ns", "x-master", gpus=1))
        play.tell("Running")
        await asyncio.sleep(0)
        before = play.signals
        play.driver.touch()
        await play.until(["SIGCONT"])
        task.cancel()
        return before

    assert played(scene) == []


def test_a_driver_that_does_not_come_is_told_and_the_worker_may_end(played):
    async def scene(play):
        play.tell("Running")
        failed = await the_failure_of(play.begin(Orders("ns", "x-master", 1, timeout_s=SOON)))
        return failed.code, "no driver of the GPUs" in str(failed), play.signals

    assert played(scene) == (124, True, ["SIGTERM"])


def test_a_master_that_ends_before_the_worker_can_begin_is_told_with_what_it_lacks(played):
    async def scene(play):
        task = play.begin(Orders("ns", "x-master", gpus=1))
        play.tell("Running")
        for _ in range(20):  # More turns than it takes to look for the driver.
            await asyncio.sleep(0)
        play.tell("Failed")
        failed = await the_failure_of(task)
        return str(failed).replace(str(play.driver), "DRIVER"), play.signals

    lack = "there is no driver of the GPUs: DRIVER is not there"
    assert played(scene) == (
        f"the master has ended (Failed) before this worker could begin: {lack}",
        ["SIGTERM"],
    )


def test_who_may_not_watch_the_master_is_told_so(played):
    async def scene(play):
        play.told.put_nowait(Forbidden("pods is forbidden: User x cannot list"))
        failed = await the_failure_of(play.begin())
        return str(failed), play.signals

    assert played(scene) == (
        "cannot watch the master x-master: pods is forbidden: User x cannot list",
        ["SIGTERM"],
    )


def test_a_watch_that_breaks_later_lets_the_worker_end(played):
    async def scene(play):
        task = play.begin()
        play.tell("Running")
        await play.until(["SIGCONT"])
        play.told.put_nowait(Forbidden("no more"))
        await the_failure_of(task)
        return play.signals

    assert played(scene) == ["SIGCONT", "SIGTERM"]


def test_a_controller_that_is_told_to_end_lets_its_worker_end(played):
    async def scene(play):
        task = play.begin()
        play.tell("Running")
        await play.until(["SIGCONT"])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return play.signals

    assert played(scene) == ["SIGCONT", "SIGTERM"]


def test_what_is_not_there_is_not_uploaded(played):
    async def scene(play):
        upload = Transfer("out", "s3://out/b")
        task = play.begin(Orders("ns", "x-master", upload=upload))
        play.tell("Running")
        await play.until(["SIGCONT"])
        play.tell("Succeeded")
        await task
        return play.signals

    assert played(scene) == ["SIGCONT", "SIGTERM"]


def test_no_two_controllers_share_a_worker(tmp_path):
    Signals(tmp_path)
    with pytest.raises(Failed, match="cannot make"):
        Signals(tmp_path)
