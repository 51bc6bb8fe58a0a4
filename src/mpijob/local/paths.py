"""What a pod without namespaces sees in place of the paths that its manifest names."""

import re
from collections.abc import Mapping

#: What may stand before a path in a command line, a variable or a configuration file.
_BEFORE = r"(?<![\w./~-])"
#: What ends a component of a path.
_AFTER = r"(?=$|[/\s\"'`:;,=|&<>(){}\[\]!?*#\\])"


def rewrite(text: str, mapping: Mapping[str, str]) -> str:
    """Return `text` with every path below a key of `mapping` moved to below its value.

    Only whole components count: with "/data", "/data/x" and "--in=/data" are rewritten, "/data2"
    and "/mnt/data" are not. Where several keys fit, the longest wins. What is put in is not
    looked at again.
    """
    known = {prefix.rstrip("/"): place for prefix, place in mapping.items() if prefix.rstrip("/")}
    if not known or not any(prefix in text for prefix in known):
        return text
    longest_first = sorted(known, key=len, reverse=True)
    pattern = _BEFORE + "(" + "|".join(re.escape(prefix) for prefix in longest_first) + ")" + _AFTER
    return re.sub(pattern, lambda match: known[match[1]].rstrip("/"), text)
