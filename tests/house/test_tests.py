"""The tests keep their own rules: they wait for nothing but events, and pretend nothing."""

import ast

import pytest


def _sleeps(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr="sleep")):
            return True
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="asyncio"), attr="sleep"),
            args=[ast.Constant(value=seconds), *_],
        ):
            return seconds != 0
        case ast.Call(func=ast.Attribute(value=ast.Name(id="asyncio"), attr="sleep")):
            return True
    return False


def _mocks(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(alias.name.startswith("unittest.mock") for alias in names)
        case ast.ImportFrom(module=str(name), names=names):
            full = {name, *(f"{name}.{alias.name}" for alias in names)}
            return "unittest.mock" in full
    return False


def _gives_up(node: ast.AST) -> bool:
    """Return whether `node` marks a test as skipped or as failing, whatever the machine."""
    match node:
        case ast.Attribute(value=ast.Attribute(attr="mark"), attr="skip" | "xfail"):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="pytest"), attr="xfail")):
            return True
    return False


RULES = {
    "no test sleeps": _sleeps,
    "no test mocks": _mocks,
    "no test is given up": _gives_up,
}


@pytest.mark.parametrize("breaks", RULES.values(), ids=RULES)
def test_in_the_tests(test_files, root, breaks):
    places = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path, tree in test_files.items()
        for node in ast.walk(tree)
        if breaks(node)
    ]
    assert places == []


def test_no_folder_of_tests_is_a_package(root):
    assert [str(path) for path in (root / "tests").rglob("__init__.py")] == []
