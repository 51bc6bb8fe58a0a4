"""What the documents tell a person to type does what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# That one's are typed where there is a cluster: tests/real/e2e/test_guide.py.
ON_A_CLUSTER = "on-a-cluster.md"
# And that one's where there is flytekit: tests/flyte/test_guide.py.
OF_FLYTE = "flyte.md"
DOCUMENTS = [
    "README.md",
    *sorted(
        str(path.relative_to(ROOT))
        for path in ROOT.glob("docs/guide/**/*.md")
        if path.name not in (ON_A_CLUSTER, OF_FLYTE)
    ),
]


def _commands(text: str) -> list[tuple[str, int]]:
    """Return the commands of the console blocks, with the exit code that a comment announces."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    announced = [re.search(r"# exits (\d+)$", line) for line in lines]
    return [
        (line, int(code[1]) if code else 0) for line, code in zip(lines, announced, strict=True)
    ]


def _typed(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "MPIJOB_HOME": str(home / "state"),
    }
    return subprocess.run(
        ["bash", "-c", line],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.mpi
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_person_who_types_what_stands_in(document, tmp_path):
    failed = []
    for line, code in _commands((ROOT / document).read_text()):
        done = _typed(line, tmp_path)
        if done.returncode != code:
            failed.append((line, done.returncode, done.stdout[-500:], done.stderr[-500:]))
    assert failed == []
