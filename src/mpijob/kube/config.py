"""Where the API server is and how we show who we are: from a kubeconfig, or from within a pod.

Source: the kubeconfig format of Kubernetes v1.36 (client-go, tools/clientcmd/api/v1).
"""

import base64
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mpijob.kube.credentials import Anonymous, Basic, Credentials, ExecPlugin, Token, TokenFile

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ConfigError(Exception):
    """The kubeconfig does not say what is needed. The message names the file and the entry."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An API server and the credentials for it.

    `ssl` is None for plain HTTP; `namespace` is what the context prefers, "default" where it is
    silent; `source` says for people where all this came from.
    """

    server: str
    ssl: ssl.SSLContext | None
    credentials: Credentials = field(repr=False)
    namespace: str = "default"
    source: str = ""
    server_name: str | None = None


def connection(kubeconfig: str = "", context: str = "") -> Connection:
    """Return the connection that a user means who says nothing more.

    In this order: the given file, those in `$KUBECONFIG`, the pod's own service account, and
    `~/.kube/config`.

    Raises:
        ConfigError: none of them is there, or one of them is not whole.

    """
    named = [kubeconfig] if kubeconfig else _listed(os.environ.get("KUBECONFIG", ""))
    if not named and not context and (SERVICE_ACCOUNT / "token").exists():
        return in_cluster(os.environ)
    files = [Path(name) for name in named] or [Path.home() / ".kube" / "config"]
    present = [file for file in files if file.is_file()]
    if not present:
        missing = ", ".join(map(str, files))
        raise ConfigError(f"no kubeconfig: {missing} is not there; set KUBECONFIG or --kubeconfig")
    return _from_files(present, context)


def in_cluster(environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Connection:
    """Return the connection of a pod's own service account, whose token is read anew as it turns.

    Raises:
        ConfigError: this is no pod, or its service account is not mounted.

    """
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError("not in a cluster: KUBERNETES_SERVICE_HOST is not set")
    shown = f"[{host}]" if ":" in host else host
    space = folder / "namespace"
    return Connection(
        server=f"https://{shown}:{port}",
        ssl=ssl.create_default_context(cafile=str(folder / "ca.crt")),
        credentials=TokenFile(folder / "token"),
        namespace=space.read_text().strip() if space.exists() else "default",
        source="the pod's service account",
    )


def _listed(text: str) -> list[str]:
    return [name for name in text.split(os.pathsep) if name]


def _from_files(files: list[Path], context: str) -> Connection:
    """Merge the files as kubectl does: the first to name an entry wins."""
    merged: dict[str, dict[str, tuple[Mapping[str, Any], Path]]] = {}
    chosen = context
    for file in files:
        whole = _read(file)
        for kind in ("clusters", "users", "contexts"):
            for entry in whole.get(kind) or ():
                body = entry.get(kind[:-1]) or {}
                merged.setdefault(kind, {}).setdefault(entry.get("name", ""), (body, file))
        chosen = chosen or whole.get("current-context", "")
    where = ", ".join(map(str, files))
    if not chosen:
        raise ConfigError(f"{where}: no current-context; choose one with --context")
    body, _ = _entry(merged, "contexts", chosen, where)
    cluster, cluster_file = _entry(merged, "clusters", body.get("cluster", ""), where)
    user, user_file = _entry(merged, "users", body.get("user", ""), where)
    server = str(cluster.get("server", ""))
    if not server:
        raise ConfigError(f"{cluster_file}: cluster {body.get('cluster')!r} names no server")
    return Connection(
        server=server.rstrip("/"),
        ssl=_tls(cluster, cluster_file, user, user_file) if server.startswith("https") else None,
        credentials=_credentials(user, user_file, cluster),
        namespace=body.get("namespace") or "default",
        source=f"{cluster_file}, context {chosen}",
        server_name=cluster.get("tls-server-name"),
    )


def _read(file: Path) -> Mapping[str, Any]:
    try:
        whole = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as broken:
        raise ConfigError(f"{file}: {broken}") from broken
    if not isinstance(whole, dict):
        raise ConfigError(f"{file}: this is no kubeconfig")
    return whole


def _entry(
    merged: Mapping[str, Mapping[str, tuple[Mapping[str, Any], Path]]],
    kind: str,
    name: str,
    where: str,
) -> tuple[Mapping[str, Any], Path]:
    found = merged.get(kind, {}).get(name)
    if found is None:
        known = ", ".join(sorted(merged.get(kind, {}))) or "none"
        raise ConfigError(f"{where}: there is no {kind[:-1]} {name!r}; there are: {known}")
    return found


def _tls(
    cluster: Mapping[str, Any], cluster_file: Path, user: Mapping[str, Any], user_file: Path
) -> ssl.SSLContext:
    """Return what the server is verified with, and the client certificate that we show."""
    authority = _inline(cluster, "certificate-authority", cluster_file)
    try:
        made = ssl.create_default_context(cadata=authority.decode() if authority else None)
        if cluster.get("insecure-skip-tls-verify"):
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
        certificate = _inline(user, "client-certificate", user_file)
        key = _inline(user, "client-key", user_file)
        if certificate and key:
            load_client_certificate(made, certificate, key)
    except ssl.SSLError as broken:
        raise ConfigError(f"{cluster_file}: the certificates cannot be used: {broken}") from broken
    return made


def load_client_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Have `context` show a client certificate (PEM, as is its key).

    OpenSSL reads keys from files alone: they are there for this moment, for nobody else to read.
    """
    with tempfile.TemporaryDirectory(prefix="mpijob-") as folder:
        files = (Path(folder) / "certificate.pem", Path(folder) / "key.pem")
        for file, text in zip(files, (certificate, key), strict=True):
            file.touch(mode=0o600)
            file.write_bytes(text)
        context.load_cert_chain(*files)


def _inline(entry: Mapping[str, Any], name: str, file: Path) -> bytes:
    """Return what an entry holds under NAME-data (base64), or what its file NAME holds."""
    data, path = entry.get(f"{name}-data"), entry.get(name)
    try:
        if data:
            return base64.b64decode(data, validate=True)
        return (file.parent / path).read_bytes() if path else b""
    except (ValueError, OSError) as broken:
        raise ConfigError(f"{file}: {name}: {broken}") from broken


def _credentials(user: Mapping[str, Any], file: Path, cluster: Mapping[str, Any]) -> Credentials:
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


def _plugin(told: Mapping[str, Any], file: Path, cluster: Mapping[str, Any]) -> ExecPlugin:
    command = str(told.get("command", ""))
    if not command:
        raise ConfigError(f"{file}: the exec plugin names no command")
    # A path with a slash is meant from the kubeconfig's folder; a bare name is looked up in PATH.
    place = str(file.parent / command) if "/" in command else command
    pairs = {item["name"]: item["value"] for item in told.get("env") or ()}
    return ExecPlugin(
        argv=(place, *(told.get("args") or ())),
        api_version=told.get("apiVersion") or "client.authentication.k8s.io/v1",
        environment=pairs,
        cluster=dict(cluster) if told.get("provideClusterInfo") else None,
        hint=told.get("installHint", ""),
    )
