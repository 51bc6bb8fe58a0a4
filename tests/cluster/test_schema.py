"""The table of fields, and what differs from it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.cluster.job_types import ANY, ENUMS, JOB_KEYS, JOB_TYPES, ROOTS
from mpijob.cluster.pod_types import POD_KEYS, POD_TYPES
from mpijob.cluster.schema import Field, Unknown, faults, fields_of, json_type

SCALARS = {
    "string", "boolean", "int32", "int64", "quantity", "int-or-string", "time", "object",
}  # fmt: skip
TYPES = JOB_TYPES | POD_TYPES


@pytest.mark.parametrize("name", TYPES)
def test_every_type_is_made_of_types_of_the_table(name):
    used = {field.type.strip("[]{}") for field in fields_of(name).values()}
    assert used - SCALARS - set(TYPES) == set()


def test_every_type_of_the_table_is_used():
    used = {field.type.strip("[]{}") for name in TYPES for field in fields_of(name).values()}
    assert set(TYPES) - used == {ANY, *ROOTS.values()}


@pytest.mark.parametrize(("owner", "field"), [*JOB_KEYS, *POD_KEYS, *ENUMS])
def test_every_rule_is_about_a_field_that_there_is(owner, field):
    assert field in fields_of(owner)


def test_a_type_takes_in_the_fields_of_another():
    assert fields_of("EphemeralContainer") == {
        **fields_of("Container"),
        "targetContainerName": Field("string", required=False, null_is_default=False),
    }


def said(value, type_):
    return [str(fault) for fault in faults(value, type_, "x")]


JUDGED = {
    "text": ("a", "string", []),
    "a number where text belongs": (
        2,
        "string",
        ['x: Invalid value: "integer": must be of type string: "integer"'],
    ),
    "text where a number belongs": (
        "2",
        "int32",
        ['x: Invalid value: "string": must be of type integer: "string"'],
    ),
    "truth is no number": (
        True,
        "int32",
        ['x: Invalid value: "boolean": must be of type integer: "boolean"'],
    ),
    "a number is no truth": (
        1,
        "boolean",
        ['x: Invalid value: "integer": must be of type boolean: "integer"'],
    ),
    "nothing is no text": (
        None,
        "string",
        ['x: Invalid value: "null": must be of type string: "null"'],
    ),
    "a whole fraction is an integer": (2.0, "int32", []),
    "a fraction is not": (
        2.5,
        "int32",
        ['x: Invalid value: "number": must be of type integer: "number"'],
    ),
    "the largest of 32 bits": (2**31 - 1, "int32", []),
    "more than 32 bits": (
        2**31,
        "int32",
        ["x: Invalid value: 2147483648: must be a number of 32 bits: -2147483648 to 2147483647"],
    ),
    "less than 32 bits": (
        -(2**31) - 1,
        "int32",
        ["x: Invalid value: -2147483649: must be a number of 32 bits: -2147483648 to 2147483647"],
    ),
    "the largest of 64 bits": (2**63 - 1, "int64", []),
    "more than 64 bits": (
        1e30,
        "int64",
        [
            (
                "x: Invalid value: 1e+30: must be a number of 64 bits: -9223372036854775808 to "
                "9223372036854775807"
            )
        ],
    ),
    "a quantity as text": ("1.5Gi", "quantity", []),
    "a quantity as a number": (2, "quantity", []),
    "a quantity with an exponent": ("1e3", "quantity", []),
    "a fraction is no quantity": (
        0.5,
        "quantity",
        ['x: Invalid value: "number": must be of type integer or string: "number"'],
    ),
    "a quantity with a wrong unit": (
        "2 GB",
        "quantity",
        ['x: Invalid value: "2 GB": must be a quantity, such as 500m, 2 or 16Gi'],
    ),
    "a port by its name": ("ssh", "int-or-string", []),
    "a time": ("2026-01-01T12:00:00.5+01:00", "time", []),
    "no time": (
        "noon",
        "time",
        ['x: Invalid value: "noon": must be a time, such as 2026-01-31T12:00:00Z'],
    ),
    "a list": (["a"], "[string]", []),
    "a list with a wrong item": (
        ["a", 2],
        "[string]",
        ['x[1]: Invalid value: "integer": must be of type string: "integer"'],
    ),
    "text where a list belongs": (
        "a",
        "[string]",
        ['x: Invalid value: "string": must be of type array: "string"'],
    ),
    "a mapping with a wrong value": (
        {"a": 1},
        "{string}",
        ['x[a]: Invalid value: "integer": must be of type string: "integer"'],
    ),
    "a list where a mapping belongs": (
        [],
        "{string}",
        ['x: Invalid value: "array": must be of type object: "array"'],
    ),
    "text where an object belongs": (
        "a",
        "Container",
        ['x: Invalid value: "string": must be of type object: "string"'],
    ),
    "any object": ({"a": [1]}, "object", []),
    "a field that must be there": ({}, "Container", ["x.name: Required value"]),
    "a null that stands for a default": ({"name": None, "key": "k"}, "KeyRef", []),
    "a word that is not allowed": (
        {"mpiImplementation": "openmpi", "mpiReplicaSpecs": {}},
        "MPIJobSpec",
        [
            (
                'x.mpiImplementation: Unsupported value: "openmpi": supported values: "OpenMPI", '
                '"Intel", "MPICH"'
            )
        ],
    ),
    "a variable that is set twice": (
        {"name": "c", "env": [{"name": "A"}, {"name": "B"}, {"name": "A"}]},
        "Container",
        ['x.env[2]: Duplicate value: {"name":"A"}'],
    ),
    "a port and its default protocol": (
        {"name": "c", "ports": [{"containerPort": 1}, {"containerPort": 1, "protocol": "TCP"}]},
        "Container",
        ['x.ports[1]: Duplicate value: {"containerPort":"1","protocol":"TCP"}'],
    ),
    "the same port of two protocols": (
        {"name": "c", "ports": [{"containerPort": 1}, {"containerPort": 1, "protocol": "UDP"}]},
        "Container",
        [],
    ),
    "twice in a debugging container": (
        {"name": "c", "env": [{"name": "A"}, {"name": "A"}]},
        "EphemeralContainer",
        ['x.env[1]: Duplicate value: {"name":"A"}'],
    ),
}


@pytest.mark.parametrize(("value", "type_", "texts"), JUDGED.values(), ids=JUDGED)
def test_a_value_and_its_type(value, type_, texts):
    assert said(value, type_) == texts


def test_an_unknown_field_comes_with_the_known_ones():
    assert list(faults({"comand": []}, "Exec", "x")) == [
        Unknown("x.comand", "comand", ("command",))
    ]


def test_a_value_is_looked_at_no_deeper_than_the_table_is():
    deep = []
    for _ in range(20_000):
        deep = [deep]
    assert said({"key": deep, "operator": "In"}, "Requirement") == [
        'x.key: Invalid value: "array": must be of type string: "array"'
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*fields_of("Container"), *fields_of("PodSpec"), "odd"]), inner
        )
    ),
    max_leaves=10,
)


@given(json_values, st.sampled_from(sorted(TYPES)))
def test_any_value_can_be_judged_by_any_type(value, type_):
    assert all(str(fault) for fault in faults(value, type_))


@given(json_values)
def test_the_words_for_types_are_jsons(value):
    words = {
        "n": "null",
        "t": "boolean",
        "f": "boolean",
        '"': "string",
        "[": "array",
        "{": "object",
    }
    text = json.dumps(value)
    assert json_type(value) in {words.get(text[0]), "integer", "number"} - (
        {"integer", "number"} if text[0] in words else {None}
    )
