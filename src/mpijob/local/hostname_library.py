"""A shared library that says a pod's host name where the pod has no namespace to say it.

Open MPI 5 tells hosts apart by what `gethostname` says. Where two hosts of a job say the same, its
ranks disagree about who shares a machine with whom, and hang. Without namespaces a process cannot
be given another name than the machine's, but it can be given another `gethostname`: a library
named in LD_PRELOAD. There need not be a compiler, so this writes the library itself: two
functions, some fifty bytes of code each, for the processors that Linux clusters have.
"""

from __future__ import annotations

import os
import struct

#: `struct utsname` of Linux: six fields of this size; the host name is the second.
_FIELD_BYTES = 65
_NAME_MAX = 64

_CODE_AT = 0x400
_DYNAMIC_AT = 0x800
#: More than any page: the two segments, of code and of data, are never in one page.
_ALIGN = 0x10000
_R, _W, _X = 4, 2, 1
_PT_LOAD, _PT_DYNAMIC, _PT_GNU_STACK = 1, 2, 0x6474E551
_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT = 4, 5, 6, 10, 11
_NAMES = (b"gethostname", b"uname")


def library(name: str, machine: str) -> bytes:
    """Return an ELF library whose `gethostname` and `uname` say `name`.

    b"" for a processor (`os.uname().machine`) that it cannot be written for.
    """
    text = name.encode()[:_NAME_MAX] + b"\0"
    match machine:
        case "x86_64":
            functions, number = _x86_64(text), 62
        case "aarch64":
            functions, number = _aarch64(text), 183
        case _:
            return b""
    return _elf(functions, text, number)


def _x86_64(text: bytes) -> tuple[bytes, bytes]:
    """Return the two functions; each is followed in memory by the next, and the last by `text`."""
    copy = b"\xf3\xa4\x31\xc0\xc3"  # rep movsb; xor eax, eax; ret
    count = b"\xb9" + struct.pack("<I", len(text))  # mov ecx, length
    uname_head = (
        b"\x57\xb8\x3f\x00\x00\x00\x0f\x05\x5f"  # push rdi; mov eax, 63; syscall; pop rdi
        b"\x85\xc0\x75" + bytes([4 + 7 + len(count) + len(copy)])  # test eax, eax; jnz to the end
    )
    skip = b"\x48\x83\xc7" + bytes([_FIELD_BYTES])  # add rdi, 65
    uname_tail = count + copy + b"\x83\xc8\xff\xc3"  # or eax, -1; ret
    uname = (
        uname_head + skip + b"\x48\x8d\x35" + struct.pack("<i", len(uname_tail)) + uname_tail
    )  # lea rsi, [rip + to the text]
    tail = (
        count
        + b"\x48\x39\xce\x48\x0f\x42\xce"  # cmp rsi, rcx; cmovb rcx, rsi
        + b"\x48\x89\xc6"  # mov rsi, rax
        + copy
    )
    # lea rax, [rip + to the text]
    head = b"\x48\x8d\x05" + struct.pack("<i", len(tail) + len(uname))
    return head + tail, uname


def _aarch64(text: bytes) -> tuple[bytes, bytes]:
    """Return the same for 64-bit ARM, whose instructions have four bytes each."""
    copy = (
        0xB40000A3,  # cbz x3, to the end
        0x38401444,  # ldrb w4, [x2], #1
        0x38001404,  # strb w4, [x0], #1
        0xD1000463,  # sub x3, x3, #1
        0x17FFFFFC,  # b to the cbz
        0x52800000,  # mov w0, #0
        0xD65F03C0,  # ret
    )
    count = 0xD2800003 | len(text) << 5  # mov x3, length
    uname_after = (count, *copy)
    uname = (
        0xAA0003E9,  # mov x9, x0
        0xD2801408,  # mov x8, #160
        0xD4000001,  # svc #0
        0x35000000 | (2 + 1 + len(uname_after)) << 5,  # cbnz w0, to the end
        0x91000120 | _FIELD_BYTES << 10,  # add x0, x9, #65
        _adr_x2(4 * (1 + len(uname_after) + 2)),
        *uname_after,
        0x12800000,  # mov w0, #-1
        0xD65F03C0,  # ret
    )
    after = (
        count,
        0xEB03003F,  # cmp x1, x3
        0x9A833023,  # csel x3, x1, x3, lo
        *copy,
    )
    gethostname = (_adr_x2(4 * (1 + len(after) + len(uname))), *after)
    return _words(gethostname), _words(uname)


def _adr_x2(distance: int) -> int:
    """Return the instruction that puts the address `distance` bytes on into x2."""
    return 0x10000002 | (distance & 3) << 29 | (distance >> 2) << 5


def _words(instructions: tuple[int, ...]) -> bytes:
    return struct.pack(f"<{len(instructions)}I", *instructions)


def _elf(functions: tuple[bytes, bytes], text: bytes, machine: int) -> bytes:
    """Return the file: header, segments, symbols, code, and what the loader looks things up in."""
    strings = b"\0" + b"\0".join(_NAMES) + b"\0"
    symbols = bytes(24)
    address = _CODE_AT
    for name, function in zip(_NAMES, functions, strict=True):
        # A global function, visible to all, in section 1 (any that is not "undefined").
        place = strings.index(name)
        symbols += struct.pack("<IBBHQQ", place, 0x12, 0, 1, address, len(function))
        address += len(function)
    # One bucket that chains all symbols: the loader then compares names.
    table = struct.pack("<6I", 1, 3, 1, 0, 2, 0)
    table_at = 64 + 4 * 56
    symbols_at = table_at + len(table)
    strings_at = symbols_at + len(symbols)
    dynamic = b"".join(
        struct.pack("<qQ", tag, value)
        for tag, value in (
            (_DT_HASH, table_at),
            (_DT_STRTAB, strings_at),
            (_DT_SYMTAB, symbols_at),
            (_DT_STRSZ, len(strings)),
            (_DT_SYMENT, 24),
            (0, 0),
        )
    )
    code = b"".join(functions) + text
    code_end, data_at = _CODE_AT + len(code), _ALIGN + _DYNAMIC_AT
    data = (_DYNAMIC_AT, data_at, data_at, len(dynamic), len(dynamic))
    segments = (
        (_PT_LOAD, _R | _X, 0, 0, 0, code_end, code_end, _ALIGN),
        (_PT_LOAD, _R | _W, *data, _ALIGN),
        (_PT_DYNAMIC, _R | _W, *data, 8),
        (_PT_GNU_STACK, _R | _W, 0, 0, 0, 0, 0, 16),
    )
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0)
    header += b"".join(struct.pack("<IIQQQQQQ", *segment) for segment in segments)
    start = header + table + symbols + strings
    return start.ljust(_CODE_AT, b"\0") + code.ljust(_DYNAMIC_AT - _CODE_AT, b"\0") + dynamic


def write(path: str, name: str) -> bool:
    """Write the library for this machine to `path`; False where it has an unknown processor."""
    content = library(name, os.uname().machine)
    if content:
        with open(path, "wb") as file:
            file.write(content)
    return bool(content)
