"""The decision and the engine hold values: no JSON key of Kubernetes stands in them."""

import ast

KEYS = {"apiVersion", "metadata", "ownerReferences", "resourceVersion", "managedFields"}

SILENT = ("mpijob.core", "mpijob.engine", "mpijob.ports")
# Within them: build writes manifests, transport, policy and mpi add their parts to them, converge
# compares and patches them, and names writes the owner.
SPEAKERS = (
    "mpijob.core.build",
    "mpijob.core.converge",
    "mpijob.core.lint",
    "mpijob.core.mpi",
    "mpijob.core.names",
    "mpijob.core.policy",
    "mpijob.core.transport",
)


def test_no_json_key_stands_where_values_are_held(modules):
    places = [
        f"{module.place(node)} {node.value}"
        for module in modules
        if module.name.startswith(SILENT) and not module.name.startswith(SPEAKERS)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and node.value in KEYS
    ]
    assert places == []
