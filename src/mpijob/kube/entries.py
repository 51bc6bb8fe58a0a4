"""What the entries of a kubeconfig say: whom to trust, who we are, and by which proxy to go.

Source: the kubeconfig format of Kubernetes v1.36 (client-go, tools/clientcmd/api/v1).
"""

import base64
import logging
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from mpijob.kube import tls
from mpijob.kube.credentials import Anonymous, Basic, Credentials, ExecPlugin, Token, TokenFile
from mpijob.kube.proxies import proxy

_log = logging.getLogger(__name__)

#: Where a kubeconfig's cluster has what it tells exec plugins alone.
_PLUGIN_EXTENSION = "client.authentication.k8s.io/exec"


class ConfigError(Exception):
    """The kubeconfig does not say what is needed. The message names the file and the entry."""


def proxy_of(cluster: Mapping[str, Any], file: Path, server: str) -> str | None:
    """Return the proxy that the kubeconfig names, or else the environment."""
    told = str(cluster.get("proxy-url") or "") or proxy(server, os.environ)
    if told and urlsplit(told).scheme not in ("http", "https"):
        raise ConfigError(f"{file}: only http and https proxies can be used, not {told!r}")
    return told


def trust(
    cluster: Mapping[str, Any], cluster_file: Path, user: Mapping[str, Any], user_file: Path
) -> tuple[ssl.SSLContext, Callable[[], None]]:
    """Return what the server is verified with and we show, and what has it read anew."""

    def read() -> tls.Certificates:
        return tls.Certificates(
            inline(cluster, "certificate-authority", cluster_file),
            inline(user, "client-certificate", user_file),
            inline(user, "client-key", user_file),
        )

    is_verified = not cluster.get("insecure-skip-tls-verify")
    if not is_verified:
        _log.warning(
            "%s: insecure-skip-tls-verify: whoever answers at %s is taken for the API server and "
            "sees our credentials; name its certificate-authority instead",
            cluster_file,
            cluster.get("server"),
        )
    try:
        made = tls.context(read, is_verified=is_verified)
    except (ValueError, ssl.SSLError) as broken:
        raise ConfigError(f"{cluster_file}: the certificates cannot be used: {broken}") from broken
    return made, lambda: tls.renewed(made, read)


def inline(entry: Mapping[str, Any], name: str, file: Path) -> bytes:
    """Return what an entry holds under NAME-data (base64), or what its file NAME holds."""
    data, path = entry.get(f"{name}-data"), entry.get(name)
    try:
        if data:
            return base64.b64decode(data, validate=True)
        return (file.parent / path).read_bytes() if path else b""
    except (ValueError, OSError) as broken:
        raise ConfigError(f"{file}: {name}: {broken}") from broken


class Plugged(Struct, frozen=True):
    """The cluster that an exec plugin draws credentials for."""

    entry: Mapping[str, Any]
    file: Path
    tls: ssl.SSLContext | None


def credentials(user: Mapping[str, Any], file: Path, cluster: Plugged) -> Credentials:
    """Return how a kubeconfig's user shows who they are. Raises ConfigError."""
    if user.get("as") or user.get("as-groups") or user.get("as-uid"):
        raise ConfigError(f"{file}: to act as somebody else (as, as-groups) is not supported")
    if user.get("exec"):
        return _plugin(user["exec"], file, cluster)
    if user.get("tokenFile"):
        return TokenFile(file.parent / user["tokenFile"])
    if user.get("token"):
        return Token(user["token"])
    if user.get("username"):
        return Basic(user["username"], user.get("password", ""))
    if user.get("auth-provider"):
        name = user["auth-provider"].get("name", "")
        raise ConfigError(
            f"{file}: the auth-provider {name!r} is gone from Kubernetes; use an exec plugin"
        )
    return Anonymous()


def _plugin(told: Mapping[str, Any], file: Path, cluster: Plugged) -> ExecPlugin:
    command = str(told.get("command", ""))
    if not command:
        raise ConfigError(f"{file}: the exec plugin names no command")
    if told.get("interactiveMode") == "Always":
        raise ConfigError(f"{file}: the exec plugin {command} wants a terminal, and has none here")
    # A path with a slash is meant from the kubeconfig's folder; a bare name is looked up in PATH.
    place = str(file.parent / command) if "/" in command else command
    pairs = {item["name"]: item["value"] for item in told.get("env") or ()}
    shown = cluster.tls
    return ExecPlugin(
        argv=(place, *(told.get("args") or ())),
        api_version=told.get("apiVersion") or "client.authentication.k8s.io/v1",
        environment=pairs,
        cluster=_for_plugins(cluster) if told.get("provideClusterInfo") else None,
        hint=told.get("installHint", ""),
        show=(lambda certificate, key: tls.show(shown, certificate, key)) if shown else None,
    )


def _for_plugins(cluster: Plugged) -> Mapping[str, Any]:
    """Return what a plugin is told of the cluster: whole, with no file of ours to read."""
    names = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
    found = {name: cluster.entry[name] for name in names if cluster.entry.get(name)}
    authority = inline(cluster.entry, "certificate-authority", cluster.file)
    if authority:
        found["certificate-authority-data"] = base64.b64encode(authority).decode()
    for extension in cluster.entry.get("extensions") or ():
        if extension.get("name") == _PLUGIN_EXTENSION:
            found["config"] = extension.get("extension")
    return found
