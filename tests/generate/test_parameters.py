"""How the values of parameters are read, and what is said of those that cannot be."""

import pytest

from mpijob.generate.parameters import Fault, Parameter, Type, WrongParameters, read

TABLE = (
    Parameter("name", Type.STRING, "Name of it all."),
    Parameter("count", Type.NUMBER, "How many.", "4", least=1),
    Parameter("few", Type.NUMBER, "Not many.", "1", most=9),
    Parameter("limit", Type.STRING, "At most so much.", "null"),
    Parameter("volumes", Type.ARRAY, "What is mounted.", "[]"),
    Parameter("labels", Type.OBJECT, "What is put on it.", "{}"),
)
DEFAULTS = {"name": "a", "count": 4, "few": 1, "limit": None, "volumes": [], "labels": {}}

READ = {
    "nothing but what must be given": ({}, {}),
    "text": ({"limit": "2Gi"}, {"limit": "2Gi"}),
    "text that looks like a number": ({"limit": "1000"}, {"limit": "1000"}),
    "text that YAML took for a number": ({"limit": 1000}, {"limit": "1000"}),
    "text that YAML took for a truth": ({"limit": True}, {"limit": "true"}),
    "text with quotes, commas and dollars": (
        {"limit": "sh -c 'a, \"$B\"'"},
        {"limit": "sh -c 'a, \"$B\"'"},
    ),
    "the word null": ({"limit": "null"}, {"limit": None}),
    "an empty word, as of a variable that is not set": ({"count": "", "limit": ""}, {}),
    "nothing at all, as of YAML": ({"count": None}, {}),
    "a number as text": ({"count": "16"}, {"count": 16}),
    "a number as a number": ({"count": 16}, {"count": 16}),
    "a whole number with a point": ({"count": "2.0"}, {"count": 2}),
    "a list as JSON": ({"volumes": '[{"name": "v"}]'}, {"volumes": [{"name": "v"}]}),
    "a list as jsonnet": (
        {"volumes": "[{ name: 'v', emptyDir: {}, }]"},
        {"volumes": [{"name": "v", "emptyDir": {}}]},
    ),
    "a list as a list": ({"volumes": [1]}, {"volumes": [1]}),
    "a mapping": ({"labels": "{a: b}"}, {"labels": {"a": "b"}}),
}


@pytest.mark.parametrize(("given", "said"), READ.values(), ids=READ)
def test_what_is_given_is_read_by_its_type(given, said):
    assert read(TABLE, {"name": "a", **given}) == {**DEFAULTS, **said}


def _faults(given, table=TABLE):
    with pytest.raises(WrongParameters) as wrong:
        read(table, given)
    return [str(fault) for fault in wrong.value.faults]


WHOLE = "give one of 1 or more, such as 4"
LIST = "give a list, such as [{name: a}, {name: b}]"
MISSING = "say what it is: Name of it all"
WRONG = {
    "missing": ({}, f"parameter name: it is missing; {MISSING}"),
    "empty, where it must be given": ({"name": ""}, f"parameter name: it is empty; {MISSING}"),
    "null, where it must be given": ({"name": "null"}, f"parameter name: it is empty; {MISSING}"),
    "unknown": (
        {"name": "a", "xyzzy": "1"},
        (
            "parameter xyzzy: there is no such parameter; "
            "there are name, count, few, limit, volumes, labels"
        ),
    ),
    "misspelled": (
        {"name": "a", "cuont": "1"},
        "parameter cuont: there is no such parameter; did you mean count?",
    ),
    "a word for a number": (
        {"name": "a", "count": "many"},
        f"parameter count: “many” is not a whole number; {WHOLE}",
    ),
    "half a number": (
        {"name": "a", "count": "1.5"},
        f"parameter count: “1.5” is not a whole number; {WHOLE}",
    ),
    "no number for a number": (
        {"name": "a", "count": "nan"},
        f"parameter count: “nan” is not a whole number; {WHOLE}",
    ),
    "endless": (
        {"name": "a", "count": "inf"},
        f"parameter count: “inf” is not a whole number; {WHOLE}",
    ),
    "too few": ({"name": "a", "count": "0"}, f"parameter count: 0 is too small; {WHOLE}"),
    "too many": (
        {"name": "a", "few": "10"},
        "parameter few: 10 is too large; give one of 0 to 9, such as 4",
    ),
    "more than Kubernetes can count": (
        {"name": "a", "count": "1e300"},
        f"parameter count: 1e300 is too large; {WHOLE}",
    ),
    "fewer than none": ({"name": "a", "count": "-3"}, f"parameter count: -3 is too small; {WHOLE}"),
    "text for a list": (
        {"name": "a", "volumes": "v"},
        f"parameter volumes: “v” is not a list; {LIST}",
    ),
    "a broken list": (
        {"name": "a", "volumes": "[{"},
        f"parameter volumes: “[{{” is not a list; {LIST}",
    ),
    "a list too deep to be read": (
        {"name": "a", "volumes": "[" * 5000},
        f"parameter volumes: “{'[' * 5000}” is not a list; {LIST}",
    ),
    "a list for a mapping": (
        {"name": "a", "labels": "[]"},
        "parameter labels: “[]” is not a mapping; give a mapping, such as {a: 1, b: 2}",
    ),
    "a list for text": (
        {"name": "a", "limit": ["2Gi"]},
        "parameter limit: it is a list or a mapping, not text; put it into quotes",
    ),
}


@pytest.mark.parametrize(("given", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_by_the_parameters_name_with_what_to_do(given, said):
    assert _faults(given) == [said]


def test_all_that_is_wrong_is_told_at_once():
    assert len(_faults({"count": "x", "volumes": "y", "z": "1"})) == 4


def test_a_fault_is_a_line():
    assert str(Fault("a", "it is bad", "mend it")) == "parameter a: it is bad; mend it"
