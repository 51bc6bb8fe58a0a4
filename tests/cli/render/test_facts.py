"""Why a job does not run, as text."""

from mpijob.cli.render.facts import as_json, paragraphs, short
from mpijob.core.explain import Fact, Weight

FACTS = (
    Fact(
        Weight.CAUSE,
        "pod pi-worker-0",
        "cannot be scheduled: 0/1 nodes are available:\n1 Insufficient memory.",
        "Ask for less.",
    ),
    Fact(Weight.NEWS, "pod pi-worker-1", "is running"),
)


def test_a_fact_is_a_line_with_its_advice_below():
    assert paragraphs(FACTS) == (
        "cause: pod pi-worker-0 cannot be scheduled: 0/1 nodes are available:\n"
        "    1 Insufficient memory.\n"
        "  → Ask for less.\n"
        "pod pi-worker-1 is running\n"
    )


def test_colour_is_for_the_word_alone():
    assert paragraphs(FACTS[:1], colour=True).startswith("\x1b[31mcause: \x1b[0mpod pi-worker-0")


def test_a_short_fact_is_one_line():
    assert short(FACTS[0]) == (
        "pod pi-worker-0 cannot be scheduled: 0/1 nodes are available: 1 Insufficient memory."
    )


def test_facts_for_programs():
    assert as_json(FACTS)[1] == {
        "weight": "news",
        "subject": "pod pi-worker-1",
        "what": "is running",
        "advice": "",
    }
