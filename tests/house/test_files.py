"""The project stands alone: no file of it names a machine, an index or a folder beside it."""

import os
import re

import pytest

MADE = {
    ".git", ".venv", ".mpi", ".hypothesis", ".pytest_cache", ".mypy_cache", ".ruff_cache",
    ".import_linter_cache", "__pycache__", "build", "dist", "results.json", ".coverage",
}  # fmt: skip
# Written so that this file does not break its own rule.
FOREIGN = {
    "a folder of some machine": r"(?<![\w.:/-])/(?:work|root/\.py[e]nv|opt/wheel[s])/",
    "a folder beside the project": r"\.\./sh[a]red",
    "a package index": r"py[p]i\.org|pythonh[o]sted\.org|deb\.deb[i]an\.org|registry\.np[m]js",
}


def _files(root):
    for folder, folders, names in os.walk(root):
        # At the top alone: deeper, "build" is a room.
        top = folder == str(root)
        folders[:] = [
            name for name in folders if name not in MADE or (name in {"build", "dist"} and not top)
        ]
        for name in names:
            if name not in MADE and not name.endswith(".pyc"):
                yield root.__class__(folder, name)


@pytest.mark.parametrize("pattern", FOREIGN.values(), ids=FOREIGN)
def test_no_file_names(root, pattern):
    found = []
    for path in _files(root):
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(root)}: {hit[0]}" for hit in re.finditer(pattern, text)]
    assert found == []
