"""Container images made without a container engine: a tar of a root folder and two JSON files."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """Return this machine's architecture as images name it."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def layer(files: Mapping[str, Path], links: Mapping[str, str] | None = None) -> bytes:
    """Return a layer that holds executable files, and symbolic links, at the paths named."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, source in files.items():
            entry = tarfile.TarInfo(name)
            content = source.read_bytes()
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return buffer.getvalue()


def write_image(path: Path, tags: Sequence[str], layers: Sequence[bytes], **config: Any) -> Path:
    """Write an image as `docker save` would; `config` is its Entrypoint, Env and so on."""
    digests = [hashlib.sha256(content).hexdigest() for content in layers]
    document = {
        "architecture": architecture(),
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }
    described = json.dumps(document).encode()
    name = f"{hashlib.sha256(described).hexdigest()}.json"
    files = {f"{digest}.tar": content for digest, content in zip(digests, layers, strict=True)}
    manifest = [{"Config": name, "RepoTags": list(tags), "Layers": list(files)}]
    with tarfile.open(path, "w") as tar:
        named = {**files, name: described, "manifest.json": json.dumps(manifest).encode()}
        for member, content in named.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path
