"""All that can be said of a job file: what is wrong, what likely is, and advice, with places."""

from collections.abc import Iterable, Iterator, Mapping

from mpijob.api import versions
from mpijob.api.manifest import as_if_named
from mpijob.cluster import admission
from mpijob.core.default import defaulted
from mpijob.core.finding import Finding, Severity, finding
from mpijob.core.job import Manifest, Problem, Rejected
from mpijob.core.lint import hint, lint
from mpijob.core.lint.words import unknown_findings
from mpijob.core.validate import REQUIRED, problems
from mpijob.jobfile.complaint import Complaint
from mpijob.jobfile.file import JobFile


def inspected(file: JobFile) -> tuple[Complaint, ...]:
    """Return everything that is to be said of a job file, in its order.

    Errors keep the job from running or from doing what it says; a file without can be run.
    """
    said = (*file.remarks, *manifest_findings(file.manifest))
    return file.complaints(dict.fromkeys(said))


def errors(file: JobFile) -> tuple[Complaint, ...]:
    """Return what has to be mended before the job can be run; nothing where it can."""
    return tuple(one for one in inspected(file) if one.finding.severity is Severity.ERROR)


def manifest_findings(manifest: Manifest) -> Iterator[Finding]:
    """Yield what a server refuses, what the rules refuse, and what lint says of an MPIJob.

    Of several problems of one field the first is told, which is the plainest.
    """
    refused = (*_namelessness(manifest), *admission.admit(manifest))
    unknown = admission.unknown(manifest)
    draft = versions.decode(as_if_named(manifest))
    if isinstance(draft, Rejected):
        yield from _problem_findings((*refused, *draft.problems))
        yield from unknown_findings(unknown)
        return
    draft = defaulted(draft)
    yield from _problem_findings((*refused, *problems(draft)))
    yield from lint(draft, unknown)


def _namelessness(manifest: Manifest) -> Iterator[Problem]:
    """Yield that a job has no name, nor a prefix of which the server could make one."""
    metadata = manifest.get("metadata", {})
    if not isinstance(metadata, Mapping):
        return
    if not metadata.get("name") and not metadata.get("generateName"):
        yield Problem("metadata.name", REQUIRED, "name or generateName is required")


def _problem_findings(found: Iterable[Problem]) -> Iterator[Finding]:
    """Yield one finding for each field that has a problem."""
    told = set()
    for problem in found:
        if problem.field not in told:
            told.add(problem.field)
            yield finding(problem, hint(problem))
