"""Kubeconfigs, as users have them."""

import base64

import pytest
import yaml

from mpijob.kube.config import connection, in_cluster
from mpijob.kube.credentials import Anonymous, Basic, ExecPlugin, Token, TokenFile
from mpijob.kube.entries import ConfigError


def kubeconfig(folder, name="config", **changes):
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1/"}}],
        "users": [{"name": "u", "user": {}}],
        **changes,
    }
    file = folder / name
    file.write_text(yaml.safe_dump(whole))
    return str(file)


def user(**said):
    return [{"name": "u", "user": said}]


CREDENTIALS = {
    "nothing, or a client certificate": ({}, Anonymous),
    "a token": ({"token": "t"}, Token),
    "a token file": ({"tokenFile": "token"}, TokenFile),
    "a name and a password": ({"username": "a", "password": "b"}, Basic),
    "a plugin": ({"exec": {"command": "aws", "args": ["eks", "get-token"]}}, ExecPlugin),
}


@pytest.mark.parametrize(("said", "want"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_credentials(tmp_path, said, want):
    found = connection(kubeconfig(tmp_path, users=user(**said)))
    assert isinstance(found.credentials, want)


def test_the_server_and_the_namespace_come_from_the_context(tmp_path):
    context = {"cluster": "c", "user": "u", "namespace": "team"}
    found = connection(kubeconfig(tmp_path, contexts=[{"name": "here", "context": context}]))
    assert (found.server, found.namespace, found.ssl) == ("http://127.0.0.1:1", "team", None)


def test_another_context_can_be_chosen(tmp_path):
    contexts = [
        {"name": "here", "context": {"cluster": "none", "user": "u"}},
        {"name": "there", "context": {"cluster": "c", "user": "u"}},
    ]
    found = connection(kubeconfig(tmp_path, contexts=contexts), context="there")
    assert found.server == "http://127.0.0.1:1"


def test_of_several_files_the_first_to_name_an_entry_wins(tmp_path, monkeypatch):
    first = kubeconfig(tmp_path, "first", clusters=[])
    clusters = [{"name": "c", "cluster": {"server": "http://127.0.0.1:2"}}]
    second = kubeconfig(tmp_path, "second", clusters=clusters, users=user(token="t"))
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}")
    found = connection()
    assert (found.server, type(found.credentials)) == ("http://127.0.0.1:2", Anonymous)


PROBLEMS = {
    "no such context": ({"current-context": "gone"}, "no context 'gone'; there are: here"),
    "no context at all": ({"current-context": ""}, "no current-context"),
    "a cluster that nobody wrote down": ({"clusters": []}, "no cluster 'c'; there are: none"),
    "a cluster without a server": ({"clusters": [{"name": "c", "cluster": {}}]}, "no server"),
    "a plugin without a command": ({"users": user(exec={"args": []})}, "names no command"),
    "a way in that is gone": (
        {"users": user(**{"auth-provider": {"name": "gcp"}})},
        "'gcp' is gone from Kubernetes",
    ),
    "a plugin that wants a terminal": (
        {"users": user(exec={"command": "login", "interactiveMode": "Always"})},
        "login wants a terminal",
    ),
    "to act as somebody else": ({"users": user(**{"as": "root"})}, "as somebody else"),
    "a proxy of a kind that we cannot use": (
        {
            "clusters": [
                {"name": "c", "cluster": {"server": "http://x", "proxy-url": "socks5://y:1"}}
            ]
        },
        "only http and https proxies",
    ),
    "data that is no base64": (
        {
            "clusters": [
                {
                    "name": "c",
                    "cluster": {"server": "https://x", "certificate-authority-data": "%"},
                }
            ]
        },
        "certificate-authority",
    ),
}


@pytest.mark.parametrize(("said", "want"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_is_wrong_is_said_with_file_and_entry(tmp_path, said, want):
    with pytest.raises(ConfigError, match="config") as told:
        connection(kubeconfig(tmp_path, **said))
    assert want in str(told.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere is not there"):
        connection(str(tmp_path / "nowhere"))


def test_a_file_that_is_no_yaml_is_named(tmp_path):
    (tmp_path / "config").write_text("a: [")
    with pytest.raises(ConfigError, match="config"):
        connection(str(tmp_path / "config"))


def test_a_certificate_that_is_none_is_told(tmp_path):
    junk = base64.b64encode(b"junk").decode()
    clusters = [
        {"name": "c", "cluster": {"server": "https://x", "certificate-authority-data": junk}}
    ]
    with pytest.raises(ConfigError, match="cannot be used"):
        connection(kubeconfig(tmp_path, clusters=clusters))


def clusters(**said):
    return [{"name": "c", "cluster": {"server": "https://x", **said}}]


def test_a_server_that_is_not_verified_is_warned_of(tmp_path, caplog):
    file = kubeconfig(tmp_path, clusters=clusters(**{"insecure-skip-tls-verify": True}))
    connection(file)
    assert "insecure-skip-tls-verify: whoever answers at https://x" in caplog.text


def test_the_proxy_of_the_kubeconfig_goes_before_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://environment:1")
    found = connection(kubeconfig(tmp_path, clusters=clusters(**{"proxy-url": "http://own:2"})))
    assert found.proxy == "http://own:2"


def test_the_proxy_of_the_environment_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://environment:1")
    found = connection(kubeconfig(tmp_path, clusters=clusters()))
    assert found.proxy == "http://environment:1"


def test_a_given_address_takes_the_place_of_the_kubeconfigs(tmp_path):
    assert connection(kubeconfig(tmp_path), server="https://y:6443/").server == "https://y:6443"


def test_a_given_address_needs_no_kubeconfig(tmp_path):
    found = connection(str(tmp_path / "none"), server="http://127.0.0.1:8001")
    assert (found.server, type(found.credentials)) == ("http://127.0.0.1:8001", Anonymous)


def test_a_plugin_that_asks_is_told_of_the_whole_cluster(tmp_path):
    (tmp_path / "ca.pem").write_bytes(b"an authority")
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    entry = {
        "server": "http://x",
        "certificate-authority": "ca.pem",
        "tls-server-name": "y",
        "extensions": [extension],
    }
    told = {"command": "login", "provideClusterInfo": True}
    changes = {"clusters": [{"name": "c", "cluster": entry}], "users": user(exec=told)}
    assert connection(kubeconfig(tmp_path, **changes)).credentials.cluster == {
        "server": "http://x",
        "tls-server-name": "y",
        "certificate-authority-data": base64.b64encode(b"an authority").decode(),
        "config": {"audience": "a"},
    }


def test_a_pod_whose_service_account_is_not_whole_is_told_so(tmp_path):
    with pytest.raises(ConfigError, match=r"ca\.crt"):
        in_cluster({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, tmp_path)


def test_a_place_that_is_no_pod_is_no_cluster(tmp_path):
    with pytest.raises(ConfigError, match="KUBERNETES_SERVICE_HOST"):
        in_cluster({}, tmp_path)
