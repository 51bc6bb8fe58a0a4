"""Every module has a name that says what it holds, a test, and somebody who needs it."""

import ast

import grimp

from mpijob.cli.root import COMMANDS

BANNED_NAMES = {
    "base", "common", "core2", "handler", "handlers", "helper", "helpers", "manager", "managers",
    "misc", "util", "utils",
}  # fmt: skip
# Where a process of ours begins, what Python of users imports, and the rooms that are there for
# tests: the one as a whole, the other as far as tests use it. The rest is reached from here, or
# nobody needs it.
FACES = {"mpijob.cli", "mpijob.sdk", "mpijob.flyte.plugin", "mpijob.flyte.serialize"}
FOR_TESTS, SIMULATOR = "mpijob.testing", "mpijob.sim."


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


def test_every_module_is_tested_or_part_of_what_is(modules, test_files, root):
    # A module is tested where a test has its name or imports it, or where a tested module of its
    # own room is made of it.
    names = {module.name for module in modules}
    namesakes = {str(path.relative_to(root / "tests")) for path in test_files}
    tested = {
        module.name
        for module in modules
        if "/".join([*module.name.split(".")[1:-1], f"test_{module.path.stem}.py"]) in namesakes
    }
    tested |= set().union(*(_imported(tree) for tree in test_files.values())) & names
    for path, tree in test_files.items():
        if path.is_relative_to(root / "tests" / "cli"):
            tested |= _typed_commands(tree)
    needs = _needs(modules)
    for room in {module.room for module in modules}:
        inside = {module.name for module in modules if module.room == room}
        tested |= _reached(tested & inside, {name: needs[name] & inside for name in inside})
    tested |= {package for name in tested for package in _packages(name)}
    untested = [m.name for m in modules if m.name not in tested and not _says_nothing(m)]
    assert untested == []


def test_every_module_is_reached_from_where_a_process_begins(modules, test_files):
    names = {module.name for module in modules}
    imported = set().union(*(_imported(tree) for tree in test_files.values())) & names
    begin = {name for name in names if name in FACES or name.startswith(FOR_TESTS)}
    begin |= {name for name in imported if name.startswith(SIMULATOR)}
    reached = _reached(begin, _needs(modules))
    # Python imports a module's packages before the module.
    packages = {parent for name in reached for parent in _packages(name)}
    assert sorted(names - reached - packages) == []


def _typed_commands(tree: ast.Module) -> set[str]:
    """Return the modules of the commands that a test of the command line types."""
    strings = {
        node.value.partition(" ")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {f"mpijob.cli.{name}" for name in COMMANDS if name in strings}


def _needs(modules) -> dict[str, set[str]]:
    """Return what each module imports of ours, or names in a string to be imported later."""
    graph = grimp.build_graph("mpijob", cache_dir=None)
    names = {module.name for module in modules}
    needs = {
        module.name: graph.find_modules_directly_imported_by(module.name)
        | _named_in_text(module, names)
        for module in modules
    }
    needs["mpijob.cli.root"] |= {f"mpijob.cli.{name}" for name in COMMANDS}
    return needs


def _reached(begin: set[str], needs: dict[str, set[str]]) -> set[str]:
    """Return the modules that are needed, directly or not, by those of `begin`, and these."""
    reached: set[str] = set()
    to_visit = sorted(begin)
    while to_visit:
        name = to_visit.pop()
        if name not in reached:
            reached.add(name)
            to_visit.extend(needs.get(name, ()))
    return reached


def _packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]
