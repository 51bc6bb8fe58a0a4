"""MPIJobs of every version: their manifests to the core's values, and their status back.

Decoding is quick for what an API server lets through, which is nearly always the case: typed
structs, in one pass. Only where that fails are the types looked at one by one, so that all that
is wrong is told at once.
"""

from collections.abc import Mapping
from typing import TypeVar, assert_never

import msgspec
from msgspec.structs import replace

from mpijob.api import status as statuses
from mpijob.api import v1, v1alpha1, v1alpha2, v2beta1
from mpijob.api.status import StatusWire, decode_status, moment, status_of
from mpijob.api.template import check_template
from mpijob.api.wire import HeadWire, JobWire, ManagedWire, MetadataWire, SpecWire
from mpijob.cluster.admission import type_problems
from mpijob.core import options
from mpijob.core.allocation import UnitDefaults
from mpijob.core.default import defaulted
from mpijob.core.draft import Draft, settled
from mpijob.core.job import Flavour, Identity, Key, Manifest, MPIJob, Problem, Rejected
from mpijob.core.status import JobStatus
from mpijob.core.validate import INVALID, problems
from mpijob.core.version import Version

KIND = "MPIJob"
#: Every version by what `apiVersion` says, the stored one last.
API_VERSIONS = {version.api_version: version for version in Version}
_BY_NAME = {version.value: version for version in Version}

W = TypeVar("W", bound=HeadWire)

_UNITS = UnitDefaults()
NONE_KNOWN: Mapping[Key, MPIJob | Rejected] = {}


def decode(manifest: Manifest | bytes, units: UnitDefaults = _UNITS) -> Draft | Rejected:
    """Return the draft in an MPIJob's manifest, or why it cannot be read as one.

    Odd values are no obstacle, only values of another type than the field's.

    Args:
        manifest: As JSON, or what JSON decodes to.
        units: What v1alpha1's jobs mean where they say nothing of processing units.

    Raises:
        msgspec.DecodeError: `manifest` is bytes, and they are no JSON.

    """
    try:
        wire = _wire(manifest, JobWire)
        spec = wire.spec or SpecWire()
        for replica in (spec.roles or {}).values():
            if replica is not None and replica.template is not None:
                check_template(replica.template)
        if spec.template is not None:
            check_template(spec.template)
    except msgspec.ValidationError as error:
        return _look_closely(manifest, error, units)
    identity = _identity(wire, spec)
    return _draft(spec, identity, _status(identity, wire.status), units)


def _wire(manifest: Manifest | bytes, shape: type[W]) -> W:
    if isinstance(manifest, bytes):
        return msgspec.json.decode(manifest, type=shape)
    return msgspec.convert(manifest, shape)


def job(
    manifest: Manifest | bytes,
    units: UnitDefaults = _UNITS,
    *,
    known: Mapping[Key, MPIJob | Rejected] = NONE_KNOWN,
) -> MPIJob | Rejected:
    """Return the job that a manifest means: decoded, with its defaults, and found sound.

    Args:
        manifest: As JSON, or what JSON decodes to.
        units: What v1alpha1's jobs mean where they say nothing of processing units.
        known: Jobs as they were read before. What changes most often is a job's status: where
            its generation tells that its spec is the same, that is not read again.

    Raises:
        msgspec.DecodeError: `manifest` is bytes, and they are no JSON.

    """
    again = _read_again(manifest, known) if known else None
    if again is not None:
        return again
    draft = decode(manifest, units)
    if isinstance(draft, Rejected):
        return draft
    draft = defaulted(draft)
    if found := problems(draft):
        return Rejected(draft.identity, found, draft.status, draft.managed_by)
    return settled(draft)


def for_flavour(manifest: Manifest, flavour: Flavour) -> Manifest:
    """Return the manifest of the same job for that MPI, in the words of its version."""
    spec = manifest.get("spec")
    if not isinstance(spec, Mapping):
        return manifest
    match API_VERSIONS.get(manifest.get("apiVersion", "")):
        case Version.V2BETA1:
            return {**manifest, "spec": {**spec, "mpiImplementation": flavour.value}}
        case Version.V1ALPHA2:
            return {**manifest, "spec": {**spec, "mpiDistribution": v1alpha2.NAMES[flavour]}}
        case _:
            metadata = manifest.get("metadata") or {}
            said = {options.MPI_IMPLEMENTATION: flavour.value}
            annotations = {**(metadata.get("annotations") or {}), **said}
            return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def _read_again(
    manifest: Manifest | bytes, known: Mapping[Key, MPIJob | Rejected]
) -> MPIJob | None:
    """Return a sound job that was read before with all that may be new, or None: read it whole."""
    try:
        wire = _wire(manifest, HeadWire)
    except msgspec.ValidationError:
        return None
    identity = _identity(wire)
    before = known.get(identity.key)
    if not isinstance(before, MPIJob) or wire.metadata is None or wire.metadata.generation is None:
        return None
    if _intent_of(identity) != _intent_of(before.identity):
        return None
    return replace(before, identity=identity, status=_status(identity, wire.status))


def _intent_of(identity: Identity) -> tuple[object, ...]:
    """Return what is another wherever a job's spec is, or means something else."""
    version = identity.api_version, identity.written_in
    return identity.uid, identity.generation, version, identity.annotations


def encode_status(status: JobStatus, version: Version = Version.V2BETA1) -> Manifest:
    """Return the merge patch that makes the `status` of a job of that version this one.

    Fields of ours are left out of older versions' where they have nothing to tell: there a status
    is what their operators wrote.
    """
    patch = statuses.encode_status(status)
    if version.ways.shows_line:
        return patch
    own = v1alpha1.encoded(status) if version is Version.V1ALPHA1 else {}
    return {**patch, "state": None, "ready": None, "restarts": status.restarts or None, **own}


def written_in(
    api_version: str | None, metadata: MetadataWire, spec: SpecWire | None = None
) -> Version:
    """Return the version that a job was written in, in which way it is looked after.

    What we recorded counts; then what the server has noted of those who wrote its spec; then its
    own word. A stored job may be read in another version than it was written in: where nothing
    tells of that, it is known by its fields.
    """
    noted = _BY_NAME.get((metadata.annotations or {}).get(options.WRITTEN_IN, ""))
    if noted is not None:
        return noted
    writers = [row for row in metadata.managed or () if row.fields and row.fields.spec is not None]
    if writers:
        return _first_writer(writers)
    said = API_VERSIONS.get(api_version or "")
    if said not in (None, Version.V2BETA1):
        return said
    return Version.V2BETA1 if spec is None or not metadata.uid else _by_shape(spec)


def _first_writer(rows: list[ManagedWire]) -> Version:
    """Return the version of the first who wrote the spec, as far as the server still knows.

    A job of v2beta1 is not recorded by us, so one that ever was written in it counts as such.
    """
    versions = {API_VERSIONS.get(row.api_version or "", Version.V2BETA1) for row in rows}
    if Version.V2BETA1 in versions:
        return Version.V2BETA1
    times = {at: row for row in reversed(rows) if (at := moment(row.time)) is not None}
    first = times[min(times)] if times else rows[0]
    return API_VERSIONS[first.api_version or ""]


def _by_shape(spec: SpecWire) -> Version:
    """Return the version whose fields a spec has: those that no later version has tell."""
    oldest = (spec.template, spec.gpus, spec.processing_units, spec.replicas)
    if spec.roles is None and any(field is not None for field in oldest):
        return Version.V1ALPHA1
    older = (
        spec.mpi_distribution,
        spec.backoff_limit,
        spec.active_deadline_seconds,
        spec.clean_pod_policy,
        spec.main_container,
    )
    return Version.V1ALPHA2 if any(field is not None for field in older) else Version.V2BETA1


def _status(identity: Identity, wire: StatusWire | None) -> JobStatus:
    """Return what was told of a job, in the words of its version."""
    if wire is None:
        return JobStatus()
    if identity.written_in is Version.V1ALPHA1:
        return v1alpha1.job_status(wire)
    return status_of(wire)


def _draft(spec: SpecWire, identity: Identity, status: JobStatus, units: UnitDefaults) -> Draft:
    """Return the draft of a manifest whose types are right."""
    match identity.written_in:
        case Version.V2BETA1:
            return v2beta1.draft(spec, identity, status)
        case Version.V1:
            return v1.draft(spec, identity, status)
        case Version.V1ALPHA2:
            return v1alpha2.draft(spec, identity, status)
        case Version.V1ALPHA1:
            return v1alpha1.draft(spec, identity, status, units)
        case _:
            assert_never(identity.written_in)


def _identity(wire: HeadWire, spec: SpecWire | None = None) -> Identity:
    """Return which object the manifest is."""
    metadata = wire.metadata or MetadataWire()
    return Identity(
        key=Key(metadata.namespace or "", metadata.name or ""),
        uid=metadata.uid or "",
        version=metadata.version or "",
        api_version=wire.api_version or Version.V2BETA1.api_version,
        created_at=moment(metadata.created_at),
        generation=metadata.generation or 1,
        deleting=metadata.deleted_at is not None,
        annotations=metadata.annotations or {},
        written_in=written_in(wire.api_version, metadata, spec),
    )


def _look_closely(
    manifest: Manifest | bytes, error: msgspec.ValidationError, units: UnitDefaults
) -> Draft | Rejected:
    """Return why a manifest could not be decoded, or its draft where only its status is odd."""
    plain = msgspec.json.decode(manifest) if isinstance(manifest, bytes) else manifest
    if not isinstance(plain, Mapping):
        return Rejected(Identity(Key("", ""), "", ""), (_problem(error),))
    status = decode_status(plain.get("status"))
    intent = {key: value for key, value in plain.items() if key != "status"}
    if "status" in plain:
        return replace(decode(intent, units), status=status)
    # Null is a wrong type at the server's door, yet the decoder takes it for nothing said.
    found = tuple(problem for problem in type_problems(intent) if problem.value != '"null"')
    identity = _salvaged_identity(plain)
    return Rejected(identity, found or (_problem(error),), status, _managed_by(plain))


def _salvaged_identity(plain: Manifest) -> Identity:
    """Return which object a manifest is, of which something could not be read."""
    metadata = plain.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    known = {}
    for field in msgspec.structs.fields(MetadataWire):
        try:
            value = msgspec.convert(metadata.get(field.encode_name), field.type)
        except msgspec.ValidationError:
            continue
        known[field.name] = value
    said = plain.get("apiVersion")
    version = said if isinstance(said, str) and said in API_VERSIONS else None
    return _identity(HeadWire(api_version=version, metadata=MetadataWire(**known)))


def _managed_by(plain: Manifest) -> str | None:
    """Return `spec.runPolicy.managedBy` as written, None where there is no such text."""
    found: object = plain
    for field in ("spec", "runPolicy", "managedBy"):
        found = found.get(field) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) and found else None


def _problem(error: msgspec.ValidationError) -> Problem:
    """Return what msgspec found wrong first, with the field's path."""
    detail, _, path = str(error).partition(" - at `")
    return Problem(path.rstrip("`").removeprefix("$").removeprefix("."), INVALID, detail)
