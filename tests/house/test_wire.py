"""Kubernetes' JSON keys stand where manifests are read and built, and nowhere else."""

import ast

KEYS = {"apiVersion", "metadata", "ownerReferences", "resourceVersion", "managedFields"}

# api reads, build writes; transport, policy and mpi add their parts to what build writes; converge
# compares and patches what build wrote; names writes the owner; cluster is a Kubernetes itself; cli
# writes job files and shows objects as they are stored; local runs what manifests say. The rest of
# the core, the engine and the simulator hold values.
SPEAKERS = (
    "mpijob.api",
    "mpijob.cli",
    "mpijob.cluster",
    "mpijob.core.build",
    "mpijob.core.converge",
    "mpijob.core.mpi",
    "mpijob.core.names",
    "mpijob.core.policy",
    "mpijob.core.transport",
    "mpijob.local",
)


def test_only_those_rooms_speak_json(modules):
    places = [
        f"{module.place(node)} {node.value}"
        for module in modules
        if not module.name.startswith(SPEAKERS)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and node.value in KEYS
    ]
    assert places == []
