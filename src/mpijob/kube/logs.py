"""The port `Logs` over HTTP: what the kubelets hand on of a container's output."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.kube import followed_log
from mpijob.kube.client import Client
from mpijob.kube.container import has_begun, restarts
from mpijob.kube.followed_log import SILENCE_S, Run
from mpijob.kube.resources import Paths
from mpijob.kube.watch import Watch
from mpijob.ports import ChangeType, NotFound, Refused


class KubeLogs:
    """The logs of a cluster's pods, as long as the pods are there."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(
        self,
        pod: Ref,
        container: str = "",
        *,
        follow: bool = False,
        previous: bool = False,
        tail_lines: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield what a container wrote, in pieces; with `follow`, what it writes until it ends.

        `container` "" is the pod's first. `previous` is the run before the last restart.
        Raises NotFound where there is no such pod, container or run; Unreachable, Refused.
        """
        path = Paths().object(pod)
        known: Manifest = msgspec.json.decode(
            await self._client.request("GET", path), type=dict[str, Any]
        )
        name = container or known["spec"]["containers"][0]["name"]
        if follow and not has_begun(known, name):
            known = await self._begun(pod, name)
        query = {"previous": "true"} if previous else {}
        query |= {"tailLines": str(tail_lines)} if tail_lines is not None else {}
        try:
            if follow and not previous:
                run = Run(path, name, restarts(known, name))
                async for piece in followed_log.follow(self._client, run, query):
                    yield piece
                return
            query = {"container": name, **query}
            async with self._client.stream(f"{path}/log", query, idle_s=SILENCE_S) as pieces:
                async for piece in pieces:
                    yield piece
        except Refused as refusal:
            if _LACKING in str(refusal) or _NOT_YET in str(refusal) or _NO_SUCH in str(refusal):
                raise NotFound(str(refusal)) from refusal
            raise

    async def _begun(self, pod: Ref, container: str) -> Manifest:
        """Return the pod once a container has run, or never will. Raises NotFound where it goes."""
        path = Paths(namespace=pod.namespace).collection(Kind.POD)
        query = {"fieldSelector": f"metadata.name={pod.name}"}
        async for change in Watch(self._client, path, query, is_patient=False).changes():
            if change.type is ChangeType.DELETED:
                raise NotFound(f"pod {pod.namespace}/{pod.name} is gone")
            if isinstance(change.manifest, bytes):
                told = msgspec.json.decode(change.manifest, type=dict[str, Any])
                if has_begun(told, container):
                    return told
        raise NotFound(f"pod {pod.namespace}/{pod.name} is watched no more")


#: What the server says of a run, a container or a log that is not there; none of it is a 404.
_LACKING = "previous terminated container"
_NOT_YET = "is waiting to start"
_NO_SUCH = "is not valid for pod"
