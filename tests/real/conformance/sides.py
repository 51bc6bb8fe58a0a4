"""The two servers that have to agree: the small cluster's store, and a real API server.

Both answer with the same values: code and reason, the message of a refusal, and the object, its
uids, versions and times replaced by names that count them, since those may differ.
"""

import re
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol, assert_never

from conformance.requests import (
    AT,
    BASES,
    LATER,
    Bind,
    Create,
    Delete,
    Fields,
    Patch,
    Replace,
    Request,
    Seen,
)
from harness.api import MERGE, Answer, Api
from mpijob.cluster.admission import admit
from mpijob.cluster.kinds import RESOURCES
from mpijob.cluster.merge import merge_patch
from mpijob.cluster.store import Refused, Store, snapshot_of
from mpijob.core.plan import Kind, Ref

_WRONG = {"version": "4242424242", "uid": "00000000-0000-0000-0000-000000000000"}
_BEGIN = 7_000_000_000
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
#: What a server tells of its own storage.
_STORAGE = re.compile(r"StorageError: invalid object, .*? AdditionalErrorMsg: ")
#: How a server shows what was changed of a pod, in its own spelling.
_DIFFERENCE = re.compile(r"\n@@ .*?\n(?=\]?$|, spec)", re.DOTALL)
#: What a message shows of a template in the server's own spelling, and what stands before it.
_TEMPLATE = re.compile(
    r"(spec\.template(?:\.spec)?: Invalid value: )\{.*\}(?=: field is immutable)"
)
#: What a real server fills in of a Service and the small cluster leaves out: nothing reads it.
_UNKEPT = {
    Kind.SERVICE: (
        "clusterIPs",
        "internalTrafficPolicy",
        "ipFamilies",
        "ipFamilyPolicy",
        "sessionAffinity",
    )
}


@dataclass(frozen=True, slots=True)
class Told:
    """An answer or an event, in words that two servers can share."""

    what: str
    message: str = ""
    object: Any = None


class Side(Protocol):
    """A server with one namespace for the sequence at hand."""

    def does(self, request: Request) -> Told:
        """Send a request and tell the answer."""
        ...

    def changes(self, kind: Kind) -> list[Told]:
        """Tell all that watchers of a kind saw since the beginning."""
        ...


@dataclass
class Aliases:
    """Names for what differs between servers: u1 is the first uid that was seen, and so on."""

    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, letter: str, value: str) -> str:
        """Return the name of `value` among those of its letter."""
        number = sum(1 for kind, _ in self.known if kind == letter) + 1
        return self.known.setdefault((letter, value), f"{letter}{number}")

    def told(self, kind: Kind, manifest: Any) -> Any:
        """Return an object with its uid, version and times named, and without empty values."""
        shown = deepcopy(manifest)
        metadata = shown["metadata"]
        metadata.pop("managedFields", None)
        metadata.pop("namespace", None)
        shown["apiVersion"], shown["kind"] = RESOURCES[kind].api_versions[0], kind
        uid, version = metadata["uid"], metadata["resourceVersion"]
        metadata["resourceVersion"] = self.of("v", version)
        for name in _UNKEPT.get(kind, ()):
            shown["spec"].pop(name, None)
        return _pruned(_renamed(shown, uid, self.of("u", uid)))


def _renamed(value: Any, uid: str, alias: str) -> Any:
    """Return a value with a uid replaced everywhere (a Job's labels bear it too), and times."""
    if isinstance(value, dict):
        return {key: _renamed(inner, uid, alias) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, uid, alias) for inner in value]
    if value == uid:
        return alias
    is_now = isinstance(value, str) and _MOMENT.fullmatch(value) and value not in (AT, LATER)
    return "some time" if is_now else value


def _pruned(value: Any) -> Any:
    """Return a value without empty parts: typed servers leave them out of what they say."""
    if isinstance(value, dict):
        inner = {key: _pruned(part) for key, part in value.items()}
        return {key: part for key, part in inner.items() if part not in (None, {}, [], "")}
    if isinstance(value, list):
        return [_pruned(part) for part in value]
    return value


class _Memory:
    """What a client has seen of each object: all its uids and versions, and how it last was."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self.seen: dict[tuple[Kind, str], list[Any]] = {}

    def note(self, kind: Kind, manifest: Any) -> None:
        self.seen.setdefault((kind, manifest["metadata"]["name"]), []).append(manifest)

    def last(self, request: Patch | Replace | Delete) -> Any:
        """Return the object as it was last seen, or a stranger."""
        rows = self.seen.get((request.kind, request.name))
        return rows[-1] if rows else {**deepcopy(BASES[request.kind]), "metadata": {}}

    def value(self, request: Patch | Replace | Delete, what: str) -> str:
        """Return the version or the uid that a request bears, or ""."""
        which: Seen = getattr(request, what)
        rows = self.seen.get((request.kind, request.name))
        if which is Seen.NONE:
            return ""
        if which is Seen.WRONG or not rows:
            return _WRONG[what]
        name = "resourceVersion" if what == "version" else "uid"
        found = rows[-1 if which is Seen.LATEST else 0]["metadata"][name]
        return str(found)

    def body(self, request: Patch | Replace) -> Fields:
        """Return what a write sends: the fields, and the version and uid that it expects."""
        if isinstance(request, Patch):
            fields = deepcopy(request.fields)
        else:
            fields = merge_patch(deepcopy(self.last(request)), request.fields)
        metadata = dict(fields.get("metadata") or {})
        metadata.pop("managedFields", None)
        for name, what in (("resourceVersion", "version"), ("uid", "uid")):
            metadata.pop(name, None)
            if value := self.value(request, what):
                metadata[name] = value
        if isinstance(request, Replace):
            fields["kind"] = str(request.kind)
            metadata |= {"name": request.name, "namespace": self._namespace}
        return {**fields, "metadata": metadata} if metadata else fields


def _new(request: Create, namespace: str) -> Fields:
    base = {**deepcopy(BASES[request.kind]), "kind": str(request.kind)}
    whole = merge_patch(base, request.fields)
    metadata = {**whole.get("metadata", {}), "name": request.name, "namespace": namespace}
    return {**whole, "metadata": metadata}


class Real:
    """A real API server, over HTTP."""

    def __init__(self, api: Api, namespace: str, kind: Kind) -> None:
        """Speak to `api` of a kind's objects in `namespace`, which is empty."""
        self._api, self._namespace = api, namespace
        self._aliases, self._memory = Aliases(), _Memory(self._namespace)
        self._since = api.read(self._path(kind))["metadata"]["resourceVersion"]

    def does(self, request: Request) -> Told:
        """Send a request and tell the answer."""
        answer = self._ask(request)
        if not answer.is_good:
            message = answer.message.replace(self._namespace, "NAMESPACE")
            return Told(f"{answer.code} {answer.reason}", self._unnamed(message))
        if answer.body.get("kind") == "Status" or _is_gone(request, answer.body):
            return Told("done")
        self._memory.note(request.kind, answer.body)
        return Told("done", object=self._aliases.told(request.kind, answer.body))

    def changes(self, kind: Kind) -> list[Told]:
        """Tell all that a watch of a kind sees, up to an object that is made to end it."""
        self._api.create(self._path(kind), _new(Create(kind, "zz-end", {}), self._namespace))
        found = []
        with self._api.watch(self._path(kind), since=self._since) as watch:
            for event in watch:
                if event.object["metadata"]["name"] == "zz-end":
                    break
                found.append(Told(event.type, object=self._aliases.told(kind, event.object)))
        return found

    def _ask(self, request: Request) -> Answer:
        path = self._path(request.kind, "" if isinstance(request, Create) else request.name)
        match request:
            case Create():
                return self._api.ask("POST", path, _new(request, self._namespace))
            case Patch():
                path = f"{path}/{request.subresource}".rstrip("/")
                body = self._memory.body(request)
                return self._api.ask("PATCH", path, body, content_type=MERGE)
            case Replace():
                path = f"{path}/{request.subresource}".rstrip("/")
                return self._api.ask("PUT", path, self._memory.body(request))
            case Delete():
                conditions = {
                    "uid": self._memory.value(request, "uid"),
                    "resourceVersion": self._memory.value(request, "version"),
                }
                options: Fields = {"preconditions": {k: v for k, v in conditions.items() if v}}
                if request.grace_s is not None:
                    options["gracePeriodSeconds"] = request.grace_s
                options["propagationPolicy"] = "Background"
                return self._api.ask("DELETE", path, options)
            case Bind():
                target = {"target": {"kind": "Node", "name": request.node}}
                body = {"metadata": {"name": request.name}, **target}
                answer = self._api.ask("POST", f"{path}/binding", body)
                return self._api.ask("GET", path) if answer.is_good else answer
            case _:
                assert_never(request)

    def _path(self, kind: Kind, name: str = "") -> str:
        resource = RESOURCES[kind]
        version = resource.api_versions[0]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        path = f"{root}/namespaces/{self._namespace}/{resource.plural}"
        return f"{path}/{name}" if name else path

    def _unnamed(self, message: str) -> str:
        return _unnamed(message, self._aliases)


class Small:
    """The small cluster's store."""

    _NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)

    def __init__(self) -> None:
        """Begin with nothing."""
        # A name of a namespace that could be one is what admission asks for.
        self._namespace = "namespace"
        # Its versions are like no other number in a message.
        self._store = Store.restored(snapshot_of(_BEGIN, ()), admit=admit)
        self._uids = count(1)
        self._aliases, self._memory = Aliases(), _Memory(self._namespace)

    def does(self, request: Request) -> Told:
        """Send a request and tell the answer."""
        try:
            manifest = self._ask(request)
        except Refused as no:
            message = _unnamed(no.message, self._aliases)
            return Told(f"{no.code} {no.reason}", message)
        if manifest is None:
            return Told("done")
        self._memory.note(request.kind, manifest)
        return Told("done", object=self._aliases.told(request.kind, manifest))

    def has(self, request: Request) -> bool:
        """Say whether what a request is about is there."""
        return self._store.get(Ref(request.kind, self._namespace, request.name)) is not None

    def changes(self, kind: Kind) -> list[Told]:
        """Tell all that was written of a kind."""
        rows = [row for row in self._store.changes(_BEGIN) if row.ref.kind is kind]
        return [Told(row.type, object=self._aliases.told(kind, row.manifest)) for row in rows]

    def _ask(self, request: Request) -> Any:
        ref = Ref(request.kind, self._namespace, request.name)
        now, memory = self._NOW, self._memory
        match request:
            case Create():
                uid = f"{next(self._uids):08}-0000-4000-8000-000000000000"
                return self._store.create(_new(request, self._namespace), now=now, uid=uid)
            case Patch():
                body = memory.body(request)
                return self._store.patch(ref, body, now=now, subresource=request.subresource)
            case Replace():
                body = memory.body(request)
                return self._store.replace(body, now=now, subresource=request.subresource)
            case Delete():
                return self._store.delete(
                    ref,
                    now=now,
                    uid=memory.value(request, "uid"),
                    version=memory.value(request, "version"),
                    grace_s=request.grace_s,
                )
            case Bind():
                return self._store.bind(ref, request.node, now=now)
            case _:
                assert_never(request)


def _is_gone(request: Request, manifest: Any) -> bool:
    """Say whether a deletion's answer shows an object that is gone, as it does of some kinds."""
    metadata = manifest["metadata"]
    grace_s = metadata.get("deletionGracePeriodSeconds", 0)
    return isinstance(request, Delete) and not metadata.get("finalizers") and grace_s == 0


def _unnamed(message: str, aliases: Aliases) -> str:
    """Return a message with uids and versions named, as far as they were seen."""
    for (_, value), alias in sorted(aliases.known.items(), key=lambda row: -len(row[0][1])):
        # Messages tell of RFC 1123 too, a number that is some object's version as well.
        message = re.sub(rf"(?<!RFC )(?<![\w.-]){re.escape(value)}(?![\w.-])", alias, message)
    message = _DIFFERENCE.sub("", _STORAGE.sub("", message))
    return _TEMPLATE.sub(r"\1{...}", message)
