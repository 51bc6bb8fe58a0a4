"""One rank's lines in what mpirun printed."""

import pytest

from mpijob.cli.render.ranks import LineCutter, lines_of, rank_of

TAGGED = {
    "Open MPI 4": (b"[1,3]<stdout>:hello\n", (3, b"hello\n")),
    "Open MPI 5": (b"[prterun-pi-launcher-2@1,0]<stderr>: hello\n", (0, b"hello\n")),
    "MPICH": (b"[12] hello\n", (12, b"hello\n")),
    "an empty line": (b"[1,3]<stdout>:\n", (3, b"\n")),
    "no tag": (b"hello [1]\n", None),
    "a list that is printed": (b"[1, 2, 3]\n", None),
    "a number that is printed": (b"[7]\n", None),
}


@pytest.mark.parametrize(("line", "want"), TAGGED.values(), ids=TAGGED)
def test_the_rank_of_a_line(line, want):
    assert rank_of(line) == want


def test_one_ranks_lines():
    assert list(lines_of(1, [b"[0] a\n", b"[1] b\n", b"c\n", b"[1] d\n"])) == [b"b\n", b"d\n"]


def test_lines_are_cut_wherever_pieces_end():
    cutter = LineCutter()
    cut = [line for piece in (b"on", b"e\ntw", b"o\n\nthr") for line in cutter.cut(piece)]
    assert (cut, cutter.rest()) == ([b"one\n", b"two\n", b"\n"], [b"thr"])
