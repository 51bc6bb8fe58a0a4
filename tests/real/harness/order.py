"""In which order the modules of tests run, and which of them run beside no other on real nodes."""

#: Those that do something to everybody's nodes or operator, or count what nodes have left.
_ALONE = frozenset(
    f"e2e/test_{name}" for name in ("gpus", "guide", "killed_operator", "logs", "nodes", "why")
)
#: Those that take longest, such as want many cores between such as wait.
_LONGEST = ("e2e/test_own_sshd", "e2e/test_prototypes", "e2e/test_faults", "e2e/test_mpi")


def module_name(nodeid: str) -> str:
    """Return the name of a test's file, seen from tests/real where it lies there.

    Args:
        nodeid: What pytest calls the test.

    """
    module, _, _ = nodeid.partition("::")
    return module.removesuffix(".py").rpartition("tests/real/")[2]


def is_alone(name: str) -> bool:
    """Say whether no other module may use the shared nodes while that one does."""
    return name in _ALONE


def turn(name: str) -> int:
    """Return where in line a module stands: who waits long begins early, who is alone comes last.

    Modules that need no nodes are for whoever has nothing else to do.
    """
    if name in _LONGEST:
        return _LONGEST.index(name) - len(_LONGEST)
    if name.startswith("e2e/"):
        return 1 if is_alone(name) else 0
    return 2
