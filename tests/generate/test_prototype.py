"""How a prototype is found, described, and made objects of."""

import pytest
from msgspec.structs import replace

from mpijob.generate.parameters import Parameter, Type, WrongParameters
from mpijob.generate.prototype import (
    NotFound,
    Prototype,
    Setting,
    called,
    described,
    parameter_lines,
    search,
)

NAME = Parameter("name", Type.STRING, "What it is called.")
SOUP = Prototype(
    name="org.example.tomato-soup",
    package="kitchen",
    description="A soup.",
    parameters=(NAME, Parameter("plates", Type.NUMBER, "How many.", "4")),
    objects=lambda values, setting: [{"kind": "Soup", **values, "where": setting.namespace}],
)
STEW = replace(SOUP, name="org.example.tomato-stew", parameters=(NAME,))
THICK = replace(SOUP, name="org.example.thick-tomato-soup")
MENU = (SOUP, STEW)

FOUND = {
    "by its full name": ("org.example.tomato-soup", MENU, SOUP),
    "by its last part": ("tomato-soup", MENU, SOUP),
    "by its last letters": ("ew", MENU, STEW),
    "by its full name, which is another's ending": (
        "soup",
        (replace(SOUP, name="soup"), THICK),
        replace(SOUP, name="soup"),
    ),
}


@pytest.mark.parametrize(("name", "among", "found"), FOUND.values(), ids=FOUND)
def test_a_prototype_is_found(name, among, found):
    assert called(name, among) == found


MISSED = {
    "several end so": (
        "soup",
        (SOUP, THICK),
        "the prototype “soup” is ambiguous: org.example.tomato-soup, org.example.thick-tomato-soup",
    ),
    "some have it elsewhere": (
        "tomato",
        MENU,
        (
            "no prototype's name ends in “tomato”; say the end of a name, or all of it; "
            "these have it elsewhere: org.example.tomato-soup, org.example.tomato-stew"
        ),
    ),
    "none has it": (
        "cake",
        MENU,
        (
            "no prototype's name has “cake” in it; "
            "there are org.example.tomato-soup, org.example.tomato-stew"
        ),
    ),
    "nothing": (
        "",
        MENU,
        (
            "no prototype's name has “” in it; "
            "there are org.example.tomato-soup, org.example.tomato-stew"
        ),
    ),
}


@pytest.mark.parametrize(("name", "among", "said"), MISSED.values(), ids=MISSED)
def test_who_finds_no_prototype_is_told_which_there_are(name, among, said):
    with pytest.raises(NotFound) as missed:
        called(name, among)
    assert str(missed.value) == said


def test_a_search_finds_a_part_of_the_name_anywhere():
    assert search("tomato-s", (*MENU, THICK)) == [SOUP, STEW, THICK]


def test_the_description_of_a_prototype():
    assert described(SOUP) == (
        "PROTOTYPE NAME:\norg.example.tomato-soup\n\n"
        "DESCRIPTION:\nA soup.\n\n"
        "REQUIRED PARAMETERS:\n  --name=<name> What it is called. [type: string]\n\n"
        "OPTIONAL PARAMETERS:\n"
        "  --plates=<plates> How many. [default: 4, type: number]\n\n"
        "TEMPLATE TYPES AVAILABLE:\n  jsonnet\n"
    )


def test_descriptions_stand_in_one_column_behind_the_longest_flag():
    columns = {line.index("How") for line in parameter_lines(LONG_AND_SHORT).splitlines()}
    assert columns == {len("  --temperature=<temperature> ")}


LONG_AND_SHORT = (
    Parameter("temperature", Type.NUMBER, "How hot.", "90"),
    Parameter("salt", Type.NUMBER, "How much.", "1"),
)


def test_a_prototype_without_optional_parameters_says_so():
    assert "OPTIONAL PARAMETERS:\n  [none]\n" in described(STEW)


def test_objects_are_made_of_values_that_are_read_and_of_where_they_go():
    assert SOUP.manifests({"name": "a", "plates": "2"}, Setting("table")) == [
        {"kind": "Soup", "name": "a", "plates": 2, "where": "table"}
    ]


NO_NAMES = {
    "the documents' placeholder": ("YOUR_NAME_HERE", "“YOUR_NAME_HERE” is no name for an object"),
    "an underscore": ("my_soup", "“my_soup” is no name for an object"),
    "a digit first": ("1-soup", "“1-soup” is no name for an object"),
    "too long": ("a" * 64, "is no name for an object"),
}


@pytest.mark.parametrize(("name", "said"), NO_NAMES.values(), ids=NO_NAMES)
def test_a_name_that_no_object_can_have_is_refused(name, said):
    with pytest.raises(WrongParameters, match=said) as wrong:
        SOUP.manifests({"name": name}, Setting("table"))
    assert [fault.parameter for fault in wrong.value.faults] == ["name"]
