"""Children that another operator made for a job of ours, and that we go on with."""

from mpijob.core import names
from mpijob.core.job import Identity, Manifest

#: The merge patch that puts a child under our watch. Nothing else of it is touched.
ADOPTION: Manifest = {"metadata": {"labels": {names.CHILD_LABEL: "true"}}}


def adoptable(there: Manifest, job: Identity) -> bool:
    """Say whether an object is controlled by `job`, and not yet under our watch."""
    metadata = there.get("metadata") or {}
    owners = metadata.get("ownerReferences") or ()
    ours = any(owner.get("controller") and owner.get("uid") == job.uid for owner in owners)
    return ours and names.CHILD_LABEL not in (metadata.get("labels") or {})
