"""The keys of a job's ssh are what ssh itself can read."""

import asyncio

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)

from mpijob.core.config import KeyType
from mpijob.core.job import Key
from mpijob.core.plan import SecretContent
from mpijob.keys import DrawnKeys, openssh_secret

PI = Key("default", "pi")


def drawn(content, key_type=KeyType.ED25519):
    return asyncio.run(DrawnKeys().draw(content, key_type, PI))


@pytest.mark.parametrize("key_type", KeyType)
def test_the_halves_of_a_users_key_belong_together(key_type):
    data = drawn(SecretContent.USER_KEYS, key_type)
    private = load_ssh_private_key(data["ssh-privatekey"], None)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    assert data["ssh-publickey"] == public + b"\n"


def test_a_users_key_has_mpi_operators_two_entries():
    assert set(drawn(SecretContent.USER_KEYS)) == {"ssh-privatekey", "ssh-publickey"}


def test_known_hosts_names_the_jobs_hosts_and_their_key():
    data = drawn(SecretContent.HOST_KEYS)
    public = data["ssh_host_key.pub"].decode()
    assert data["known_hosts"].decode() == f"*.pi.default.svc {public}"


def test_no_two_jobs_get_the_same_key():
    assert drawn(SecretContent.USER_KEYS) != drawn(SecretContent.USER_KEYS)


@pytest.mark.parametrize("key_type", KeyType)
def test_whoever_has_the_private_half_of_a_secret_may_come_in(key_type):
    data = openssh_secret(key_type)
    private = load_ssh_private_key(data["id_rsa"], None)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n"
    assert (data["id_rsa.pub"], data["authorized_keys"]) == (public, public)
