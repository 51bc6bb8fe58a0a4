"""The definition of MPIJobs: small enough, and the same fields in every version."""

import json

from mpijob.api.crd import STORED, definition
from mpijob.api.crd_rules import rules
from mpijob.cluster.schema import fields_of

VERSIONS = ("v1", "v1alpha2", "v1alpha1", STORED)
#: What etcd takes of one object, in bytes.
ETCD_BYTES = 1_500_000


def versions():
    return {row["name"]: row for row in definition(VERSIONS)["spec"]["versions"]}


def test_four_versions_take_a_quarter_of_what_etcd_takes_of_one_object():
    assert len(json.dumps(definition(VERSIONS))) < ETCD_BYTES / 4


def test_every_version_has_the_same_fields_so_that_none_loses_anothers():
    schemas = [row["schema"] for row in versions().values()]
    assert [schema for schema in schemas if schema != schemas[0]] == []


def test_one_version_is_stored_whichever_are_served():
    flags = {
        row["name"]: (row["served"], row["storage"])
        for row in definition(["v1"])["spec"]["versions"]
    }
    assert flags == {STORED: (False, True), "v1": (True, False)}


def _defaults(schema, path=""):
    if isinstance(schema, dict):
        if "default" in schema:
            yield path
        for key, inner in schema.items():
            yield from _defaults(inner, f"{path}.{key}")


def test_no_field_has_a_default_but_the_keys_of_lists():
    found = {path.rpartition(".")[2] for path in _defaults(versions()[STORED]["schema"])}
    assert found == {"name", "protocol"}


def test_every_rule_is_about_a_field_that_there_is():
    unknown = [rule.field for rule in rules() if not _is_field(rule.field)]
    assert unknown == []


def _is_field(path):
    type_ = "MPIJob"
    for step in path.replace("[", ".[").split("."):
        if step.startswith("["):
            type_ = type_[1:-1]
            continue
        fields = fields_of(type_)
        if step not in fields:
            return False
        type_ = fields[step].type
    return True
