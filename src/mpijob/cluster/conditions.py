"""Which conditions of an object are true, whatever its kind."""

from mpijob.core.job import Manifest


def true_conditions(manifest: Manifest) -> list[str]:
    """Return the types of an object's true conditions, in their order."""
    rows = (manifest.get("status") or {}).get("conditions") or ()
    return [row["type"] for row in rows if row["status"] == "True"]
