"""A plain client of an API server, for tests: what is asked goes out as it is, answers come back.

It knows nothing of the client under test, retries nothing, and hides no answer.
"""

import contextlib
import http.client
import json
import math
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

Object = dict[str, Any]

JSON = "application/json"
MERGE = "application/merge-patch+json"
_LIMIT_S = 60
#: A server closes a connection that has been idle for 90 s: we do not use one again by then.
_IDLE_S = 60
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: the code of HTTP, and the object."""

    code: int
    body: Any

    @property
    def reason(self) -> str:
        """The reason of a Status object, such as NotFound; "" where it is none."""
        return str(self.body.get("reason", "")) if isinstance(self.body, dict) else ""

    @property
    def message(self) -> str:
        """The message of a Status object."""
        return str(self.body.get("message", "")) if isinstance(self.body, dict) else ""

    @property
    def is_good(self) -> bool:
        """Whether the server did what it was asked."""
        return self.code < http.client.BAD_REQUEST


class Unwanted(Exception):
    """The server did not do what the test needs it to do."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a watch."""

    type: str
    object: Object


class Watch:
    """A watch: iterate over its events, and close it."""

    def __init__(
        self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse
    ) -> None:
        self._connection, self._answer = connection, answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        """Yield each event as it comes; ends where the server ends the watch."""
        while line := self._answer.readline():
            row = json.loads(line)
            yield Event(row["type"], row["object"])

    def close(self) -> None:
        """End the watch."""
        self._answer.close()
        self._connection.close()


class Api:
    """One API server. Not for several threads at once: each makes its own."""

    def __init__(
        self, url: str, ca: str | Path, token: str, *, agent: str = "mpijob-tests"
    ) -> None:
        """Connect to nothing yet. `agent` is what the audit log will know the requests by."""
        parts = urlsplit(url)
        self._place = (parts.hostname or "", parts.port or 443)
        self._ssl = ssl.create_default_context(cafile=str(ca))
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": agent, "Accept": JSON}
        self._kept: http.client.HTTPSConnection | None = None
        self._used_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def ask(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and return the answer, whatever it is. Bytes go out as they are.

        Raises:
            OSError: There was no answer.
        """
        if time.monotonic() - self._used_at > _IDLE_S:
            self.close()
        if self._kept is None:
            self._kept = self._connection()
        full = f"{path}?{urlencode(query)}" if query else path
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body)
        try:
            self._kept.request(verb, full, sent, {**self._headers, "Content-Type": content_type})
            answer = self._kept.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        self._used_at = time.monotonic()
        is_json = (answer.getheader("Content-Type") or "").startswith(JSON)
        return Answer(answer.status, json.loads(text) if is_json else text.decode())

    def did(self, answer: Answer) -> Any:
        """Return what a good answer holds. Raises Unwanted where it is a refusal."""
        if not answer.is_good:
            raise Unwanted(f"{answer.code} {answer.message or answer.body}")
        return answer.body

    def patiently(self, verb: str, path: str, body: Any = None, **more: Any) -> Any:
        """Return what the server answers at last: told to come again later, this does.

        So it is for a moment after a definition has changed. Raises Unwanted where it says no.
        """
        for _ in range(_LIMIT_S):
            answer = self.ask(verb, path, body, **more)
            if answer.code != http.client.TOO_MANY_REQUESTS:
                break
            threading.Event().wait(answer.body["details"]["retryAfterSeconds"])
        return self.did(answer)

    def read(self, path: str, **query: str) -> Any:
        """Return what is at `path`. Raises Unwanted where the server says no."""
        return self.patiently("GET", path, query=query or None)

    def create(self, path: str, manifest: Object) -> Any:
        """Create an object in the collection `path` and return it."""
        return self.patiently("POST", path, manifest)

    def merge(self, path: str, fields: Object) -> Any:
        """Merge fields into the object at `path` and return it."""
        return self.patiently("PATCH", path, fields, content_type=MERGE)

    def delete(self, path: str, **options: Any) -> Any:
        """Delete the object at `path`; one that is gone already is no fault."""
        answer = self.ask("DELETE", path, options or None)
        return answer.body if answer.code == http.client.NOT_FOUND else self.did(answer)

    def watch(self, path: str, *, since: str = "", limit_s: int = _LIMIT_S, **query: str) -> Watch:
        """Return a watch of the collection `path` that the server ends after `limit_s` seconds.

        Told to come again later, it does. Raises Unwanted where the server says no.
        """
        asked = {"watch": "1", "timeoutSeconds": str(limit_s), **query}
        if since:
            asked["resourceVersion"] = since
        for _ in range(_LIMIT_S):
            connection = self._connection(limit_s + _LIMIT_S)
            connection.request("GET", f"{path}?{urlencode(asked)}", headers=self._headers)
            answer = connection.getresponse()
            if answer.status == http.client.OK:
                return Watch(connection, answer)
            text = answer.read().decode()
            connection.close()
            if answer.status != http.client.TOO_MANY_REQUESTS:
                break
            threading.Event().wait(int(answer.getheader("Retry-After") or 1))
        raise Unwanted(f"{answer.status} {text}")

    def lines(self, path: str, **query: str) -> Iterator[str]:
        """Yield the lines of an answer that goes on, such as a log that is followed."""
        with contextlib.closing(self._connection()) as connection:
            connection.request("GET", f"{path}?{urlencode(query)}", headers=self._headers)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise Unwanted(f"{answer.status} {answer.read().decode()}")
            while line := answer.readline():
                yield line.decode().rstrip("\n")

    def until(
        self, path: str, is_so: Callable[[Object], bool], *, limit_s: int = _LIMIT_S, **query: str
    ) -> Object:
        """Return the first object of the collection `path` of which `is_so` says yes.

        Looks at what is there and then at every change: nothing is polled.

        Raises:
            TimeoutError: None was for `limit_s` seconds; it tells what was seen last.
        """
        seen: deque[Object] = deque(maxlen=3)
        for event in self._changes(path, limit_s, query):
            if event is not None and event.type != "DELETED":
                seen.append(event.object)
                if is_so(event.object):
                    return event.object
        shown = "\n".join(json.dumps(_told(item)) for item in seen)
        raise TimeoutError(f"{path}: not so within {limit_s} s; last seen:\n{shown}")

    def until_gone(self, path: str, name: str, *, limit_s: int = _LIMIT_S) -> None:
        """Return once the collection `path` has no object of that name."""
        there = False
        for event in self._changes(path, limit_s, {"fieldSelector": f"metadata.name={name}"}):
            if event is None and not there:
                return
            there = event is not None and event.type != "DELETED"
            if event is not None and not there:
                return
        raise TimeoutError(f"{path}/{name} is still there after {limit_s} s")

    def _changes(self, path: str, limit_s: int, query: Mapping[str, str]) -> Iterator[Event | None]:
        """Yield what is there as if it were added, None, and every change; and so on anew.

        A watch that the server ends early, as it does where a definition changes, is begun again.
        """
        ends_at = time.monotonic() + limit_s
        while (left_s := math.ceil(ends_at - time.monotonic())) > 0:
            listed = self.read(path, **query)
            yield from (Event("ADDED", item) for item in listed["items"])
            yield None
            since = listed["metadata"]["resourceVersion"]
            # The server does not keep an idle connection for as long as this may take.
            self.close()
            with self.watch(path, since=since, limit_s=left_s, **query) as watch:
                yield from takewhile(lambda event: event.type != "ERROR", watch)

    def answers(self, path: str) -> bool:
        """Whether the server is there and answers `path` with a yes."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", path).is_good
        return False

    def until_answers(self, path: str, limit_s: float = _LIMIT_S) -> None:
        """Return once the server answers `path` with a yes: kinds just defined take a moment."""
        self._until(lambda: self.answers(path), f"{path}: no good answer", limit_s)

    def until_explained(self, version: str, limit_s: float = _LIMIT_S) -> None:
        """Return once the server has a description of `version`, which comes after it is served.

        `version` is such as kubeflow.org/v2beta1; `kubectl explain` reads that description.
        """
        # The index is JSON that the server calls plain text.
        self._until(
            lambda: f"apis/{version}" in json.loads(self.read("/openapi/v3"))["paths"],
            f"{version}: no description",
            limit_s,
        )

    def until_unknown(self, path: str, limit_s: float = _LIMIT_S) -> None:
        """Return once there is nothing at `path`: kinds that went are served for a moment yet."""
        missing = http.client.NOT_FOUND
        self._until(lambda: self.ask("GET", path).code == missing, f"{path} is there yet", limit_s)

    def _until(self, is_so: Callable[[], bool], otherwise: str, limit_s: float) -> None:
        moment = threading.Event()
        for _ in range(int(limit_s / _PAUSE_S)):
            if is_so() or moment.wait(_PAUSE_S):
                return
        raise TimeoutError(f"{otherwise} after {limit_s:.0f} s")

    def _connection(self, limit_s: float = _LIMIT_S) -> http.client.HTTPSConnection:
        host, port = self._place
        return http.client.HTTPSConnection(host, port, timeout=limit_s, context=self._ssl)


def _told(item: Object) -> Object:
    metadata = {k: v for k, v in item.get("metadata", {}).items() if k != "managedFields"}
    return {"metadata": metadata, "status": item.get("status")}
