"""As whom a container runs: what its securityContext asks, as far as this user may grant it."""

from __future__ import annotations

import os
import pwd

from msgspec import Struct

from mpijob.core.job import Manifest


class User(Struct, frozen=True):
    """The user of a container; None for the user that mpijob runs as.

    `refused` says in a sentence why it is not the one that was asked for, else "".
    """

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()
    refused: str = ""

    def environment(self) -> dict[str, str]:
        """Return what the user's account says: home, name and shell."""
        if self.uid is None:
            return {}
        try:
            account = pwd.getpwuid(self.uid)
        except KeyError:
            return {"HOME": "/", "USER": str(self.uid), "LOGNAME": str(self.uid)}
        return {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}


def user_of(container: Manifest, pod: Manifest) -> User:
    """Return as whom a container runs on this machine."""
    of_pod = pod["spec"].get("securityContext") or {}
    asked = {**of_pod, **(container.get("securityContext") or {})}
    uid, gid = asked.get("runAsUser"), asked.get("runAsGroup")
    own_uid, own_gid = os.geteuid(), os.getegid()
    groups = [*(of_pod.get("supplementalGroups") or ())]
    if of_pod.get("fsGroup") is not None:
        groups.append(of_pod["fsGroup"])
    if own_uid == 0:
        # As in a container: the group of a user that is named without one is root's.
        needed = gid is not None or uid is not None or bool(groups)
        return User(uid, (gid or 0) if needed else None, tuple(groups))
    differs = uid not in (None, own_uid) or gid not in (None, own_gid)
    wanted = f"{uid if uid is not None else own_uid}:{gid if gid is not None else own_gid}"
    told = f"runs as {own_uid}:{own_gid}, not as {wanted}, which only root could" if differs else ""
    return User(refused=told)
