"""Which release of each tool the tests run on, read from the Go modules that build them."""

import re
from functools import cache
from pathlib import Path

GO_MODULES = Path(__file__).resolve().parents[1] / "go"


@cache
def version_of(folder: str, module: str) -> str:
    """Return the version at which the Go module in `folder` requires `module`, such as v1.36.3."""
    text = (GO_MODULES / folder / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise LookupError(f"{folder}/go.mod does not require {module}")
    return found[1]


@cache
def go_version() -> str:
    """Return the release of Go that the modules ask for, such as 1.26.0."""
    text = (GO_MODULES / "kubernetes" / "go.mod").read_text()
    found = re.search(r"^go (\S+)$", text, re.MULTILINE)
    if found is None:
        raise LookupError("kubernetes/go.mod does not say which Go it needs")
    return found[1]
