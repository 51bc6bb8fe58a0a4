"""What mpi-operator v0.8.2 made of a job, and a way to say in what ours differs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mpijob.api import versions

DATA = Path(__file__).parent / "data"
UID = "the job's uid"


@dataclass(frozen=True)
class Case:
    """One job, and what was seen of it."""

    name: str
    facts: dict[str, Any]

    @property
    def manifest(self):
        """The job as a server that runs no defaults of ours has it."""
        written = self.facts["job"]
        return {**written, "metadata": {**written["metadata"], "uid": UID, "resourceVersion": "1"}}

    @property
    def job(self):
        return versions.job(self.manifest)


CASES = {
    path.stem: Case(path.stem, yaml.load(path.read_text(), yaml.CSafeLoader))
    for path in sorted(DATA.glob("*.yaml"))
}
WITH_CHILDREN = [name for name, case in CASES.items() if case.facts["children"]]


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES.values(), ids=list(CASES))
    if "made" in metafunc.fixturenames:
        cases = [CASES[name] for name in WITH_CHILDREN]
        metafunc.parametrize("made", cases, ids=WITH_CHILDREN)


@pytest.fixture(scope="session")
def every_case():
    """Every case, by its name."""
    return CASES


@pytest.fixture(scope="session")
def cases():
    """Every case that came to have children."""
    return [CASES[name] for name in WITH_CHILDREN]


@dataclass(frozen=True)
class Difference:
    """One place where two manifests differ; None where one of them has nothing there."""

    path: str
    theirs: Any
    ours: Any


def differences(theirs, ours) -> list[Difference]:
    """Return every place where two manifests differ."""
    left, right = dict(_leaves(theirs)), dict(_leaves(ours))
    return [
        Difference(path, left.get(path), right.get(path))
        for path in sorted(left.keys() | right.keys())
        if left.get(path) != right.get(path)
    ]


@pytest.fixture(scope="session")
def compared():
    return differences


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    match value:
        case dict() if value:
            for key, part in value.items():
                yield from _leaves(part, f"{path}/{key}")
        case [dict(), *_]:
            for part in value:
                yield from _leaves(part, f"{path}/{_name(part)}")
        case _:
            yield path, value


def _name(entry: dict[str, Any]) -> str:
    """Return what tells an entry of a list from the others: their order says nothing."""
    if "path" in entry:
        return f"[{entry.get('key', '')} at {entry['path']}]"
    keys = [str(entry[key]) for key in ("mountPath", "name", "uid") if key in entry]
    return f"[{keys[0] if keys else next(iter(entry))}]"
