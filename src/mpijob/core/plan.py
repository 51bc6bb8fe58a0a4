"""What the core answers: stages of steps, and when to look again.

A plan is data. The steps of one stage may run at the same time, stages run in order, and the first
stage in which a step fails ends the plan: a later stage may count on the earlier ones, and a crash
leaves a prefix. Each step names the exact version or uid that it was decided on: on anything else
it fails, and so a stale view can waste a step but do no harm.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from mpijob.core.job import Manifest
from mpijob.core.status import JobStatus


class Kind(StrEnum):
    """The kinds of object that a plan may touch, by their wire names."""

    MPI_JOB = "MPIJob"
    SERVICE = "Service"
    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"
    JOB = "Job"
    POD = "Pod"
    POD_GROUP = "PodGroup"
    PRIORITY_CLASS = "PriorityClass"
    EVENT = "Event"
    NODE = "Node"
    LEASE = "Lease"
    SERVICE_ACCOUNT = "ServiceAccount"
    ROLE = "Role"
    ROLE_BINDING = "RoleBinding"


class Phase(StrEnum):
    """Where a job is in its life. Derived on every look, never stored."""

    DELETING = "Deleting"
    ELSEWHERE = "Elsewhere"
    INVALID = "Invalid"
    BLOCKED = "Blocked"
    SUSPENDED = "Suspended"
    ACTIVE = "Active"
    RESTARTING = "Restarting"
    FINISHED = "Finished"
    EXPIRED = "Expired"


class Ref(Struct, frozen=True, order=True):
    """The address of one object."""

    kind: Kind
    namespace: str
    name: str


class WriteStatus(Struct, frozen=True):
    """Publish `status`; fails where the job is no longer at `version`. This is the fence."""

    version: str
    status: JobStatus


class Confirm(Struct, frozen=True):
    """Ask the server itself for the job; fails where it is no longer at `version`.

    Stands before a plan that writes no status, and deletes or lets the launcher run.
    """

    version: str


class Create(Struct, frozen=True):
    """Make a child under its derived name; fails where the name is taken."""

    ref: Ref
    manifest: Manifest


class SecretContent(StrEnum):
    """What the shell draws for a Secret: the core knows no dice."""

    USER_KEYS = "user-keys"
    HOST_KEYS = "host-keys"


class MintSecret(Struct, frozen=True):
    """Make a Secret with freshly drawn keys; fails where the name is taken.

    `manifest` is the Secret without data. `replaces` is the uid of a Secret whose keys are not
    those they should be, to be deleted first; "" where there is none.
    """

    ref: Ref
    content: SecretContent
    manifest: Manifest
    replaces: str = ""


class Patch(Struct, frozen=True):
    """Merge `fields` into a child; fails where it is no longer at `version`.

    `subresource` is "status" for the one field of a Job's status that we clear on resume.
    """

    ref: Ref
    version: str
    fields: Manifest
    subresource: str = ""


class Delete(Struct, frozen=True):
    """Remove the child with this very uid; a namesake that came later is left alone."""

    ref: Ref
    uid: str


class Announce(Struct, frozen=True):
    """Tell the user, as a Kubernetes Event. Best effort: never fails a plan."""

    reason: str
    message: str
    warning: bool = False


Step = WriteStatus | Confirm | Create | MintSecret | Patch | Delete | Announce
Stage = tuple[Step, ...]


class Plan(Struct, frozen=True):
    """The stages of steps to take now, and the latest moment to look again.

    `wake_at` is None where nothing but a change of the world calls for another look. `again` says
    that what the steps themselves make of it may call for one, and nobody else tells of that.
    """

    stages: tuple[Stage, ...] = ()
    wake_at: datetime | None = None
    phase: Phase = Phase.ACTIVE
    again: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, stage by stage."""
        return tuple(step for stage in self.stages for step in stage)
