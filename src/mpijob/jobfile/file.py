"""A job file from disk, from standard input or from memory; every fault of it in plain words."""

import errno
import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct, field

from mpijob.core.finding import Finding, Severity
from mpijob.core.job import Manifest
from mpijob.jobfile.complaint import Complaint, Invalid, Position
from mpijob.jobfile.kind import kind_findings

if TYPE_CHECKING:
    import yaml

    from mpijob.jobfile.document import Path, Reader

#: An API server takes requests of up to 3 MiB: no larger job can run anywhere.
BYTES_MAX = 3 << 20
STDIN = "-"

# One escape of a JSON string: a character beyond 16 bits as two halves, or anything else.
_ESCAPE = re.compile(
    r"\\(?:u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})|.)"
)
_PART = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


class JobFile(Struct, frozen=True):
    """An MPIJob's manifest as plain JSON, and where in which file each of its fields stands.

    `remarks` are about what the manifest no longer shows: fields to which nothing is given.
    """

    name: str
    manifest: Manifest
    positions: Mapping["Path", Position] = field(default_factory=dict)
    remarks: tuple[Finding, ...] = ()

    def position(self, path: str) -> Position | None:
        """Return where the field of that path stands, or the nearest field around it.

        A path is spelled as Kubernetes does: `spec.mpiReplicaSpecs[Worker].replicas`.
        """
        parts = tuple(bracketed or plain for bracketed, plain in _PART.findall(path))
        for length in range(len(parts), 0, -1):
            if (found := self.positions.get(parts[:length])) is not None:
                return found
        return None

    def complaints(self, findings: Iterable[Finding]) -> tuple[Complaint, ...]:
        """Return findings with their places, in the order of the file."""
        placed = [Complaint(self.name, self.position(one.field), one) for one in findings]
        return tuple(sorted(placed, key=lambda complaint: complaint.position or Position(0, 0)))


def read(source: str) -> JobFile:
    """Return the job file at the path `source`, or the one on standard input for "-".

    Raises:
        Invalid: It cannot be read, or it holds no MPIJob.

    """
    if source == STDIN:
        return parse(_limited(sys.stdin.buffer, "standard input"), "standard input")
    try:
        with FilePath(source).open("rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                size = os.fstat(file.fileno()).st_size
                if size > BYTES_MAX:
                    raise _too_large(source, size)
            return parse(_limited(file, source), source)
    except (OSError, ValueError) as error:
        raise _unreadable(source, error) from error


def parse(data: bytes, name: str) -> JobFile:
    """Return the job file that `data` is; `name` is what messages call it.

    Raises:
        Invalid: It is no YAML, or it holds no MPIJob.

    """
    if len(data) > BYTES_MAX:
        raise _too_large(name, len(data))
    text = _text(data, name)
    # YAML costs 20 ms to import, which a command that reads no file need not pay.
    import yaml

    from mpijob.jobfile.document import Reader

    try:
        file = _only_document(Reader(text, name))
    except yaml.YAMLError as error:
        raise Invalid([_malformed(text, name, error)]) from error
    if findings := kind_findings(file.manifest):
        raise Invalid(file.complaints(findings))
    return file


def _only_document(reader: "Reader") -> JobFile:
    """Return the one document of a text that is not empty; it must be a mapping."""
    name = reader.name
    found: JobFile | None = None
    for document, begins in reader.documents():
        if document is None:
            continue
        if found is not None:
            raise Invalid([*reader.complaints, _second(name, begins)])
        if not isinstance(document, Mapping):
            kind = "a list" if isinstance(document, list) else "a single value"
            message = f"the file holds {kind}, where a job begins with apiVersion and kind"
            raise _fault(name, message, position=begins)
        remarks = tuple(map(_nothing_given, filter(_worth_a_word, reader.empty)))
        found = JobFile(name, document, dict(reader.positions), remarks)
    if reader.complaints:
        raise Invalid(reader.complaints)
    if found is None:
        raise _fault(name, "the file is empty", "`mpijob init` writes a job file to begin with.")
    return found


def _worth_a_word(field: str) -> bool:
    """Say whether an empty field is one that a person left empty, and no tool."""
    return not field.endswith("creationTimestamp") and field != "status"


def _nothing_given(field: str) -> Finding:
    """Return the finding that a field has no value."""
    return Finding(
        Severity.WARNING,
        field,
        "nothing is given here, which a cluster may refuse",
        "Leave the field out, or mind the indentation of what belongs to it.",
    )


def _limited(stream: BinaryIO, name: str) -> bytes:
    """Return what a stream holds, without reading more than a job file may."""
    data = stream.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise _too_large(name, None)
    return data


def _text(data: bytes, name: str) -> str:
    """Return the text in `data`, which must be UTF-8 without control characters."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _fault(name, "this is text in UTF-16, where YAML for Kubernetes is UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = f"this is no text: the byte 0x{data[error.start]:02x} is no UTF-8"
        raise _fault(name, message, position=Position(line, column)) from error
    if (at := text.find("\0")) >= 0:
        position = Position(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        raise _fault(name, "this is no text: it holds a NUL byte", position=position)
    return _ESCAPE.sub(_joined, text) if text.lstrip()[:1] == "{" else text


def _joined(escape: re.Match[str]) -> str:
    """Return one escape as YAML has it, which JSON is but for the halves of a character."""
    if escape["high"] is None:
        return escape[0]
    return "\\U" + format(
        0x10000 + ((int(escape["high"], 16) - 0xD800) << 10) + int(escape["low"], 16) - 0xDC00,
        "08x",
    )


def _malformed(text: str, name: str, error: "yaml.YAMLError") -> Complaint:
    """Return what is wrong with a text that is no YAML, in words for whoever wrote it."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        at = getattr(error, "position", None)
        position = None
        if isinstance(at, int):
            before = text.encode()[:at].decode(errors="ignore")
            position = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
        reason = getattr(error, "reason", None) or str(error).partition("\n")[0]
        return _complaint(name, f"this is no YAML: {reason}", position=position)
    position = Position(mark.line + 1, mark.column + 1)
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: mark.column + 1] and not line[: mark.column].strip():
        return _complaint(
            name,
            "this is no YAML: a tab, where YAML indents with spaces",
            "Replace each tab by two spaces.",
            position,
        )
    if set(line[mark.column : mark.column + 1]) & set("@`%"):
        hint = "Text that begins with @, ` or % must be in quotes."
        return _complaint(name, "this is no YAML: no value begins like this", hint, position)
    parts = (getattr(error, "problem", None), getattr(error, "context", None))
    said = ", ".join(part for part in parts if part)
    return _complaint(name, f"this is no YAML: {said}", position=position)


def _second(name: str, position: Position) -> Complaint:
    """Return the complaint that a file has more than one document."""
    return _complaint(
        name,
        "a second document begins here, where a job file holds one MPIJob alone",
        "Put it into a file of its own.",
        position,
    )


def _unreadable(source: str, error: OSError | ValueError) -> Invalid:
    """Return why a file cannot be read."""
    reasons = {
        errno.ENOENT: "there is no such file",
        errno.EISDIR: "this is a folder, not a job file",
        errno.EACCES: "the file may not be read: permission denied",
        errno.ENOTDIR: "there is no such file: a part of the path is no folder",
    }
    number = error.errno if isinstance(error, OSError) else None
    reason = reasons.get(number or 0) or f"the file cannot be read: {error}"
    return _fault(source, reason)


def _too_large(name: str, size: int | None) -> Invalid:
    """Return that a file is larger than any job can be."""
    found = f"{size / (1 << 20):.0f} MiB" if size is not None else "more than 3 MiB"
    message = f"the file is too large for a job file: {found}, where Kubernetes takes 3 MiB at most"
    return _fault(name, message)


def _fault(name: str, message: str, hint: str = "", position: Position | None = None) -> Invalid:
    """Return the error of a file that is wrong as a whole."""
    return Invalid([_complaint(name, message, hint, position)])


def _complaint(
    name: str, message: str, hint: str = "", position: Position | None = None
) -> Complaint:
    """Return an error about the file as a whole, or about a place of it."""
    return Complaint(name, position, Finding(Severity.ERROR, "", message, hint))
