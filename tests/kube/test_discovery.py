"""Which versions of MPIJob a server serves."""

import pytest
from aiohttp import web

from mpijob.core.version import Version
from mpijob.kube.discovery import newest_served
from mpijob.ports import Unreachable


def having(*names):
    return web.json_response({"resources": [{"name": name} for name in names]})


def missing():
    return web.json_response({"message": "the server could not find it"}, status=404)


CASES = {
    "the newest is what is asked for first": ([having("mpijobs")], Version.V2BETA1),
    "a version that is not served is passed over": (
        [missing(), missing(), having("mpijobs", "mpijobs/status")],
        Version.V1ALPHA2,
    ),
    "a version of other kinds alone does not count": (
        [missing(), having("tfjobs"), missing(), having("mpijobs")],
        Version.V1ALPHA1,
    ),
    "a server without the definition": ([missing() for _ in Version], None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_newest_version_that_is_served_is_found(asked, case):
    answers, want = CASES[case]
    assert asked(newest_served, *answers)[0] is want


def test_what_is_no_answer_of_an_api_server_says_nothing(asked):
    with pytest.raises(Unreachable, match="no answer of an API server"):
        asked(newest_served, web.Response(text="<html>Please log in</html>"))
