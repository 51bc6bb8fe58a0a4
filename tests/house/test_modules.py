"""Every module has a name that says what it holds, a test, and somebody who needs it."""

import ast
from itertools import pairwise

import grimp

BANNED_NAMES = {
    "base", "common", "core2", "handler", "handlers", "helper", "helpers", "manager", "managers",
    "misc", "util", "utils",
}  # fmt: skip
# Where a process of ours begins. The rest is reached from here, or nobody needs it.
ENTRIES = {"mpijob.cli", "mpijob.testing"}


def _says_nothing(module) -> bool:
    """Return whether `module` holds a docstring, imports and plain names alone."""
    return all(
        isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in module.tree.body
    )


def _imported(tree: ast.Module) -> set[str]:
    """Return the dotted names that a file imports: modules, and names that may be modules."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                names.update(alias.name for alias in node.names)
            case ast.ImportFrom(module=str(parent)):
                names.add(parent)
                names.update(f"{parent}.{alias.name}" for alias in node.names)
    return names


def _named_in_text(module, names: set[str]) -> set[str]:
    """Return the modules that `module` names in a string: as `python -m` or a lazy import does."""
    return {
        node.value.partition(":")[0]
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    } & names


def test_no_module_has_a_name_that_says_nothing(modules):
    assert [m.name for m in modules if BANNED_NAMES & set(m.name.split("."))] == []


def test_every_module_has_a_test_of_its_name_or_is_imported_by_one(modules, test_files, root):
    namesakes = {str(path.relative_to(root / "tests")) for path in test_files}
    imported = set().union(*(_imported(tree) for tree in test_files.values()))
    untested = [
        module.name
        for module in modules
        if not _says_nothing(module)
        and module.name not in imported
        and "/".join([*module.name.split(".")[1:-1], f"test_{module.path.stem}.py"])
        not in namesakes
    ]
    assert untested == []


def test_every_module_is_reached_from_where_a_process_begins(modules):
    graph = grimp.build_graph("mpijob", cache_dir=None)
    names = {module.name for module in modules}
    needs = {
        module.name: graph.find_modules_directly_imported_by(module.name)
        | _named_in_text(module, names)
        for module in modules
    }
    reached: set[str] = set()
    to_visit = sorted(ENTRIES & names)
    while to_visit:
        name = to_visit.pop()
        if name not in reached:
            reached.add(name)
            to_visit.extend(needs.get(name, ()))
    # Python imports a module's packages before the module.
    packages = {
        parent for name in reached for parent, _ in pairwise(_packages(name)) if parent in names
    }
    assert sorted(names - reached - packages) == []


def _packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
