"""Libraries in LD_PRELOAD that mend what is between Open MPI and several hosts on one machine.

The host's name: Open MPI 5 tells hosts apart by what `gethostname` says. Where two hosts of a job
say the same, its ranks disagree about who shares a machine with whom, and hang. Without
namespaces a process cannot be given another name than the machine's, but it can be given another
`gethostname`.

The daemons' groups: having forked an rsh agent, mpirun puts it into a process group, as the agent
itself has done. Where the agent was quicker, which on a machine of few cores is one start in
ten, the kernel refuses, and mpirun warns of it in the job's output, for nothing. A `setpgid` that
takes this for what it is keeps the output clean.

There need not be a compiler on the machine, so the machine code stands here.
"""

from __future__ import annotations

import os
import struct

from mpijob.local.elf import CODE_AT, ERRNO_AT, shared_library

#: `struct utsname` of Linux: six fields of this size; the host name is the second.
_FIELD_BYTES = 65
_NAME_MAX = 64


def hostname_library(name: str, machine: str) -> bytes:
    """Return a library whose `gethostname` and `uname` say `name`.

    b"" for a processor (`os.uname().machine`) that it cannot be written for.
    """
    text = name.encode()[:_NAME_MAX] + b"\0"
    match machine:
        case "x86_64":
            gethostname, uname = _names_on_x86_64(text)
        case "aarch64":
            gethostname, uname = _names_on_aarch64(text)
        case _:
            return b""
    return shared_library({"gethostname": gethostname, "uname": uname}, text, machine)


def openmpi_library(machine: str) -> bytes:
    """Return a library whose `setpgid` is content with a child that is a program already.

    b"" for a processor that it cannot be written for.
    """
    match machine:
        case "x86_64":
            code = _setpgid_on_x86_64()
        case "aarch64":
            code = _setpgid_on_aarch64()
        case _:
            return b""
    return shared_library({"setpgid": code}, b"", machine)


def write(path: str, content: bytes) -> bool:
    """Write a library for programs to load; False where there is none for this processor."""
    if content:
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o644)
    return bool(content)


def _names_on_x86_64(text: bytes) -> tuple[bytes, bytes]:
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


def _setpgid_on_x86_64() -> bytes:
    head = (
        b"\xb8\x6d\x00\x00\x00\x0f\x05"  # mov eax, 109; syscall
        b"\x83\xf8\xf3\x74\x04"  # cmp eax, -EACCES; je to the success
        b"\x85\xc0\x78\x03"  # test eax, eax; js past the success
        b"\x31\xc0\xc3"  # xor eax, eax; ret
        b"\x53\x89\xc3\xf7\xdb"  # push rbx; mov ebx, eax; neg ebx
        b"\xff\x15"  # call [rip + to the address of __errno_location]
    )
    distance = ERRNO_AT - (CODE_AT + len(head) + 4)
    # mov [rax], ebx; or eax, -1; pop rbx; ret
    return head + struct.pack("<i", distance) + b"\x89\x18\x83\xc8\xff\x5b\xc3"


def _names_on_aarch64(text: bytes) -> tuple[bytes, bytes]:
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


def _setpgid_on_aarch64() -> bytes:
    begin = (
        0xD2801348,  # mov x8, #154
        0xD4000001,  # svc #0
        0x3100341F,  # cmn w0, #EACCES
        0x54000060,  # b.eq to the success
        0x7100001F,  # cmp w0, #0
        0x5400006B,  # b.lt past the success
        0x52800000,  # mov w0, #0
        0xD65F03C0,  # ret
        0xA9BF7BF3,  # stp x19, x30, [sp, #-16]!
        0x4B0003F3,  # neg w19, w0
    )
    page = (ERRNO_AT >> 12) - ((CODE_AT + 4 * len(begin)) >> 12)
    rest = (
        0x90000009 | (page & 3) << 29 | (page >> 2) << 5,  # adrp x9, its page
        0xF9400129 | (ERRNO_AT & 0xFFF) // 8 << 10,  # ldr x9, [x9, #address of __errno_location]
        0xD63F0120,  # blr x9
        0xB9000013,  # str w19, [x0]
        0x12800000,  # mov w0, #-1
        0xA8C17BF3,  # ldp x19, x30, [sp], #16
        0xD65F03C0,  # ret
    )
    return _words((*begin, *rest))


def _adr_x2(distance: int) -> int:
    """Return the instruction that puts the address `distance` bytes on into x2."""
    return 0x10000002 | (distance & 3) << 29 | (distance >> 2) << 5


def _words(instructions: tuple[int, ...]) -> bytes:
    return struct.pack(f"<{len(instructions)}I", *instructions)
