"""Credentials: read, drawn, kept as long as they hold, and never shown."""

import asyncio
import json
import os

import pytest

from mpijob.kube import credentials as module
from mpijob.kube.credentials import Basic, CredentialsError, ExecPlugin, Token, TokenFile


def headers(credentials, times=1):
    async def whole():
        return [await credentials.headers() for _ in range(times)][-1]

    return asyncio.run(whole())


def plugin(folder, answer, *, code=0, **changes):
    """A plugin that says `answer`, and adds a line to `calls` each time."""
    program = folder / "plugin"
    program.write_text(
        f'#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >> {folder}/calls\n'
        f"cat <<'END'\n{answer}\nEND\nexit {code}\n"
    )
    os.chmod(program, 0o755)
    settings = {"api_version": "client.authentication.k8s.io/v1", "environment": {}, **changes}
    return ExecPlugin(argv=(str(program),), **settings)


def credential(**status):
    return json.dumps({"kind": "ExecCredential", "status": status})


def test_a_plugins_token_is_used(tmp_path):
    made = plugin(tmp_path, credential(token="drawn"))
    assert headers(made) == {"Authorization": "Bearer drawn"}


def test_a_plugin_is_run_once_while_its_token_holds(tmp_path):
    made = plugin(tmp_path, credential(token="t", expirationTimestamp="2999-01-01T00:00:00Z"))
    headers(made, times=3)
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


def test_a_plugin_is_run_again_when_its_token_is_used_up(tmp_path):
    made = plugin(tmp_path, credential(token="t", expirationTimestamp="2001-01-01T00:00:00Z"))
    headers(made, times=3)
    assert len((tmp_path / "calls").read_text().splitlines()) == 3


def test_a_plugin_is_told_the_version_and_the_cluster(tmp_path):
    made = plugin(tmp_path, credential(token="t"), cluster={"server": "https://x"})
    headers(made)
    told = json.loads((tmp_path / "calls").read_text())
    assert (told["apiVersion"], told["spec"]["cluster"]) == (
        "client.authentication.k8s.io/v1",
        {"server": "https://x"},
    )


FAILURES = {
    "no credential": ("nonsense", 0, "gave no ExecCredential"),
    "no token": (credential(), 0, "gave neither a token nor"),
    "a failure": ("", 3, "exit code 3"),
    "no time": (credential(token="t", expirationTimestamp="soon"), 0, "is no time"),
}


@pytest.mark.parametrize(("answer", "code", "want"), FAILURES.values(), ids=FAILURES)
def test_a_plugin_that_fails_is_named(tmp_path, answer, code, want):
    with pytest.raises(CredentialsError, match=want):
        headers(plugin(tmp_path, answer, code=code))


def test_a_plugin_that_is_not_installed_gives_its_hint(tmp_path):
    made = ExecPlugin((str(tmp_path / "none"),), "v1", {}, hint="Install the cloud's tool.")
    with pytest.raises(CredentialsError, match="Install the cloud's tool"):
        headers(made)


def test_a_token_file_is_read_anew_when_its_token_was_not_taken(tmp_path):
    file = tmp_path / "token"
    file.write_text("old\n")
    made = TokenFile(file)
    first = headers(made)
    file.write_text("new\n")
    made.forget(first)
    assert (first, headers(made)) == (
        {"Authorization": "Bearer old"},
        {"Authorization": "Bearer new"},
    )


def test_credentials_that_were_drawn_anew_meanwhile_are_kept(tmp_path):
    """Many requests are refused for one old token; the first of them has it drawn anew."""
    made = plugin(tmp_path, credential(token="new", expirationTimestamp="2999-01-01T00:00:00Z"))
    headers(made)
    made.forget({"Authorization": "Bearer old"})
    headers(made)
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


def test_a_plugins_client_certificate_is_shown(tmp_path):
    shown = []
    answer = credential(clientCertificateData="certificate", clientKeyData="key")
    sent = headers(plugin(tmp_path, answer, show=lambda *pair: shown.append(pair)))
    assert (sent, shown) == ({}, [(b"certificate", b"key")])


def test_a_plugin_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PLUGIN_S", 0.5)
    program = tmp_path / "hangs"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    program.chmod(0o755)
    with pytest.raises(CredentialsError, match="gave nothing within"):
        headers(ExecPlugin((str(program),), "v1", {}))
    assert not (tmp_path / "pid").exists() or not _is_there((tmp_path / "pid").read_text().strip())


def _is_there(pid):
    return os.path.exists(f"/proc/{pid}")


def test_a_missing_token_file_is_told(tmp_path):
    with pytest.raises(CredentialsError, match="no token"):
        headers(TokenFile(tmp_path / "none"))


def test_basic_credentials_are_spelled_as_http_has_them():
    assert headers(Basic("user", "pass")) == {"Authorization": "Basic dXNlcjpwYXNz"}


def test_a_secret_does_not_show():
    assert "secret" not in repr(Token("secret")) + repr(Basic("u", "secret"))
