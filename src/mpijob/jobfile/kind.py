"""Is a manifest an MPIJob of a version that we read? Where not, what was it meant to be?"""

from difflib import get_close_matches

from mpijob.core.finding import Finding, Severity
from mpijob.core.job import Manifest
from mpijob.core.version import Version

API_VERSION = Version.V2BETA1.api_version
KIND = "MPIJob"
VERSIONS = frozenset(version.api_version for version in Version)


def kind_findings(manifest: Manifest) -> tuple[Finding, ...]:
    """Return why `manifest` is no MPIJob of a version that there is; nothing where it is one."""
    kind, version = manifest.get("kind"), manifest.get("apiVersion")
    found = []
    if kind != KIND:
        found.append(_kind(kind))
    # The version of another kind of object says nothing about the job that was meant.
    known = isinstance(version, str) and version in VERSIONS
    if not known and (kind == KIND or not found or not isinstance(version, str)):
        found.append(_version(version))
    return tuple(found)


def _kind(kind: object) -> Finding:
    """Return what is wrong with `kind`."""
    if kind is None:
        return _error("kind", "Required value: a job file says what it holds", f"kind: {KIND}")
    if not isinstance(kind, str):
        return _error("kind", f"must be the text {KIND}")
    if kind.endswith("List"):
        message = f"this is a {kind}, where a job file holds one MPIJob alone"
        return _error("kind", message, "Put each item into a file of its own.")
    if _close(kind, KIND):
        return _error("kind", f'there is no kind "{kind}"', f'Did you mean "{KIND}"?')
    return _error("kind", f"this is a {kind}, where an MPIJob is wanted")


def _version(version: object) -> Finding:
    """Return what is wrong with `apiVersion`."""
    field = "apiVersion"
    if version is None:
        message = "Required value: a job file says which version it is written in"
        return _error(field, message, f"apiVersion: {API_VERSION}")
    if not isinstance(version, str):
        return _error(field, f"must be the text {API_VERSION}")
    return _error(
        field,
        f'there is no version "{version}" of MPIJob',
        f'Did you mean "{API_VERSION}"?',
    )


def _close(word: str, meant: str) -> bool:
    """Say whether a word is likely a misspelling of the one that was meant."""
    return bool(get_close_matches(word.lower(), [meant.lower()], cutoff=0.7))


def _error(field: str, message: str, hint: str = "") -> Finding:
    """Return an error."""
    return Finding(Severity.ERROR, field, message, hint)
