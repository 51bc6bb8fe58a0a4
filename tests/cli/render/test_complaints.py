"""Complaints about a job file, as text."""

from mpijob.cli.render.complaints import as_json, lines
from mpijob.core.finding import Finding, Severity
from mpijob.jobfile import Complaint
from mpijob.jobfile.complaint import Position

COMPLAINTS = (
    Complaint(
        "job.yaml",
        Position(7, 3),
        Finding(Severity.WARNING, "spec.image", "looks like\na placeholder", "Fill it in."),
    ),
    Complaint("job.yaml", None, Finding(Severity.ERROR, "", "the file is empty")),
)


def test_a_complaint_is_a_line_with_its_hint_below():
    assert lines(COMPLAINTS) == (
        "job.yaml:7:3: warning: spec.image: looks like a placeholder\n"
        "    hint: Fill it in.\n"
        "job.yaml: error: the file is empty\n"
    )


def test_colour_is_for_the_word_alone():
    assert lines(COMPLAINTS[1:], colour=True) == (
        "job.yaml: \x1b[31merror\x1b[0m: the file is empty\n"
    )


def test_complaints_for_programs():
    assert as_json(COMPLAINTS)[0] == {
        "file": "job.yaml",
        "line": 7,
        "column": 3,
        "severity": "warning",
        "field": "spec.image",
        "message": "looks like\na placeholder",
        "hint": "Fill it in.",
    }
