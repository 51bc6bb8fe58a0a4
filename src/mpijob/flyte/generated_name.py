"""The name of an execution's job, as Flyte generates it."""

#: What Flyte lets a generated name have at most.
LENGTH_MAX = 50
_ALPHABET = "abcdefghijklmnopqrstuvwxyz123456"
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193


def generated_name(execution: str, node: str, attempt: int) -> str:
    """Return the name of one attempt: its parts, or, where those are too long, a digest of them.

    Source: `FixedLengthUniqueIDForParts`, flyteplugins (go/tasks/pluginmachinery/encoding).
    """
    name = f"{execution}-{node}-{attempt}"
    return name if len(name) <= LENGTH_MAX else f"f{_base32(_fnv32a(name.encode()))}"


def _fnv32a(data: bytes) -> int:
    digest = _FNV_OFFSET
    for byte in data:
        digest = (digest ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return digest


def _base32(digest: int) -> str:
    """Return 32 bits as seven letters of Flyte's alphabet, five bits each from the highest."""
    bits = digest << 3
    return "".join(_ALPHABET[bits >> shift & 31] for shift in range(30, -1, -5))
