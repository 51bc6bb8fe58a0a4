"""Where the API server is and how we show who we are: from a kubeconfig, or from within a pod.

Source: the kubeconfig format of Kubernetes v1.36 (client-go, tools/clientcmd/api/v1).
"""

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from mpijob.kube import entries, tls
from mpijob.kube.credentials import Anonymous, Credentials, TokenFile
from mpijob.kube.entries import ConfigError
from mpijob.kube.proxies import proxy

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def _nothing_to_renew() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Connection:
    """An API server and the credentials for it.

    `ssl` is None for plain HTTP, and `reload` has it read its files anew; `namespace` is what the
    context prefers, "default" where it is silent; `source` says for people where all this came
    from; `server_name` is the name in the server's certificate, where that is not in its URL.
    """

    server: str
    ssl: ssl.SSLContext | None
    credentials: Credentials = field(repr=False)
    namespace: str = "default"
    source: str = ""
    server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)
    reload: Callable[[], None] = field(default=_nothing_to_renew, repr=False)


def connection(kubeconfig: str = "", context: str = "", *, server: str = "") -> Connection:
    """Return the connection that a user means who says nothing more.

    In this order: the given file, those in `$KUBECONFIG`, the pod's own service account, and
    `~/.kube/config`. A `server` (a URL) takes the place of the kubeconfig's; it needs none.

    Raises:
        ConfigError: none of them is there, or one of them is not whole.

    """
    named = [kubeconfig] if kubeconfig else _listed(os.environ.get("KUBECONFIG", ""))
    if not (named or context or server) and (SERVICE_ACCOUNT / "token").exists():
        return in_cluster(os.environ)
    files = [Path(name) for name in named] or [Path.home() / ".kube" / "config"]
    present = [file for file in files if file.is_file()]
    if present:
        found = _from_files(present, context)
        return replace(found, server=server.rstrip("/")) if server else found
    if not server:
        missing = ", ".join(map(str, files))
        raise ConfigError(f"no kubeconfig: {missing} is not there; set KUBECONFIG or --kubeconfig")
    return Connection(
        server.rstrip("/"),
        None,
        Anonymous(),
        source="the given address",
        proxy=proxy(server, os.environ),
    )


def in_cluster(environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Connection:
    """Return the connection of a pod's own service account, whose token is read anew as it turns.

    Raises:
        ConfigError: this is no pod, or its service account is not mounted.

    """
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError("not in a cluster: KUBERNETES_SERVICE_HOST is not set")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    space = folder / "namespace"

    def read() -> tls.Certificates:
        return tls.Certificates((folder / "ca.crt").read_bytes())

    try:
        made = tls.context(read)
    except (OSError, ValueError) as broken:
        raise ConfigError(f"the pod's service account: {folder / 'ca.crt'}: {broken}") from broken
    return Connection(
        server=server,
        ssl=made,
        credentials=TokenFile(folder / "token"),
        namespace=space.read_text().strip() if space.exists() else "default",
        source="the pod's service account",
        proxy=proxy(server, environment),
        reload=lambda: tls.renewed(made, read),
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
    server = str(cluster.get("server", "")).rstrip("/")
    if not server:
        raise ConfigError(f"{cluster_file}: cluster {body.get('cluster')!r} names no server")
    made, reload = None, _nothing_to_renew
    if server.startswith("https"):
        made, reload = entries.trust(cluster, cluster_file, user, user_file)
    return Connection(
        server=server,
        ssl=made,
        credentials=entries.credentials(
            user, user_file, entries.Plugged(cluster, cluster_file, made)
        ),
        namespace=body.get("namespace") or "default",
        source=f"{cluster_file}, context {chosen}",
        server_name=cluster.get("tls-server-name") or None,
        proxy=entries.proxy_of(cluster, cluster_file, server),
        reload=reload,
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
