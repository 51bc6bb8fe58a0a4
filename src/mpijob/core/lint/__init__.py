"""What a careful colleague says of a job file: likely mistakes, and how to mend them.

Validation says what can never run. What is said here is about jobs that may run and yet not do
what their author wants; the rules look at the job alone, never at a cluster or a machine.
"""

from collections.abc import Iterable
from itertools import chain, islice

from mpijob.core.draft import Draft
from mpijob.core.finding import Finding
from mpijob.core.lint.hints import hint
from mpijob.core.lint.pods import pod_findings
from mpijob.core.lint.ranks import rank_findings
from mpijob.core.lint.resources import resource_findings
from mpijob.core.lint.shells import shell_findings
from mpijob.core.lint.users import user_findings
from mpijob.core.lint.words import UnknownField, unknown_findings, word_findings

__all__ = ["FINDINGS_MAX", "UnknownField", "hint", "lint"]

#: Nobody mends more at once, and a hostile job has no end of mistakes.
FINDINGS_MAX = 200


def lint(draft: Draft, unknown: Iterable[UnknownField] = ()) -> tuple[Finding, ...]:
    """Return what is to be said about a draft beside the problems that validation finds.

    Args:
        draft: With its defaults in place; it need not be sound.
        unknown: The fields that were written and that nobody knows.

    """
    found = chain(
        unknown_findings(unknown),
        word_findings(draft),
        pod_findings(draft),
        user_findings(draft),
        rank_findings(draft),
        shell_findings(draft),
        resource_findings(draft),
    )
    return tuple(islice(found, FINDINGS_MAX))
