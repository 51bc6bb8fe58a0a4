"""Libraries made without a compiler: what programs see with them, and that nothing else changes."""

import os
import struct
import subprocess
import sys

import pytest

from mpijob.local.preloads import hostname_library, openmpi_library, write

NAMES = """
import ctypes, os, socket
short = ctypes.create_string_buffer(b"x" * 8, 8)
ctypes.CDLL(None).gethostname(short, 4)
print(socket.gethostname(), os.uname().nodename, os.uname().sysname, short.raw.decode())
"""
GROUPS = """
import os, subprocess
def tried(process):
    try:
        os.setpgid(process, process)
    except OSError as refused:
        return refused.strerror.replace(" ", "-")
    return "done"
with subprocess.Popen(["sh", "-c", "echo; read x"], stdin=-1, stdout=-1) as child:
    child.stdout.readline()
    print(tried(child.pid), tried(1), tried(0), os.getpgrp() == os.getpid())
    child.stdin.close()
"""


@pytest.fixture
def said(tmp_path):
    """Return what a program prints with a library, and its complaints."""

    def run(library, program):
        path = str(tmp_path / "library.so")
        if not write(path, library):
            pytest.skip(f"there is no such library for {os.uname().machine}")
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"LD_PRELOAD": path, "PATH": os.defpath},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split(), done.stderr

    return run


def test_programs_see_the_name_and_the_rest_of_the_machine(said):
    library = hostname_library("pi-worker-0", os.uname().machine)
    assert said(library, NAMES) == (["pi-worker-0", "pi-worker-0", "Linux", "pi-wxxxx"], "")


def test_the_longest_name_fits(said):
    library = hostname_library("a" * 64, os.uname().machine)
    assert said(library, NAMES)[0][:2] == ["a" * 64, "a" * 64]


def test_a_child_that_is_a_program_already_is_no_error_but_others_are(said):
    library = openmpi_library(os.uname().machine)
    assert said(library, GROUPS) == (["done", "No-such-process", "done", "True"], "")


MACHINES = {"x86_64": 62, "aarch64": 183}


@pytest.mark.parametrize(("machine", "number"), MACHINES.items(), ids=MACHINES)
def test_a_library_is_made_for(machine, number):
    content = hostname_library("w-0", machine)
    kind, made_for = struct.unpack_from("<HH", content, 16)
    assert (content[:4], kind, made_for, b"w-0\0" in content) == (b"\x7fELF", 3, number, True)


# This very code was run by an emulator of 64-bit ARM, where it did what the tests above ask.
CODES = {
    "the host name": (hostname_library("w-0", "aarch64"), [
        "10000362", "d2800083", "eb03003f", "9a833023", "b40000a3", "38401444", "38001404",
        "d1000463", "17fffffc", "52800000", "d65f03c0", "aa0003e9", "d2801408", "d4000001",
        "35000160", "91010520", "10000162", "d2800083", "b40000a3", "38401444", "38001404",
        "d1000463", "17fffffc", "52800000", "d65f03c0", "12800000", "d65f03c0",
    ]),
    "the groups": (openmpi_library("aarch64"), [
        "d2801348", "d4000001", "3100341f", "54000060", "7100001f", "5400006b", "52800000",
        "d65f03c0", "a9bf7bf3", "4b0003f3", "90000089", "f9444129", "d63f0120", "b9000013",
        "12800000", "a8c17bf3", "d65f03c0",
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("content", "want"), CODES.values(), ids=CODES)
def test_the_code_for_arm_is_what_was_tried(content, want):
    words = struct.unpack_from(f"<{len(want)}I", content, 0x400)
    assert [f"{word:08x}" for word in words] == want


def test_no_library_is_made_for_a_processor_that_is_not_known():
    assert (hostname_library("w-0", "s390x"), openmpi_library("s390x")) == (b"", b"")
