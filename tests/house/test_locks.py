"""The locks hold versions and hashes alone, and all that the project asks for."""

import re
import tomllib
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
LOCKS = {path.name: path for path in sorted(REQUIREMENTS.glob("*.lock"))}


def _pins(lock: str) -> dict[str, str]:
    """Return the text of each requirement of `lock`, by its name."""
    text = LOCKS[lock].read_text().replace("\\\n", " ")
    return {line.partition("==")[0]: line for line in text.splitlines() if line.strip()}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_one_version_with_hashes(lock):
    shape = re.compile(r"[a-z0-9.-]+==[\w.]+( ; [^#@]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert [line for line in _pins(lock).values() if not shape.fullmatch(line)] == []


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", text)[0].lower() for text in requirements}


def test_the_locks_hold_all_that_the_project_asks_for(root):
    asked = tomllib.loads((root / "pyproject.toml").read_text())
    extras = asked["project"]["optional-dependencies"]
    runtime = _names(asked["project"]["dependencies"])
    missing = {
        "runtime.lock": runtime - _pins("runtime.lock").keys(),
        "dev.lock": runtime.union(
            *(_names(extras[name]) for name in ("local", "examples", "s3", "storage"))
        ).union(_names(asked["dependency-groups"]["dev"]))
        - _pins("dev.lock").keys(),
        "sidecar.lock": runtime.union(_names(extras["s3"])) - _pins("sidecar.lock").keys(),
        "mpich.lock": {"mpich"} - _pins("mpich.lock").keys(),
        "flyte.lock": runtime.union(*(_names(extras[name]) for name in ("local", "flyte")))
        - _pins("flyte.lock").keys(),
    }
    assert {lock: names for lock, names in missing.items() if names} == {}


def test_development_runs_on_the_versions_that_users_get():
    # A marker may be wider in development, where something else needs the package too.
    development = {name: _unmarked(pin) for name, pin in _pins("dev.lock").items()}
    users = {
        name: _unmarked(pin)
        for lock in ("runtime.lock", "sidecar.lock")
        for name, pin in _pins(lock).items()
    }
    assert {name: pin for name, pin in users.items() if development.get(name) != pin} == {}


def _unmarked(pin):
    return pin.split()[0], sorted(word for word in pin.split() if word.startswith("--hash="))
