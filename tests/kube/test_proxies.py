"""Proxies of the environment, read as Go's clients read them."""

import pytest

from mpijob.kube.proxies import proxy

NO_PROXY = "example.com,.below.org,10.0.0.0/8,192.168.7.7,busy.net:8443,[2001:db8::1]:6443"
ENVIRONMENT = {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": NO_PROXY}
THROUGH = "http://p:3128"
CASES = {
    "somebody else": ("https://k8s.net", THROUGH),
    "a name that is exempt": ("https://example.com:6443", None),
    "a name below it": ("https://k8s.example.com", None),
    "a name that merely ends so": ("https://anexample.com", THROUGH),
    "a name below one with a dot before it": ("https://k8s.below.org", None),
    "that name itself": ("https://below.org", THROUGH),
    "an address in a range": ("https://10.96.0.1:443", None),
    "an address outside of it": ("https://11.0.0.1", THROUGH),
    "an address": ("https://192.168.7.7", None),
    "a name with its port": ("https://busy.net:8443", None),
    "a name with another port": ("https://busy.net", THROUGH),
    "an address of six with its port": ("https://[2001:db8::1]:6443", None),
    "this machine": ("https://127.0.0.1:6443", None),
    "this machine by name": ("https://localhost:6443", None),
    "plain http, for which none is named": ("http://k8s.net", None),
}


@pytest.mark.parametrize(("server", "want"), CASES.values(), ids=CASES)
def test_who_is_reached_through_a_proxy(server, want):
    assert proxy(server, ENVIRONMENT) == want


def test_a_star_exempts_all():
    assert proxy("https://k8s.net", {**ENVIRONMENT, "NO_PROXY": "a.b, *"}) is None


def test_lower_case_counts_and_http_is_understood():
    assert proxy("https://k8s.net", {"https_proxy": "p:3128"}) == THROUGH


def test_without_variables_there_is_none():
    assert proxy("https://k8s.net", {}) is None
