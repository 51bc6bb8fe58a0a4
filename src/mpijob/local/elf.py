"""Shared libraries of a few functions, written without a compiler, to be named in LD_PRELOAD.

Only what a loader needs is in the file: no sections, no debugging. A function's code may be
position-independent machine code of x86-64 or 64-bit ARM.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where the first function begins in the file and in memory.
CODE_AT = 0x400
#: Where the address of `__errno_location` is put by the loader, in memory.
ERRNO_AT = 0x10880

_DYNAMIC_AT = 0x800
#: More than any page: the two segments, of code and of data, are never in one page.
_ALIGN = 0x10000
_DATA_BYTES = ERRNO_AT - _ALIGN - _DYNAMIC_AT + 8
_R, _W, _X = 4, 2, 1
_PT_LOAD, _PT_DYNAMIC, _PT_GNU_STACK = 1, 2, 0x6474E551
_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_RELA, _DT_RELASZ = 4, 5, 6, 7, 8
_DT_RELAENT, _DT_STRSZ, _DT_SYMENT = 9, 10, 11
_FUNCTION = 0x12  # Global, a function.
#: The ELF number of each machine, and its relocation "the address of this symbol".
_MACHINES = {"x86_64": (62, 6), "aarch64": (183, 1025)}


def shared_library(functions: Mapping[str, bytes], data: bytes, machine: str) -> bytes:
    """Return an ELF library of `functions`, laid out in their order, with `data` right behind.

    Args:
        functions: The code of each function by its name.
        data: What the code refers to by its distance; it cannot be written to.
        machine: As `os.uname().machine` says it: "x86_64" or "aarch64".

    """
    number, relocation = _MACHINES[machine]
    strings = b"\0__errno_location\0" + b"".join(name.encode() + b"\0" for name in functions)
    # The first symbol is none, the second is looked up elsewhere.
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, _FUNCTION, 0, 0, 0, 0)
    address = CODE_AT
    for name, function in functions.items():
        place = strings.index(b"\0" + name.encode() + b"\0") + 1
        symbols += struct.pack("<IBBHQQ", place, _FUNCTION, 0, 1, address, len(function))
        address += len(function)
    count = len(functions) + 2
    # One bucket, in which each symbol is chained to the next: the loader then compares names.
    chain = [0, *range(2, count), 0]
    table = struct.pack(f"<{3 + count}I", 1, count, 1, *chain)
    relocations = struct.pack("<QQq", ERRNO_AT, 1 << 32 | relocation, 0)
    table_at = 64 + 4 * 56
    symbols_at = table_at + len(table) + -len(table) % 8
    relocations_at = symbols_at + len(symbols)
    strings_at = relocations_at + len(relocations)
    dynamic = _dynamic(
        {
            _DT_HASH: table_at,
            _DT_STRTAB: strings_at,
            _DT_SYMTAB: symbols_at,
            _DT_RELA: relocations_at,
            _DT_RELASZ: len(relocations),
            _DT_RELAENT: 24,
            _DT_STRSZ: len(strings),
            _DT_SYMENT: 24,
        }
    )
    code = b"".join(functions.values()) + data
    start = _header(number, CODE_AT + len(code), len(dynamic))
    start += table + bytes(-len(table) % 8) + symbols + relocations + strings
    body = start.ljust(CODE_AT, b"\0") + code
    return body.ljust(_DYNAMIC_AT, b"\0") + dynamic.ljust(_DATA_BYTES, b"\0")


def _dynamic(entries: Mapping[int, int]) -> bytes:
    return b"".join(struct.pack("<qQ", *entry) for entry in entries.items()) + bytes(16)


def _header(machine: int, code_end: int, dynamic_bytes: int) -> bytes:
    """Return the file's header and its segments: code, data, where to begin, and no more."""
    data_at = _ALIGN + _DYNAMIC_AT
    data = (_DYNAMIC_AT, data_at, data_at)
    segments = (
        (_PT_LOAD, _R | _X, 0, 0, 0, code_end, code_end, _ALIGN),
        (_PT_LOAD, _R | _W, *data, _DATA_BYTES, _DATA_BYTES, _ALIGN),
        (_PT_DYNAMIC, _R | _W, *data, dynamic_bytes, dynamic_bytes, 8),
        (_PT_GNU_STACK, _R | _W, 0, 0, 0, 0, 0, 16),
    )
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0)
    return header + b"".join(struct.pack("<IIQQQQQQ", *segment) for segment in segments)
