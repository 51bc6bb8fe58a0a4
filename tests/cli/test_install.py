"""`mpijob install` and `mpijob uninstall`, as far as they ask no cluster."""

import json

import pytest
import yaml

from mpijob.cli import exits
from mpijob.generate.operator import installation
from mpijob.generate.settings import Installation


def test_it_prints_what_it_would_apply_and_asks_nobody(mpijob, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    answer = mpijob("install", "-o", "yaml")
    assert list(yaml.load_all(answer.out, yaml.CSafeLoader)) == list(installation(Installation()))


def test_options_reach_the_objects(mpijob):
    words = ("--namespace", "lab", "--watch-namespace", "team", "--replicas", "1")
    answer = mpijob("install", *words, "--no-network-policy", "-o", "json")
    chosen = Installation("lab", "team", replicas=1, network_policies=False)
    assert json.loads(answer.out)["items"] == list(installation(chosen))


def test_names_alone(mpijob):
    assert "deployment.apps/mpijob-operator" in mpijob("install", "-o", "name").out.splitlines()


WRONG = {
    "a version that nobody understands": ("--serve", "v3"),
    "no operator at all": ("--replicas", "0"),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_a_wrong_option_is_refused(mpijob, words):
    assert mpijob("install", *words).code == exits.INVALID


@pytest.mark.parametrize("name", ["install", "uninstall"])
def test_without_a_kubeconfig_it_says_what_it_looked_for(mpijob, name):
    answer = mpijob(name, "--kubeconfig", "/nowhere/config")
    assert (answer.code, "/nowhere/config is not there" in answer.err) == (exits.FAILED, True)
