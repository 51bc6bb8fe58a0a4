"""Leases on the wire: who holds one, since when, and for how long without renewal."""

from datetime import datetime

from msgspec import Struct

from mpijob.api.manifest import version_of
from mpijob.core.job import Manifest
from mpijob.core.plan import Ref


class Holding(Struct, frozen=True):
    """What a Lease says: its holder ("" for none), its last renewal, how long that holds (s)."""

    version: str
    holder: str
    renewed: str
    lasts_s: float


def holding(lease: Manifest, default_s: float) -> Holding:
    """Return what a Lease says; `default_s` is how long it holds where it does not say."""
    spec = lease.get("spec") or {}
    return Holding(
        version_of(lease),
        spec.get("holderIdentity") or "",
        str(spec.get("renewTime")),
        float(spec.get("leaseDurationSeconds") or default_s),
    )


def new_lease(ref: Ref, holder: str, lasts_s: int, now: datetime) -> Manifest:
    """Return a Lease that is made for its first holder."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": ref.namespace, "name": ref.name},
        **claim(holder, lasts_s, now),
    }


def renewal(holder: str, lasts_s: int, now: datetime) -> Manifest:
    """Return the merge patch by which a holder says that it is alive, or ("") gives it up."""
    spec = {"holderIdentity": holder, "leaseDurationSeconds": lasts_s, "renewTime": _stamp(now)}
    return {"spec": spec}


def claim(holder: str, lasts_s: int, now: datetime) -> Manifest:
    """Return the merge patch by which a Lease is taken."""
    return {"spec": {**renewal(holder, lasts_s, now)["spec"], "acquireTime": _stamp(now)}}


def _stamp(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
