"""The library that gives a process another host name than its machine's."""

import os
import struct
import subprocess
import sys

import pytest

from mpijob.local.hostname_library import library, write

PROGRAM = """
import ctypes, os, socket
short = ctypes.create_string_buffer(b"x" * 8, 8)
ctypes.CDLL(None).gethostname(short, 4)
print(socket.gethostname(), os.uname().nodename, os.uname().sysname, short.raw.decode())
"""


@pytest.fixture
def said(tmp_path):
    """Return what a program sees with the library of a name."""

    def run(name):
        path = str(tmp_path / "name.so")
        if not write(path, name):
            pytest.skip(f"there is no such library for {os.uname().machine}")
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"LD_PRELOAD": path},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split(), done.stderr

    return run


def test_programs_see_the_name_and_the_rest_of_the_machine(said):
    assert said("pi-worker-0") == (["pi-worker-0", "pi-worker-0", "Linux", "pi-wxxxx"], "")


def test_the_longest_name_fits(said):
    assert said("a" * 64)[0][:2] == ["a" * 64, "a" * 64]


MACHINES = {"x86_64": 62, "aarch64": 183}


@pytest.mark.parametrize(("machine", "number"), MACHINES.items(), ids=MACHINES)
def test_a_library_is_made_for(machine, number):
    content = library("w-0", machine)
    kind, made_for = struct.unpack_from("<HH", content, 16)
    assert (content[:4], kind, made_for, b"w-0\0" in content) == (b"\x7fELF", 3, number, True)


# As `objdump` reads them; run by an emulator of 64-bit ARM, the library said its name.
def test_the_code_for_arm_is_what_was_tried_on_it():
    content = library("w-0", "aarch64")
    words = [f"{word:08x}" for word in struct.unpack_from("<27I", content, 0x400)]
    assert words == [
        "10000362", "d2800083", "eb03003f", "9a833023", "b40000a3", "38401444", "38001404",
        "d1000463", "17fffffc", "52800000", "d65f03c0", "aa0003e9", "d2801408", "d4000001",
        "35000160", "91010520", "10000162", "d2800083", "b40000a3", "38401444", "38001404",
        "d1000463", "17fffffc", "52800000", "d65f03c0", "12800000", "d65f03c0",
    ]  # fmt: skip


def test_no_library_is_made_for_a_processor_that_is_not_known():
    assert library("w-0", "s390x") == b""
