"""What every prototype there is says of parameters that it cannot use."""

import pytest

from mpijob.generate.parameters import Type, WrongParameters
from mpijob.generate.prototype import Setting, called
from mpijob.generate.prototypes import PROTOTYPES

#: What is none of a type, as a person types it or as YAML makes it of a file.
WRONG = {
    Type.STRING: [["a", "list"], {"a": "mapping"}],
    Type.NUMBER: ["many", "1.5", "nan", "-1", "99999999999", ["4"], True],
    Type.ARRAY: ["{}", "{a: b}", "words", "[", 4],
    Type.OBJECT: ["[]", "words", "{", 4],
}
SMALLEST = {"name": "it", "image": "mine", "secret": "keys"}
EACH = {
    f"{prototype.short_name}-{parameter.name}": (prototype, parameter)
    for prototype in PROTOTYPES
    for parameter in prototype.parameters
}


def _given(prototype, **more):
    known = {parameter.name for parameter in prototype.parameters}
    return {name: value for name, value in SMALLEST.items() if name in known} | more


def _blamed(prototype, given):
    """Return the parameters that are said to be wrong."""
    with pytest.raises(WrongParameters) as wrong:
        prototype.manifests(given, Setting("team"))
    return [fault.parameter for fault in wrong.value.faults]


@pytest.mark.parametrize(("prototype", "parameter"), EACH.values(), ids=EACH)
def test_what_is_not_of_a_parameters_type_is_told_by_its_name(prototype, parameter):
    values = WRONG[parameter.type]
    blamed = [_blamed(prototype, _given(prototype, **{parameter.name: each})) for each in values]
    assert blamed == [[parameter.name]] * len(values)


REQUIRED = {name: each for name, each in EACH.items() if each[1].required}


@pytest.mark.parametrize("said", [None, "", "null"])
@pytest.mark.parametrize(("prototype", "parameter"), REQUIRED.values(), ids=REQUIRED)
def test_what_must_be_given_and_is_not_is_told_by_its_name(prototype, parameter, said):
    given = {name: each for name, each in _given(prototype).items() if name != parameter.name}
    if said is not None:
        given[parameter.name] = said
    assert _blamed(prototype, given) == [parameter.name]


@pytest.mark.parametrize("prototype", PROTOTYPES, ids=lambda each: each.short_name)
def test_what_there_is_not_is_told_by_its_name(prototype):
    assert _blamed(prototype, _given(prototype, envs="A=B")) == ["envs"]


@pytest.mark.parametrize("name", ["YOUR_NAME_HERE", "My-Job", "1st", "a.b", "-a", "a" * 64, "ä"])
@pytest.mark.parametrize("prototype", PROTOTYPES, ids=lambda each: each.short_name)
def test_a_name_that_no_object_can_have_is_told(prototype, name):
    assert _blamed(prototype, _given(prototype, name=name)) == ["name"]


@pytest.mark.parametrize("prototype", PROTOTYPES, ids=lambda each: each.short_name)
def test_the_smallest_that_can_be_given_makes_objects(prototype):
    assert prototype.manifests(_given(prototype), Setting("team")) != []


@pytest.mark.parametrize("prototype", PROTOTYPES, ids=lambda each: each.short_name)
def test_the_last_part_of_a_prototypes_name_means_it_and_no_other(prototype):
    assert called(prototype.short_name, PROTOTYPES) is prototype
