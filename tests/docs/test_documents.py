"""The documents tell the truth about the tree, the tests, the targets and each other."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = (
    "*.md",
    "changes/*.md",
    "deploy/*.md",
    "docs/**/*.md",
    "examples/**/*.md",
    "images/**/*.md",
)
DOCUMENTS = {
    str(path.relative_to(ROOT)): path for place in PLACES for path in sorted(ROOT.glob(place))
}


def _drawn_rooms(text: str) -> set[str]:
    """Return the paths that a tree drawn with box characters names, relative to its root."""
    paths = set()
    parents: list[str] = []
    for line in text.splitlines():
        drawn = re.match(r"^((?:│   |    )*)(?:├── |└── )(\S+)", line)
        if drawn:
            depth = len(drawn[1]) // 4
            parents[depth:] = [drawn[2].rstrip("/")]
            paths.add("/".join(parents))
    return paths


def test_the_tree_of_the_architecture_is_the_tree_of_the_package(root):
    package = root / "src" / "mpijob"
    rooms = {str(path.parent.relative_to(package)) for path in package.rglob("*/__init__.py")}
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py", "__main__.py"}
    text = (root / "docs" / "architecture.md").read_text().partition("## The rooms")[2]
    assert _drawn_rooms(text) == rooms | modules


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_relative_link_leads_somewhere(name):
    document = DOCUMENTS[name]
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    broken = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert broken == []


def test_every_target_of_make_that_a_document_names_is_there(root):
    rules = "".join((root / file).read_text() for file in ("Makefile", "tests/real/cluster.mk"))
    targets = set(re.findall(r"^([a-z-]+):", rules, flags=re.MULTILINE))
    named = {
        (name, target)
        for name, path in DOCUMENTS.items()
        for target in re.findall(r"(?:`|^ {4}|\$ )make ([a-z-]+)", path.read_text(), re.MULTILINE)
    }
    assert {(name, target) for name, target in named if target not in targets} == set()


def test_the_readme_names_demo_and_test_in_its_first_screen(root):
    screen = "\n".join((root / "README.md").read_text().splitlines()[:40])
    assert ("make demo" in screen, "make test" in screen) == (True, True)


def test_the_index_of_decisions_lists_every_decision(root):
    folder = root / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))


def test_every_decision_says_how_we_would_know_that_we_were_wrong(root):
    headings = {
        path.name: re.findall(r"^## (.+)$", path.read_text(), flags=re.MULTILINE)
        for path in sorted((root / "docs" / "decisions").glob("[0-9]*.md"))
    }
    wanted = ["Context", "Decision", "How we would know that we were wrong"]
    assert {name: found for name, found in headings.items() if found != wanted} == {}


def test_every_change_is_of_a_kind_that_is_known(root):
    fragments = {path.name for path in (root / "changes").iterdir()} - {"README.md"}
    kind = re.compile(r"[a-z0-9-]+\.(added|changed|fixed|removed)\.md")
    assert {name for name in fragments if not kind.fullmatch(name)} == set()


def _tests_in(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _named_tests(text: str) -> list[tuple[str, str]]:
    """Return the (file, test) pairs that a document names; a case in brackets is left off."""
    return re.findall(r"(tests/[\w/]+\.py)::(test_\w+)", text)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_test_that_a_document_names_is_there(name):
    named = _named_tests(DOCUMENTS[name].read_text())
    assert [(file, test) for file, test in named if test not in _tests_in(ROOT / file)] == []


def test_every_difference_has_a_number_of_its_own_a_reason_and_a_test(root):
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in (root / "docs" / "differences.md").read_text().splitlines()
        if re.match(r"\| *\d+ *\|", line)
    ]
    lacking = [row for row in rows if len(row) != 4 or not all(row) or not _named_tests(row[3])]
    numbers = [int(row[0]) for row in rows]
    assert (lacking, numbers) == ([], list(range(1, len(rows) + 1)))
