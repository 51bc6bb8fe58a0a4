"""Who owns and who controls an object, as its metadata tells."""

from mpijob.core.job import Manifest


def owners(manifest: Manifest) -> tuple[Manifest, ...]:
    """Return an object's owner references."""
    return tuple(manifest["metadata"].get("ownerReferences") or ())


def controller(manifest: Manifest) -> Manifest | None:
    """Return the one owner reference that says `controller: true`, or None."""
    for owner in manifest["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            found: Manifest = owner
            return found
    return None


def controller_uid(manifest: Manifest) -> str:
    """Return the uid of the object's controller, "" where it has none."""
    found = controller(manifest)
    return found["uid"] if found else ""
