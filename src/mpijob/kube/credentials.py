"""How a client shows who it is: tokens that stand, tokens that turn, and plugins that draw them."""

import asyncio
import base64
import json
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

#: How long a token from a file is trusted before the file is read again (tokens turn hourly).
_TOKEN_FILE_S = 60.0
#: How long before its end a drawn token is drawn anew.
_MARGIN_S = 10.0
#: How long a plugin may take. It may ask a person to log in.
_PLUGIN_S = 120.0


class CredentialsError(Exception):
    """No credentials could be had. The message says from whom, and why."""


class Credentials(Protocol):
    """Something that gives the headers of a request. Secrets never show in its repr."""

    async def headers(self) -> Mapping[str, str]:
        """Return the headers that say who we are. Raises CredentialsError."""
        ...

    def forget(self, shown: Mapping[str, str]) -> None:
        """Have the credentials drawn anew, unless that was done since: the server refused these."""
        ...


class Anonymous:
    """No credentials, or a client certificate, which the connection itself shows."""

    async def headers(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    def forget(self, shown: Mapping[str, str]) -> None:
        """Have nothing to forget."""


class Token:
    """A bearer token that stands."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def headers(self) -> Mapping[str, str]:
        """Return the bearer header."""
        return _bearer(self._token)

    def forget(self, shown: Mapping[str, str]) -> None:
        """Have nothing else to offer."""


class Basic:
    """A user's name and password."""

    def __init__(self, user: str, password: str) -> None:
        self._text = base64.b64encode(f"{user}:{password}".encode()).decode()

    async def headers(self) -> Mapping[str, str]:
        """Return the basic header."""
        return {"Authorization": f"Basic {self._text}"}

    def forget(self, shown: Mapping[str, str]) -> None:
        """Have nothing else to offer."""


class TokenFile:
    """A bearer token in a file that somebody else keeps fresh, as the kubelet does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = ""
        self._read_at = float("-inf")

    async def headers(self) -> Mapping[str, str]:
        """Return the bearer header, from the file where the last reading is old."""
        if time.monotonic() - self._read_at > _TOKEN_FILE_S:
            try:
                self._token = self._path.read_text().strip()
            except OSError as broken:
                raise CredentialsError(f"no token: {broken}") from broken
            self._read_at = time.monotonic()
        return _bearer(self._token)

    def forget(self, shown: Mapping[str, str]) -> None:
        """Read the file again next time."""
        if shown == _bearer(self._token):
            self._read_at = float("-inf")


@dataclass(eq=False)
class ExecPlugin:
    """A program that draws credentials (client.authentication.k8s.io, v1 and v1beta1).

    Args:
        argv: The program and its arguments.
        api_version: The version that the kubeconfig names.
        environment: Variables beside our own.
        cluster: The kubeconfig's cluster entry, where the plugin is to know it.
        hint: What to tell a person who has not installed the program.
        show: Has new connections show a client certificate (PEM) with its key.

    """

    argv: tuple[str, ...]
    api_version: str
    environment: Mapping[str, str]
    cluster: Mapping[str, Any] | None = None
    hint: str = ""
    show: Callable[[bytes, bytes], None] | None = None

    def __post_init__(self) -> None:
        self._headers: Mapping[str, str] = {}
        self._ends_at = 0.0
        self._lock = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """Return the bearer header; the program is run where the last credential is used up."""
        async with self._lock:
            if time.time() >= self._ends_at - _MARGIN_S:
                status = await self._draw()
                token = status.get("token", "")
                certificate = status.get("clientCertificateData", "")
                if certificate and self.show is not None:
                    self._take(certificate, status.get("clientKeyData", ""))
                elif not token:
                    raise CredentialsError(
                        f"{self.argv[0]} gave neither a token nor, for https, a client certificate"
                    )
                self._headers = _bearer(token) if token else {}
                self._ends_at = _moment(status.get("expirationTimestamp"))
        return self._headers

    def forget(self, shown: Mapping[str, str]) -> None:
        """Run the program again next time."""
        if shown == self._headers:
            self._ends_at = 0.0

    def _take(self, certificate: str, key: str) -> None:
        try:
            if self.show is not None:
                self.show(certificate.encode(), key.encode())
        except ssl.SSLError as broken:
            raise CredentialsError(
                f"{self.argv[0]} gave a client certificate that cannot be used: {broken}"
            ) from broken

    async def _draw(self) -> Mapping[str, Any]:
        output = await self._output()
        try:
            answer = json.loads(output)
            return answer["status"] if isinstance(answer["status"], dict) else {}
        except (ValueError, KeyError, TypeError) as broken:
            raise CredentialsError(f"{self.argv[0]} gave no ExecCredential") from broken

    async def _output(self) -> bytes:
        """Run the program to its end and return what it printed; it never outlives this."""
        spec: dict[str, Any] = {"interactive": False}
        if self.cluster is not None:
            spec["cluster"] = dict(self.cluster)
        asked = {"apiVersion": self.api_version, "kind": "ExecCredential", "spec": spec}
        known = {**os.environ, **self.environment, "KUBERNETES_EXEC_INFO": json.dumps(asked)}
        try:
            program = await asyncio.create_subprocess_exec(
                *self.argv,
                env=known,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
            )
        except OSError as broken:
            hint = f" {self.hint}" if self.hint else ""
            raise CredentialsError(f"{self.argv[0]}: {broken}.{hint}") from broken
        try:
            async with asyncio.timeout(_PLUGIN_S):
                output, _ = await program.communicate()
        except TimeoutError as late:
            raise CredentialsError(
                f"{self.argv[0]} gave nothing within {_PLUGIN_S:.0f} s"
            ) from late
        finally:
            if program.returncode is None:
                program.kill()
                await program.wait()
        if program.returncode:
            raise CredentialsError(f"{self.argv[0]} ended with exit code {program.returncode}")
        return output


def _bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _moment(text: str | None) -> float:
    """Return the end of a credential in seconds since the epoch; one without an end stands."""
    if not text:
        return float("inf")
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as broken:
        raise CredentialsError(f"expirationTimestamp {text!r} is no time") from broken
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
