"""Debian's docker-registry as a process: where a cluster's nodes pull all their images from."""

import contextlib
import http.client
from pathlib import Path

import yaml

from harness.binaries import cache_folder
from harness.packages import unpacked
from harness.processes import Process

PACKAGES = ("buildah", "docker-registry", "mmdebstrap", "netavark")
_OK = 200


def serve_images(folder: Path, address: str, port: int) -> Process:
    """Start a registry at an address of ours. What is put into it is there the next time, too."""
    packages = unpacked(PACKAGES)
    file = folder / "registry.yaml"
    file.write_text(settings(storage(), f"{address}:{port}"))
    words: list[str | Path] = [packages.program("docker-registry"), "serve", file]
    process = Process("registry", words, folder / "registry.log", environment=packages.environment)
    process.wait_until(lambda: _answers(address, port))
    return process


def storage() -> Path:
    """Return the folder with the images of all registries of the tests."""
    return cache_folder() / "images" / "registry"


def settings(root: Path, address: str) -> str:
    """Return the registry's configuration."""
    document = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(root)}, "delete": {"enabled": True}},
        "http": {"addr": address},
    }
    return yaml.safe_dump(document)


def _answers(address: str, port: int) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", "/v2/")
        return connection.getresponse().status == _OK
    return False
