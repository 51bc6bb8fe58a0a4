"""The option `-o`, and documents as JSON and YAML."""

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from mpijob.core.job import Manifest

_Command = TypeVar("_Command", bound=Callable[..., Any])


def output_option(*formats: str) -> Callable[[_Command], _Command]:
    """Return the decorator that gives a command `-o` with these formats; unsaid, it is None."""
    return click.option(
        "-o", "--output", type=click.Choice(formats), help="How to print: for programs, or wider."
    )


def written(document: Any, output: str) -> str:
    """Return a document as text that ends with a newline: `json`, else YAML."""
    if output == "json":
        import json

        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    from mpijob.cli.render.document import as_yaml

    return as_yaml(document)


def listed_as(manifests: Sequence[Manifest], output: str) -> str:
    """Return several objects as text: `json` for one List, `name` for a line each, else YAML."""
    from mpijob.api.manifest import as_list, resource_name

    if output == "json":
        return written(as_list(manifests), output)
    if output == "name":
        return "".join(f"{resource_name(manifest)}\n" for manifest in manifests)
    from mpijob.cli.render.document import as_yaml_stream

    return as_yaml_stream(list(manifests))


def forget_stdout() -> None:
    """Let what is still to be written vanish: whoever read it has left."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
