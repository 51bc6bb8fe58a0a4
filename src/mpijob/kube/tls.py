"""Whom we trust and what we show by TLS, from files that others may renew while we run."""

import logging
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Whose word is trusted, b"" for whom the machine trusts, and what we show (PEM)."""

    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)


def context(read: Callable[[], Certificates], *, is_verified: bool = True) -> ssl.SSLContext:
    """Return what TLS connections are made with.

    Raises:
        ssl.SSLError, ValueError: the certificates cannot be used.

    """
    told = read()
    made = ssl.create_default_context(cadata=told.authority.decode("ascii") or None)
    if not is_verified:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if told.certificate and told.key:
        show(made, told.certificate, told.key)
    return made


def renewed(made: ssl.SSLContext, read: Callable[[], Certificates]) -> None:
    """Have new connections use what the files hold now; authorities of before are trusted still."""
    try:
        told = read()
        if told.authority:
            made.load_verify_locations(cadata=told.authority.decode("ascii"))
        if told.certificate and told.key:
            show(made, told.certificate, told.key)
    except (OSError, ValueError) as broken:
        _log.warning("certificates cannot be read anew, the old ones stay: %s", broken)


def show(made: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Have new connections show a client certificate (PEM, as is its key).

    OpenSSL reads keys from files alone: they are there for this moment, for nobody else to read.
    """
    with tempfile.TemporaryDirectory(prefix="mpijob-") as folder:
        files = (Path(folder) / "certificate.pem", Path(folder) / "key.pem")
        for file, text in zip(files, (certificate, key), strict=True):
            file.touch(mode=0o600)
            file.write_bytes(text)
        made.load_cert_chain(*files)
