"""YAML as a person would write it: keys in order, blocks for long text, no aliases."""

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Writes blocks for text of several lines, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (PyYAML's signature)
        """Write a value that occurs twice twice: nobody wants `&id001` in a job file."""
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    """Return the node of a text: a block where it has several lines."""
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(document: Any) -> str:
    """Return one document as YAML, its keys in their own order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def as_yaml_stream(documents: list[Any]) -> str:
    """Return several documents as one YAML stream, each after a line `---`."""
    return "".join(f"---\n{as_yaml(document)}" for document in documents)
