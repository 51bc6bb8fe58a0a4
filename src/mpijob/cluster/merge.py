"""JSON merge patch (RFC 7386), without touching what it is given."""

from typing import Any

from mpijob.core.job import Manifest


def merged(target: Any, patch: Any) -> Any:
    """Return `target` with `patch` merged in; None removes a key. Unchanged parts are shared.

    Source: RFC 7386, `MergePatch`.
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(result.get(key), value)
        else:
            result[key] = value
    return result


def merge_patch(target: Manifest, patch: Manifest) -> dict[str, Any]:
    """Return an object with `patch` merged in, as a server answers a merge patch."""
    result: dict[str, Any] = merged(target, patch)
    return result
