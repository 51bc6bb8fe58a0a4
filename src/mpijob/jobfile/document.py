"""One YAML document as plain JSON, with the place of every field.

Reads YAML's events itself: no object is ever constructed but JSON's own, duplicate keys are told,
and depth and size are bounded, whatever a hostile file holds.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import yaml

from mpijob.core.finding import Finding, Severity
from mpijob.jobfile.complaint import Complaint, Invalid, Position
from mpijob.jobfile.scalars import meaning

Path = tuple[str, ...]

#: Deeper than any field of a job; what nests deeper is an attack or a mistake.
DEPTH_MAX = 100
#: What a document may grow to once its aliases are written out, in characters.
EXPANDED_MAX = 1 << 24

#: Nobody mends more than this at once.
COMPLAINTS_MAX = 50

_CORE = "tag:yaml.org,2002:"
_TAGS = {
    None,
    "!",
    *(_CORE + name for name in ("str", "int", "float", "bool", "null", "seq", "map")),
}
_MERGE = object()


class Reader:
    """Turns the events of one text into JSON, and remembers where each field stands.

    `complaints` holds what is wrong with keys and values but does not keep the rest from being
    read; what does raises Invalid at once. `empty` names the fields to which nothing is given: a
    null says as much as no field, so the JSON is without them.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.positions: dict[Path, Position] = {}
        self.complaints: list[Complaint] = []
        self.empty: list[str] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: set[str] = set()
        self._expanded = 0
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=loader)

    def documents(self) -> Iterator[tuple[Any, Position]]:
        """Yield each document's value and where it begins. Positions are those of the latest."""
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.positions.clear()
                self.empty.clear()
                self._anchors.clear()
                first = next(self._events)
                yield self._value(first, ()), _position(first)

    def _value(self, event: yaml.Event, path: Path) -> Any:
        """Return the JSON value that begins with `event`."""
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event, path)
        if not isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            raise TypeError(f"no value begins with {event}")
        if len(path) > DEPTH_MAX:
            self._refuse(event, (), f"this nests deeper than {DEPTH_MAX} levels")
        if event.tag is not None and event.tag not in _TAGS:
            tag = event.tag.replace(_CORE, "!!")
            self._refuse(event, path, f"the tag {tag} has no place in a job file")
        anchor, before = event.anchor, self._expanded
        if anchor is not None:
            self._open.add(anchor)
        if isinstance(event, yaml.MappingStartEvent):
            value: Any = self._mapping(path)
        elif isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        else:
            value = self._sequence(path)
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor] = (value, self._expanded - before)
        return value

    def _aliased(self, event: yaml.AliasEvent, path: Path) -> Any:
        """Return the value that an alias stands for: the same object, counted anew."""
        if event.anchor in self._open:
            self._refuse(event, path, f"the alias *{event.anchor} stands for what it is part of")
        if event.anchor not in self._anchors:
            self._refuse(event, path, f"the alias *{event.anchor} stands for nothing above it")
        value, size = self._anchors[event.anchor]
        self._grow(event, path, size)
        return value

    def _grow(self, event: yaml.Event, path: Path, size: int) -> None:
        """Count what was read, aliases written out; refuse what only aliases can make so large."""
        self._expanded += size
        if self._expanded > EXPANDED_MAX:
            self._refuse(event, path, "too large once its aliases are written out")

    def _sequence(self, path: Path) -> list[Any]:
        """Return the list whose start was just read."""
        values: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            inner = (*path, str(len(values)))
            self.positions[inner] = _position(event)
            values.append(self._value(event, inner))
        self._expanded += 1
        return values

    def _mapping(self, path: Path) -> dict[str, Any]:
        """Return the mapping whose start was just read; its own keys win over merged ones."""
        values: dict[str, Any] = {}
        merged: list[Any] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            inner = (*path, key if isinstance(key, str) else "<<")
            if key is None or key in values:
                if key is not None:
                    first = self.positions[inner].line
                    self._complain(event, inner, f"the key stands here and in line {first}")
                self._value(next(self._events), inner)
                continue
            if key is _MERGE:
                merged.append((event, self._value(next(self._events), inner)))
                continue
            self.positions[inner] = _position(event)
            values[key] = self._value(next(self._events), inner)
            if values[key] is None:
                self.empty.append(spelled(inner))
        self._expanded += 1
        for event, source in merged:
            for mapping in source if isinstance(source, list) else [source]:
                if not isinstance(mapping, Mapping):
                    self._refuse(event, path, "only mappings can be merged by <<")
                values = {**mapping, **values}
        return {key: value for key, value in values.items() if value is not None}

    def _key(self, event: yaml.Event, path: Path) -> Any:
        """Return a key's text, _MERGE for `<<`, None (and a complaint) for what is no text."""
        if isinstance(event, yaml.AliasEvent) or not isinstance(event, yaml.ScalarEvent):
            self._refuse(event, path, "a key must be a plain word")
        plain = event.tag is None and event.implicit[0]
        if plain and event.value == "<<":
            return _MERGE
        key = self._scalar(event, path)
        if isinstance(key, str):
            return key
        shown = {True: "true", False: "false", None: "null"}.get(key, str(key))
        self._complain(
            event,
            path,
            f"the key {event.value or 'here'} means {shown} in YAML, and keys are text",
            hint=f'Put it in quotes: "{event.value}".' if event.value else "Give it a name.",
        )
        return None

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Any:
        """Return the value of a scalar, quoted or plain."""
        self._grow(event, path, len(event.value) + 1)
        if "\0" in event.value:
            self._refuse(event, path, "holds a NUL character, which no program can be given")
        tagged = event.tag is not None and event.tag.startswith(_CORE)
        plain = (event.tag is None and event.implicit[0]) or (tagged and event.tag != f"{_CORE}str")
        value = meaning(event.value) if plain else event.value
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse(event, path, f"{event.value} is no number that JSON knows")
        return value

    def _complain(self, event: yaml.Event, path: Path, message: str, hint: str = "") -> None:
        """Note what is wrong, and go on reading."""
        found = Finding(Severity.ERROR, spelled(path), message, hint)
        self.complaints.append(Complaint(self.name, _position(event), found))
        if len(self.complaints) == COMPLAINTS_MAX:
            raise Invalid(self.complaints)

    def _refuse(self, event: yaml.Event, path: Path, message: str) -> NoReturn:
        """Raise Invalid with all complaints so far and this last one."""
        self._complain(event, path, message)
        raise Invalid(self.complaints)


def spelled(path: Path) -> str:
    """Return a path as Kubernetes spells it: `spec.mpiReplicaSpecs[Worker].replicas`."""
    text = ""
    parent = ""
    for part in path:
        bracketed = part.isdigit() or parent in _MAPS or "." in part
        text += f"[{part}]" if bracketed else f".{part}" if text else part
        parent = "" if bracketed else part
    return text


#: The fields whose keys are the user's own words.
_MAPS = {
    "annotations", "data", "labels", "limits", "matchLabels", "minResources", "mpiReplicaSpecs",
    "nodeSelector", "overhead", "requests", "stringData",
}  # fmt: skip


def _position(event: yaml.Event) -> Position:
    """Return where an event begins."""
    mark = event.start_mark
    return Position(1, 1) if mark is None else Position(mark.line + 1, mark.column + 1)
