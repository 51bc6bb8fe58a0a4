"""The controller's program: `python -m mpijob.sidecar.program --namespace NS --master POD …`.

Exits with 0 when the master has ended and all is done, 124 where the worker could not begin in
time, 143 where it is told to end, 2 where it cannot read its command line, and else with 1.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from mpijob.core.plan import Kind
from mpijob.ports import Change, Unreachable
from mpijob.sidecar.course import Failed, Signals, Surroundings, course
from mpijob.sidecar.orders import Orders, WrongOrders, orders

_log = logging.getLogger("openmpi-controller")
_AGAIN_S = 1.0
_TERMINATED = 143

Changes = Callable[[], AsyncIterator[Change]]


def main(words: Sequence[str] | None = None) -> None:
    """Run the controller in the current folder, and exit as it did."""
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO, stream=sys.stdout)
    code = asyncio.run(_minded(sys.argv[1:] if words is None else words))
    logging.shutdown()
    # What a thread may still be at, nobody wants any more.
    os._exit(code)


async def _minded(words: Sequence[str]) -> int:
    try:
        signals = Signals(Path.cwd())
    except Failed as failed:
        _log.error("%s", failed)
        return failed.code
    minding = asyncio.create_task(_mind(words, signals))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, minding.cancel)
    try:
        await minding
    except Failed as failed:
        _log.error("%s", failed)
        return failed.code
    except SystemExit as unread:
        return 2 if unread.code else 0
    except asyncio.CancelledError:
        _log.info("told to end")
        return _TERMINATED
    finally:
        signals.end()
    return 0


async def _mind(words: Sequence[str], signals: Signals) -> None:
    try:
        told = orders(words, os.environ)
    except WrongOrders as wrong:
        raise Failed(str(wrong)) from wrong
    async with _here(told) if told.home else _on_cluster(told) as changes:
        await course(told, Surroundings(Path.cwd(), os.environ, changes), signals)


@asynccontextmanager
async def _on_cluster(told: Orders) -> AsyncIterator[Changes]:
    """Give what watches the master's pod on the cluster that this pod is in."""
    from mpijob.kube.client import Client
    from mpijob.kube.config import connection
    from mpijob.kube.entries import ConfigError
    from mpijob.kube.watch import Watch

    try:
        place = connection()
    except ConfigError as broken:
        raise Failed(str(broken)) from broken
    async with Client(place, agent="openmpi-controller") as client:

        async def changes() -> AsyncIterator[Change]:
            path = f"/api/v1/namespaces/{told.namespace}/pods"
            query = {"fieldSelector": f"metadata.name={told.master}"}
            while True:
                try:
                    # What it may not do is to be told; once it has begun it goes on by itself.
                    async for change in Watch(client, path, query, is_patient=False).changes():
                        yield change
                except Unreachable as trouble:
                    _log.warning("%s", trouble)
                    await asyncio.sleep(_AGAIN_S)

        yield changes


@asynccontextmanager
async def _here(told: Orders) -> AsyncIterator[Changes]:
    """Give what watches the master's pod on this machine."""
    from mpijob.local.home import opened
    from mpijob.local.journal import Journal
    from mpijob.local.objects import LocalObjects

    journal = Journal(opened(Path(told.home)))
    try:
        journal.listen()
        yield lambda: _in_namespace(LocalObjects(journal).watch(Kind.POD), told.namespace)
    finally:
        journal.close()


async def _in_namespace(changes: AsyncIterator[Change], namespace: str) -> AsyncIterator[Change]:
    async for change in changes:
        metadata = change.manifest.get("metadata", {})  # type: ignore[union-attr]  # It is no text.
        if metadata.get("namespace", namespace) == namespace:
            yield change


if __name__ == "__main__":
    main()
