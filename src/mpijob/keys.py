"""Draws ssh keys: of a job, as the adapter of the port `Keys`, and of the openmpi package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from mpijob.core.config import KeyType
from mpijob.core.job import Key
from mpijob.core.plan import SecretContent


class DrawnKeys:
    """Keys from the machine's own randomness."""

    async def draw(
        self, content: SecretContent, key_type: KeyType, job: Key
    ) -> Mapping[str, bytes]:
        """Return a Secret's data: a key pair, and for hosts the `known_hosts` line beside it."""
        private, public = _pair(key_type)
        match content:
            case SecretContent.USER_KEYS:
                return {"ssh-privatekey": private, "ssh-publickey": public + b"\n"}
            case SecretContent.HOST_KEYS:
                return {
                    "ssh_host_key": private,
                    "ssh_host_key.pub": public + b"\n",
                    "known_hosts": b"*." + _domain(job) + b" " + public + b"\n",
                }


def openssh_secret(key_type: KeyType = KeyType.ED25519) -> Mapping[str, bytes]:
    """Return the data of a Secret with a new key pair, as the openmpi package's hosts look for it.

    The names are those that its documents give to the files of `ssh-keygen`, whatever kind the
    keys are of; who has the private half may come in.
    """
    private, public = _pair(key_type)
    line = public + b"\n"
    return {"id_rsa": private, "id_rsa.pub": line, "authorized_keys": line}


def _pair(key_type: KeyType) -> tuple[bytes, bytes]:
    """Return a private key as OpenSSH's PEM, and its public half as one line without an end."""
    # Imported here, since the library takes longer to load than everything else that a job needs.
    from cryptography.hazmat.primitives.asymmetric.ec import (
        SECP256R1,
        EllipticCurvePrivateKey,
        generate_private_key,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key: Ed25519PrivateKey | EllipticCurvePrivateKey
    match key_type:
        case KeyType.ED25519:
            key = Ed25519PrivateKey.generate()
        case KeyType.ECDSA_P256:
            key = generate_private_key(SECP256R1())
        case _:
            assert_never(key_type)
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    )


def _domain(job: Key) -> bytes:
    """Return the domain of the job's hosts."""
    return f"{job.name}.{job.namespace}.svc".encode()
