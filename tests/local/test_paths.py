"""Which paths of a text are moved into a pod's folder, and which only look like it."""

import pytest

from mpijob.local.paths import rewrite

PLACES = {"/data": "/job/data", "/etc/mpi": "/job/config/", "/data/shared": "/srv/shared", "/": "/"}

TEXTS = {
    "the path itself": ("/data", "/job/data"),
    "a path below it": ("/data/in/x.npy", "/job/data/in/x.npy"),
    "the longest that fits": ("/data/shared/x /data/share", "/srv/shared/x /job/data/share"),
    "an option's value": ("--in=/data --out=/data/x", "--in=/job/data --out=/job/data/x"),
    "a search path": ("PATH=/data/bin:/usr/bin:/data", "PATH=/job/data/bin:/usr/bin:/job/data"),
    "in quotes": ("cat '/data/x' \"/data\"", "cat '/job/data/x' \"/job/data\""),
    "in a shell's list": ("cd /data;(ls /etc/mpi)", "cd /job/data;(ls /job/config)"),
    "a URL of a file": ("file:/data/x", "file:/job/data/x"),
    "a name that begins alike": ("/data2 /data.txt /data-x", "/data2 /data.txt /data-x"),
    "a path that ends alike": (
        "/mnt/data ./data ~/data ../data",
        "/mnt/data ./data ~/data ../data",
    ),
    "a path with a variable before it": ("$HOME/data", "$HOME/data"),
    "nothing of it": ("python train.py", "python train.py"),
    "no text": ("", ""),
}


@pytest.mark.parametrize(("text", "want"), TEXTS.values(), ids=TEXTS)
def test_rewriting(text, want):
    assert rewrite(text, PLACES) == want


def test_without_places_a_text_stays_as_it_is():
    assert rewrite("/data", {}) == "/data"


def test_what_was_put_in_is_not_looked_at_again():
    assert rewrite("/a /b", {"/a": "/b", "/b": "/c"}) == "/b /c"
