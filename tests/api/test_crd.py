"""The definition of MPIJobs: small enough, and the same fields in every version."""

import json

from mpijob.api.crd import STORED, definition
from mpijob.api.crd_rules import rules
from mpijob.cluster.job_types import ROOTS
from mpijob.cluster.schema import fields_of
from mpijob.core.version import Version

VERSIONS = ("v1", "v1alpha2", "v1alpha1", STORED)
#: What etcd takes of one object, in bytes.
ETCD_BYTES = 1_500_000


def versions():
    return {row["name"]: row for row in definition(VERSIONS)["spec"]["versions"]}


def test_four_versions_take_a_quarter_of_what_etcd_takes_of_one_object():
    assert len(json.dumps(definition(VERSIONS))) < ETCD_BYTES / 4


def test_every_version_has_the_same_fields_so_that_none_loses_anothers():
    schemas = [row["schema"]["openAPIV3Schema"]["properties"] for row in versions().values()]
    # v1alpha1's template is any object to the others: they keep all that is in it.
    templates = [schema["spec"]["properties"].pop("template") for schema in schemas]
    keeps = "x-kubernetes-preserve-unknown-fields"
    assert (
        [schema for schema in schemas if schema != schemas[0]],
        [template.get(keeps, False) for template in templates],
    ) == ([], [name != "v1alpha1" for name in versions()])


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
    unknown = [
        (version, rule.field)
        for version, root in ROOTS.items()
        for rule in rules(versions_by_name()[version])
        if not _is_field(root, rule.field)
    ]
    assert unknown == []


def versions_by_name():
    return {version.api_version: version for version in Version}


def test_v1_is_served_only_where_it_is_asked_for():
    flags = {row["name"]: row["served"] for row in definition()["spec"]["versions"]}
    assert flags == {"v2beta1": True, "v1alpha2": True, "v1alpha1": True}


def _is_field(type_, path):
    for step in path.replace("[", ".[").split("."):
        if step.startswith("["):
            type_ = type_[1:-1]
            continue
        fields = fields_of(type_)
        if step not in fields:
            return False
        type_ = fields[step].type
    return True
