"""Processes that watch a journal are told that it has grown, and nobody polls."""

import asyncio
import socket

from mpijob.local.bell import Bell


def test_a_ring_is_heard_by_all_others_and_not_by_the_ringer(tmp_path):
    async def scenario():
        heard = {name: asyncio.Event() for name in "abc"}
        bells = {name: Bell(tmp_path).listen(event.set) for name, event in heard.items()}
        bells["a"].ring()
        await asyncio.gather(heard["b"].wait(), heard["c"].wait())
        for bell in bells.values():
            bell.close()
        return heard["a"].is_set()

    assert asyncio.run(scenario()) is False


def test_a_closed_bell_leaves_nothing_behind(tmp_path):
    Bell(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_the_bell_of_a_killed_process_is_taken_down_by_the_next_ring(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(str(tmp_path / "dead"))
    bell = Bell(tmp_path)
    bell.ring()
    bell.close()
    assert list(tmp_path.iterdir()) == []


def test_a_ring_that_finds_no_room_is_harmless(tmp_path):
    deaf, bell = Bell(tmp_path), Bell(tmp_path)
    for _ in range(5000):
        bell.ring()
    bell.close()
    deaf.close()


def test_a_folder_with_a_long_path_will_do(tmp_path):
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    Bell(folder).close()
