"""What containers write can be read while they run, after they have ended, and after they went."""

import asyncio
import os

import pytest

from mpijob.api.manifest import ref_of
from mpijob.core.plan import Kind, Ref
from mpijob.ports import NotFound


def lines(count):
    return "".join(f"line {number}\n" for number in range(count))


@pytest.fixture
def written(plain_place):
    """A job that has written 1,000 lines, and a reader of its log."""
    place = plain_place
    place.run(place.mpijob('i=0; while [ $i -lt 1000 ]; do echo "line $i"; i=$((i+1)); done'))

    def read(**fields):
        async def scenario(local):
            pod = await place.pod_until(local.objects, "launcher", bool)
            return await place.log_of(local, pod, **fields)

        return place.play(scenario)

    return read


def test_the_log_of_a_container_that_has_ended_is_whole(written):
    assert written() == lines(1000)


def test_following_what_has_ended_ends(written):
    assert written(follow=True) == lines(1000)


TAILS = {"none": 0, "one": 1, "some": 10, "more than there are": 5000}


@pytest.mark.parametrize("count", TAILS.values(), ids=TAILS)
def test_the_last_lines_alone(written, count):
    assert written(tail_lines=count) == "".join(
        lines(1000).splitlines(keepends=True)[-count or 1000 :]
    )


def test_there_is_no_run_before_the_first(written):
    with pytest.raises(NotFound, match="there is no run before its last"):
        written(previous=True)


def test_what_is_written_is_told_as_it_comes(place, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    script = f"echo first; read line < {tmp_path}/pipe; echo $line; exit 0"

    async def scenario(local):
        supervisor = local.create(place.mpijob(script), place.settings())
        running = asyncio.create_task(supervisor.run())
        pod = await place.pod_until(local.objects, "launcher", bool)
        log = local.logs.read(ref_of(pod), follow=True)
        first = await anext(log)
        await asyncio.to_thread((tmp_path / "pipe").write_text, "second\n")
        rest = [piece async for piece in log]
        await running
        return first, b"".join(rest)

    assert place.play(scenario) == (b"first\n", b"second\n")


def test_logs_outlive_their_pods(plain_place, tmp_path):
    place = plain_place
    os.mkfifo(tmp_path / "pipe")
    manifest = place.mpijob(
        f"read line < {tmp_path}/pipe",
        1,
        worker={"containers": [place.container("mpi", "echo here; sleep 1000")]},
        runPolicy={"cleanPodPolicy": "All"},
    )
    worker = Ref(Kind.POD, "default", "pi-worker-0")

    async def scenario(local):
        supervisor = local.create(manifest, place.settings())
        running = asyncio.create_task(supervisor.run())
        uid = supervisor.job["metadata"]["uid"]
        await place.pod_until(local.objects, "worker", bool)
        log = local.logs.read(worker, follow=True)
        first = await anext(log)
        await log.aclose()
        await asyncio.to_thread((tmp_path / "pipe").write_text, "end")
        await running
        there = local.journal.store.get(worker)
        names = local.logs.pods("default", "pi", uid)
        return first, there, sorted(names)[-1], [piece async for piece in local.logs.read(worker)]

    assert place.play(scenario) == (b"here\n", None, "pi-worker-0", [b"here\n"])


def test_a_pod_that_nobody_knows_has_no_log(plain_place):
    async def scenario(local):
        with pytest.raises(NotFound, match="pod default/nobody has no log on this machine"):
            await anext(local.logs.read(Ref(Kind.POD, "default", "nobody")))

    plain_place.play(scenario)
