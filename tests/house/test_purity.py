"""The pure rooms: same arguments, equal answer, and nothing else happens."""

import ast

import pytest

PURE_ROOMS = {"core", "cluster", "api", "generate"}

# What a call in a pure room may not end in, by what it would let in.
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}
MODULES = {"time", "random", "secrets", "os", "io", "asyncio", "logging", "uuid", "socket"}
BUILTINS = {"open", "print", "input", "exec", "eval", "breakpoint", "__import__"}


def _clock(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=name):
            return name in CLOCKS
        case ast.Attribute(value=ast.Attribute(attr="datetime" | "date"), attr=name):
            return name in CLOCKS
    return False


def _outside(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(alias.name.partition(".")[0] in MODULES for alias in names)
        case ast.ImportFrom(module=str(name)):
            return name.partition(".")[0] in MODULES
        case ast.Call(func=ast.Name(id=name)):
            return name in BUILTINS
    return False


def _waiting(node: ast.AST) -> bool:
    return isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)


def _memory(node: ast.AST) -> bool:
    return isinstance(node, ast.Global)


RULES = {
    "the time is an argument, never read from a clock": _clock,
    "nothing of the outside comes in by an import or a built-in": _outside,
    "nothing waits": _waiting,
    "nothing is remembered in a global": _memory,
}


@pytest.mark.parametrize("breaks", RULES.values(), ids=RULES)
def test_in_pure_rooms(modules, breaks):
    places = [
        module.place(node)
        for module in modules
        if module.room in PURE_ROOMS
        for node in ast.walk(module.tree)
        if breaks(node)
    ]
    assert places == []


PLANTED = {
    "a clock": ("datetime.now(UTC)", _clock),
    "a clock by its module": ("datetime.datetime.utcnow()", _clock),
    "an import": ("import os.path", _outside),
    "an import of a name": ("from random import Random", _outside),
    "a built-in": ("open('x')", _outside),
    "a coroutine": ("async def f(): ...", _waiting),
    "a global": ("def f():\n    global x", _memory),
}


@pytest.mark.parametrize(("source", "breaks"), PLANTED.values(), ids=PLANTED)
def test_the_rules_see(source, breaks):
    assert any(breaks(node) for node in ast.walk(ast.parse(source)))
