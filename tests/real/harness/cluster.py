"""A running cluster as those who use it see it: where it is, how to speak to it, what it logged."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from harness.api import Api


@dataclass(frozen=True, slots=True)
class Request:
    """One answered request, from the audit log: who asked for what, and the answer's code.

    `allowed` says whether the asker had the right to; a quota may still have forbidden it.
    """

    agent: str
    user: str
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    allowed: bool


@dataclass(frozen=True, slots=True)
class Cluster:
    """The address of a cluster and the files that belong to it. A value: it can be handed on.

    `binaries` are the programs it runs on, by name; `registry` is where its nodes pull images
    from, as HOST:PORT, or "" where it has no real node; `nodes` are its real nodes, and `network`
    the name of the machine's interface to them.
    """

    folder: str
    url: str
    ca: str
    token: str
    kubeconfig: str
    audit_log: str
    binaries: Mapping[str, str] = field(default_factory=dict)
    registry: str = ""
    nodes: tuple[str, ...] = ()
    network: str = ""

    def api(self, agent: str = "mpijob-tests") -> Api:
        """Return a client with every right; `agent` is how the audit log will know it."""
        return Api(self.url, self.ca, self.token, agent=agent)

    def requests(self) -> Iterator[Request]:
        """Yield what the server was asked so far, in the order of its answers."""
        with open(self.audit_log, encoding="utf-8") as file:
            for line in file:
                # The last line may still be being written.
                if line.endswith("\n"):
                    yield _request(json.loads(line))

    def request_counts(self, agent: str) -> Counter[tuple[str, str]]:
        """Return how often who calls itself so asked, by verb and RESOURCE[/SUBRESOURCE]."""
        return Counter(
            (row.verb, f"{row.resource}/{row.subresource}".rstrip("/"))
            for row in self.requests()
            if row.agent.startswith(agent)
        )

    def as_json(self) -> str:
        """Return the description as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the cluster that `as_json` described."""
        fields = json.loads(text)
        return cls(**{**fields, "nodes": tuple(fields["nodes"])})


def _request(row: Mapping[str, Any]) -> Request:
    about = row.get("objectRef", {})
    return Request(
        agent=row.get("userAgent", ""),
        user=row["user"].get("username", ""),
        verb=row["verb"],
        resource=about.get("resource", ""),
        subresource=about.get("subresource", ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        code=row.get("responseStatus", {}).get("code", 0),
        allowed=row.get("annotations", {}).get("authorization.k8s.io/decision") != "forbid",
    )


def write_kubeconfig(path: Path, *, url: str, ca: Path, user: Mapping[str, str]) -> Path:
    """Write a kubeconfig for one user of one server, which nobody else may read."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mpijob",
        "contexts": [{"name": "mpijob", "context": {"cluster": "mpijob", "user": "mpijob"}}],
        "clusters": [
            {"name": "mpijob", "cluster": {"server": url, "certificate-authority": str(ca)}}
        ],
        "users": [{"name": "mpijob", "user": dict(user)}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path
