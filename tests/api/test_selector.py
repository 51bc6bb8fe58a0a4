"""Label selectors."""

import pytest

from mpijob.api.selector import Selector, parsed

LABELS = {"app": "pi", "tier": "test", "owner": ""}

MET = {
    "nothing is asked": "",
    "equal": "app=pi",
    "equal, spelled twice": "app==pi",
    "an empty value": "owner=",
    "another value": "app!=tau",
    "a key that is not there has another value": "colour!=red",
    "one of a set": "app in (pi, tau)",
    "none of a set": "app notin (tau)",
    "none of a set, for want of the key": "colour notin (red)",
    "a key": "owner",
    "no such key": "!colour",
    "all of several": "app=pi,tier in (test,live),!colour",
}


@pytest.mark.parametrize("text", MET.values(), ids=MET)
def test_labels_meet(text):
    assert parsed(text).matches(LABELS)


UNMET = {
    "another value": "app=tau",
    "the value": "app!=pi",
    "none of the set": "app in (tau)",
    "one of the set": "app notin (pi,tau)",
    "no such key": "colour",
    "the key": "!owner",
    "one of several": "app=pi,tier=live",
}


@pytest.mark.parametrize("text", UNMET.values(), ids=UNMET)
def test_labels_do_not_meet(text):
    assert not parsed(text).matches(LABELS)


WRONG = {
    "two signs": "a=b=c",
    "no key": "=b",
    "an empty part": "a,,b",
    "an open set": "a in (b",
    "a set of nothing in particular": "a in b",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_is_no_selector_is_told(text):
    with pytest.raises(ValueError, match="is no requirement for labels"):
        parsed(text)


def test_an_empty_selector_selects_all():
    assert Selector().matches({})
