"""`mpijob prototype`."""

import pytest

from mpijob.cli import exits
from mpijob.generate.prototype import described
from mpijob.generate.prototypes import PROTOTYPES


def test_all_prototypes_are_listed(mpijob):
    names = [line.split()[0] for line in mpijob("prototype", "list").out.splitlines()]
    assert names == ["NAME", *(one.name for one in PROTOTYPES)]


def test_a_search_lists_those_that_have_it_in_their_names(mpijob):
    lines = mpijob("prototype", "search", "mpi-job").out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [
        "io.ksonnet.pkg.mpi-job-simple",
        "io.ksonnet.pkg.mpi-job-custom",
    ]


def test_a_search_without_a_result_says_which_there_are(mpijob):
    answer = mpijob("prototype", "search", "cake")
    assert (answer.code, "io.ksonnet.pkg.mpi-job-simple" in answer.err) == (exits.INVALID, True)


@pytest.mark.parametrize("prototype", PROTOTYPES, ids=[one.short_name for one in PROTOTYPES])
def test_a_prototype_is_described_by_the_end_of_its_name(mpijob, prototype):
    assert mpijob("prototype", "describe", prototype.short_name).out == described(prototype)


def test_a_name_that_is_in_the_middle_of_others_lists_them(mpijob):
    answer = mpijob("prototype", "describe", "mpi-job")
    assert (
        answer.code,
        "these have it elsewhere: io.ksonnet.pkg.mpi-job-simple" in answer.err,
    ) == (
        exits.INVALID,
        True,
    )
