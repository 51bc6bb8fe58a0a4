"""Which HTTP proxy stands between us and an API server, as Go's clients read the environment.

Source: `httpproxy.FromEnvironment` of golang.org/x/net, for the variables and for NO_PROXY.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def proxy(server: str, environment: Mapping[str, str]) -> str | None:
    """Return the proxy for `server` (a URL), or None where it is spoken to without one.

    `HTTPS_PROXY` or `HTTP_PROXY` names it, in upper or lower case; `NO_PROXY` lists who is spoken
    to directly: names (with those below them), addresses, ranges of addresses, or `*`, each with a
    port or without. This machine always is.
    """
    place = urlsplit(server)
    told = _said(environment, f"{place.scheme}_proxy")
    host, port = (place.hostname or "").rstrip("."), place.port or _PORTS.get(place.scheme)
    if not told or _is_this_machine(host):
        return None
    exempt = (row.strip().lower() for row in _said(environment, "no_proxy").split(","))
    if any(_covers(row, host, port) for row in exempt if row):
        return None
    return told if "://" in told else f"http://{told}"


_PORTS = {"http": 80, "https": 443}


def _said(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name.upper()) or environment.get(name) or ""


def _is_this_machine(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _covers(row: str, host: str, port: int | None) -> bool:
    """Say whether one entry of NO_PROXY means that host and port."""
    if row == "*":
        return True
    name, mark, number = row.rpartition(":")
    if mark and number.isdigit() and _address(row) is None:
        if int(number) != port:
            return False
        row = name.strip("[]")
    address = _address(host)
    if address is not None:
        return _is_within(address, row)
    row = row.removeprefix("*")
    return host.endswith(row) if row.startswith(".") else host == row or host.endswith(f".{row}")


def _is_within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, row: str) -> bool:
    try:
        return address in ipaddress.ip_network(row, strict=False)
    except ValueError:
        return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
