"""What the engine needs of the outside, as protocols; tests/contract holds adapters to them."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from mpijob.cluster import refusals
from mpijob.core.config import KeyType
from mpijob.core.job import Key, Manifest
from mpijob.core.plan import Kind, Ref, SecretContent


class Conflict(Exception):
    """The object is no longer as it was seen, or its name is taken: look again, decide again."""


class NotFound(Exception):
    """There is no such object."""


class Unserved(NotFound):
    """The server does not know this kind of object."""


class Refused(Exception):
    """The server will not do this, now or later, and says why: invalid, forbidden, over quota."""


class Forbidden(Refused):
    """The server knows who asks, and that one may not."""


class Unknown(Refused):
    """The server does not know who asks: no credentials, wrong ones, or expired ones."""


class Unreachable(Exception):
    """No answer came. Whether the write took effect is not known: look again, decide again."""


class ChangeType(StrEnum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    #: Not a change: all objects that are there have been told, as a list had them. Told once the
    #: watch has begun, and again whenever it had to list anew.
    SYNCED = "SYNCED"


class Change(Struct, frozen=True):
    """One change of one object, with the object as it is now (or was last, where DELETED).

    `manifest` is JSON: a mapping, or the bytes that came over the wire, which the engine's cache
    decodes into views of its own. A SYNCED change bears an empty mapping, or a list's metadata.

    `key` and `version` are the object's, where they are known without reading all of it: who knows
    that version already need not.
    """

    type: ChangeType
    manifest: Manifest | bytes
    key: Key | None = None
    version: str = ""


class Objects(Protocol):
    """An object store that versions what it holds and tells watchers of every change, in order."""

    async def get(self, ref: Ref) -> Manifest:
        """Return the object as the server itself has it. Raises NotFound, Unreachable."""
        ...

    async def create(self, manifest: Manifest) -> Manifest | bytes:
        """Store a new object and return it as stored. Raises Conflict where the name is taken.

        What is returned here and by `patch` is a mapping, or JSON as it came over the wire.
        """
        ...

    async def patch(
        self, ref: Ref, fields: Manifest, *, version: str = "", subresource: str = ""
    ) -> Manifest | bytes:
        """Merge `fields` (JSON merge patch) and return the object as it is now.

        Raises Conflict where `version` is given and not the latest, NotFound where it is gone.
        """
        ...

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete the object, in the background with all it owns.

        Where it is gone already, do nothing; where the name now belongs to another uid than
        `uid`, raise Conflict.
        """
        ...

    def watch(self, kind: Kind) -> AsyncGenerator[Change, None]:
        """Yield all there is of a kind, then SYNCED, then every change. Ends only by raising."""
        ...


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the small cluster refuses as what an object store raises."""
    try:
        yield
    except (refusals.AlreadyExists, refusals.Conflict) as taken:
        raise Conflict(str(taken)) from None
    except refusals.NotFound as missing:
        raise NotFound(str(missing)) from None
    except refusals.Refused as refusal:
        raise Refused(str(refusal)) from None


class Strays(Protocol):
    """Finds what the watches of an object store pass over, since they ask for a label of ours."""

    def strays(self, kind: Kind) -> AsyncIterator[Manifest]:
        """Yield the objects of a kind that lack the label; their metadata at least.

        Raises Unreachable, Refused.
        """
        ...


class Keys(Protocol):
    """Draws the keys of a job's ssh."""

    async def draw(
        self, content: SecretContent, key_type: KeyType, job: Key
    ) -> Mapping[str, bytes]:
        """Return a Secret's data: entries by name, as bytes.

        For USER_KEYS `ssh-privatekey` and `ssh-publickey`; for HOST_KEYS the host's key pair and
        the `known_hosts` line that goes with it.
        """
        ...


class Logs(Protocol):
    """What containers have written to their standard output and error."""

    def read(
        self,
        pod: Ref,
        container: str = "",
        *,
        follow: bool = False,
        previous: bool = False,
        tail_lines: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield a container's log in pieces, as they were written.

        Raises NotFound where there is no such pod, container or run, and Unreachable.

        Args:
            pod: Whose log.
            container: Its name; "" for the pod's first.
            follow: Go on with what is written until this run of the container has ended; wait for
                it where it has not begun.
            previous: The run before the last restart.
            tail_lines: Begin so many lines before the end; None at the beginning.

        """
        ...
