"""TLS on loopback: who is trusted, by which name, what is shown, and what is renewed."""

import asyncio
import ssl

import pytest
import yaml
from aiohttp import web

from harness.authority import Authority
from mpijob.kube.client import Client
from mpijob.kube.config import connection, in_cluster
from mpijob.ports import Unreachable


def serving(authority, *hosts):
    """TLS as a server has it, with a certificate of that authority; clients may show theirs."""
    pair = authority.issue("server", hosts=hosts)
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    made.load_cert_chain(pair.certificate, pair.key)
    made.verify_mode = ssl.CERT_OPTIONAL
    return made


async def who(request):
    """Answer with the name in the certificate that the client has shown."""
    shown = request.transport.get_extra_info("peercert") or {}
    names = [value for part in shown.get("subject", ()) for _, value in part]
    return web.json_response({"names": names})


def served(tls, scene):
    """Play `scene(port)` while a server with that TLS is there."""

    async def whole():
        app = web.Application()
        app.router.add_get("/{tail:.*}", who)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        try:
            async with asyncio.timeout(20):
                return await scene(site._server.sockets[0].getsockname()[1])
        finally:
            await runner.cleanup()

    return asyncio.run(whole())


def kubeconfig(folder, port, user=None, **cluster):
    whole = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}", **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    (folder / "config").write_text(yaml.safe_dump(whole))
    return str(folder / "config")


def asked(folder, *, user=None, **cluster):
    """A scene that asks once, with a kubeconfig that says this of the cluster."""

    async def scene(port):
        async with Client(connection(kubeconfig(folder, port, user, **cluster))) as client:
            return await client.request("GET", "/")

    return scene


def test_a_server_of_the_authority_is_trusted(tmp_path, authority):
    scene = asked(tmp_path, **{"certificate-authority": str(authority.certificate)})
    assert served(serving(authority, "127.0.0.1"), scene) == b'{"names": []}'


def test_a_server_of_another_authority_is_not(tmp_path, authority):
    other = Authority(tmp_path / "other")
    scene = asked(tmp_path, **{"certificate-authority": str(other.certificate)})
    with pytest.raises(Unreachable, match="certificate verify failed"):
        served(serving(authority, "127.0.0.1"), scene)


def test_a_server_is_not_trusted_where_no_authority_is_named(tmp_path, authority):
    with pytest.raises(Unreachable, match="certificate verify failed"):
        served(serving(authority, "127.0.0.1"), asked(tmp_path))


def test_an_address_that_is_given_is_verified_as_well(tmp_path, authority):
    async def scene(port):
        place = connection(str(tmp_path / "none"), server=f"https://127.0.0.1:{port}")
        async with Client(place) as client:
            return await client.request("GET", "/")

    with pytest.raises(Unreachable, match="certificate verify failed"):
        served(serving(authority, "127.0.0.1"), scene)


def test_the_name_in_the_certificate_may_be_told(tmp_path, authority):
    named = {"certificate-authority": str(authority.certificate), "tls-server-name": "inside"}
    assert served(serving(authority, "inside"), asked(tmp_path, **named))


def test_another_name_than_that_in_the_certificate_is_refused(tmp_path, authority):
    named = {"certificate-authority": str(authority.certificate)}
    with pytest.raises(Unreachable, match="certificate verify failed"):
        served(serving(authority, "inside"), asked(tmp_path, **named))


def test_a_client_certificate_is_shown(tmp_path, authority):
    pair = authority.issue("somebody")
    user = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
    named = {"certificate-authority": str(authority.certificate)}
    scene = asked(tmp_path, user=user, **named)
    assert served(serving(authority, "127.0.0.1"), scene) == b'{"names": ["somebody"]}'


def test_a_client_certificate_that_a_plugin_gives_is_shown(tmp_path, authority):
    pair = authority.issue("plugged")
    program = tmp_path / "plugin"
    program.write_text(
        "#!/bin/sh\nexec python3 - <<'END'\n"
        "import json\n"
        f"given = {{'clientCertificateData': open('{pair.certificate}').read(),\n"
        f"         'clientKeyData': open('{pair.key}').read()}}\n"
        "print(json.dumps({'kind': 'ExecCredential', 'status': given}))\nEND\n"
    )
    program.chmod(0o755)
    named = {"certificate-authority": str(authority.certificate)}
    scene = asked(tmp_path, user={"exec": {"command": str(program)}}, **named)
    assert served(serving(authority, "127.0.0.1"), scene) == b'{"names": ["plugged"]}'


def test_the_authority_of_a_pod_is_read_anew_when_it_has_turned(tmp_path, authority):
    old = Authority(tmp_path / "old")
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("t")
    (account / "ca.crt").write_bytes(old.certificate.read_bytes())

    async def scene(port):
        there = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
        async with Client(in_cluster(there, account)) as client:
            (account / "ca.crt").write_bytes(authority.certificate.read_bytes())
            with pytest.raises(Unreachable, match="certificate verify failed"):
                await client.request("GET", "/")
            return await client.request("GET", "/")

    assert served(serving(authority, "127.0.0.1"), scene) == b'{"names": []}'
