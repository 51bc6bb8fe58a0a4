"""Images built from their Containerfiles without a container engine, and put into a registry."""

import json
import os
import subprocess
from pathlib import Path

from harness.binaries import Say, cache_folder, locked, say
from harness.packages import Unpacked, unpacked
from harness.processes import Broken
from harness.registry import PACKAGES

_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}
_CERTIFICATES = Path("/etc/ssl/certs")
_BUILD_LIMIT_S = 1800
# A program that buildah starts knows nothing of our folders, so they are put over the machine's, in
# a mount namespace that ends with the program, and with it all that it mounted.
_OVERLAID = 'mount -t overlay overlay -o "lowerdir=$0/usr:/usr" /usr && exec "$@"'


class Builder:
    """Debian's buildah, with a store of its own in the cache: what was built is built once."""

    def __init__(self, *, tell: Say = say) -> None:
        """Fetch buildah, once."""
        self._tell = tell
        self._packages: Unpacked = unpacked(PACKAGES, tell=tell)
        self._folder = cache_folder() / "images"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._policy = self._folder / "policy.json"
        self._policy.write_text(json.dumps(_POLICY))
        self._registries = self._folder / "registries.conf"
        self._registries.write_text('unqualified-search-registries = ["docker.io"]\n')

    def base(self, release: str) -> str:
        """Return the public name of Debian's image of a release, made of its packages once."""
        name = f"docker.io/library/debian:{release}"
        with locked(self._folder / f"{release}.lock"):
            if not self._has(name):
                self._tell(f"making the image {name}, once")
                self._make_base(release, name)
        return name

    def build(self, containerfile: Path, tag: str, context: Path | None = None) -> str:
        """Build an image as its Containerfile says and return its name."""
        self._tell(f"building {tag}")
        words = ["build", "--isolation", "chroot", "--network", "host", "--pull=never", "--layers"]
        words += self._trusted()
        folder = context or containerfile.parent
        self._buildah(*words, "--file", str(containerfile), "--tag", tag, str(folder))
        return tag

    def push(self, tag: str, registry: str, name: str = "") -> str:
        """Put an image into a registry under its own name, or another; return what pods call it."""
        known = name or tag
        first, _, rest = known.partition("/")
        path = rest if rest and ("." in first or ":" in first) else known
        target = f"docker://{registry}/{path}"
        self._buildah("push", "--tls-verify=false", tag, target)
        return known

    def _trusted(self) -> list[str]:
        """Return the flags by which a build trusts whom this machine trusts."""
        words = (
            ["--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro"] if _CERTIFICATES.is_dir() else []
        )
        certificate = os.environ.get("PIP_CERT")
        return [*words, "--build-arg", f"PIP_CERT={certificate}"] if certificate else words

    def _has(self, name: str) -> bool:
        try:
            self._buildah("inspect", "--type", "image", name)
        except Broken:
            return False
        return True

    def _make_base(self, release: str, name: str) -> None:
        tar = self._folder / f"{release}.tar"
        words = ["--variant=minbase", "--include=ca-certificates", release, str(tar)]
        self._run(str(self._packages.program("mmdebstrap")), *words)
        container = self._buildah("from", "scratch").strip()
        try:
            self._buildah("add", container, str(tar), "/")
            self._buildah("config", "--cmd", "bash", container)
            self._buildah("commit", container, name)
        finally:
            self._buildah("rm", container)
            tar.unlink()

    def _buildah(self, command: str, *words: str) -> str:
        store = ["--root", str(self._folder / "store"), "--runroot", str(self._folder / "run")]
        files = ["--registries-conf", str(self._registries)]
        signed = ["--signature-policy", str(self._policy)]
        of_command = signed if command in ("build", "from", "commit", "push") else []
        program = str(self._packages.program("buildah"))
        return self._run(program, *store, *files, command, *of_command, *words)

    def _run(self, *words: str) -> str:
        root = str(self._packages.root)
        enclosed = ["unshare", "--mount", "/bin/sh", "-c", _OVERLAID, root]
        done = subprocess.run(
            ["nice", "-n", "19", *enclosed, *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_BUILD_LIMIT_S,
            env={**os.environ, **self._packages.environment},
        )
        if done.returncode != 0:
            last = "\n".join((done.stderr or done.stdout).splitlines()[-15:])
            raise Broken(f"{Path(words[0]).name} {words[-1]}: exit {done.returncode}:\n{last}")
        return done.stdout
