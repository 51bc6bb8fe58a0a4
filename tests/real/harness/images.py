"""Images built from their Containerfiles without a container engine, and put into a registry."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.binaries import Say, cache_folder, locked, say
from harness.packages import Unpacked, unpacked
from harness.processes import Broken
from harness.registry import PACKAGES

_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_BUILD_LIMIT_S = 1800
_NONE: Mapping[str, str] = {}
_RELEASES = {"11": "bullseye", "12": "bookworm", "13": "trixie"}
# As Debian's public slim images are: no documentation, and no file of apt's kept.
_SLIM = (
    "--variant=minbase",
    "--skip=cleanup/apt",
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
)
# They have /usr merged from the start, since a package that merges it later brings Perl. Older ones
# leave it as it was.
_MERGED = ("--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--include=usr-is-merged")
_UNMERGED = ("bullseye",)
_APT = """Acquire::Languages "none";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
"""
# A program that buildah starts knows nothing of our folders, so they are put over the machine's, in
# a mount namespace that ends with the program, and with it all that it mounted.
_OVERLAID = 'mount -t overlay overlay -o "lowerdir=$0/usr:/usr" /usr && exec "$@"'


def repository(name: str) -> str:
    """Return the path at which a registry keeps the image that pods call `name`, tag included."""
    first, _, rest = name.partition("/")
    return rest if rest and ("." in first or ":" in first) else name


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

    def base(self, tag: str) -> str:
        """Return the public name of Debian's image `tag`, made of its release's packages once."""
        release = _RELEASES.get(tag.removesuffix("-slim"), tag.removesuffix("-slim"))
        made, name = (f"docker.io/library/debian:{each}" for each in (release, tag))
        with locked(self._folder / f"{release}.lock"):
            if not self._has(made):
                self._tell(f"making the image {made}, once")
                self._make_base(release, made)
            if name != made:
                self._buildah("tag", made, name)
        return name

    def build(
        self,
        containerfile: Path,
        tag: str,
        context: Path | None = None,
        *,
        arguments: Mapping[str, str] = _NONE,
    ) -> str:
        """Build an image as its Containerfile says, with these arguments, and return its name."""
        self._tell(f"building {tag}")
        words = ["build", "--isolation", "chroot", "--network", "host", "--pull=never", "--layers"]
        words += self._trusted()
        for name, value in arguments.items():
            words += ["--build-arg", f"{name}={value}"]
        folder = context or containerfile.parent
        self._buildah(*words, "--file", str(containerfile), "--tag", tag, str(folder))
        return tag

    def push(self, tag: str, registry: str, name: str = "") -> str:
        """Put an image into a registry under its own name, or another; return what pods call it."""
        known = name or tag
        target = f"docker://{registry}/{repository(known)}"
        self._buildah("push", "--tls-verify=false", tag, target)
        return known

    def _trusted(self) -> list[str]:
        """Return the flags by which a build's pip trusts whom this machine trusts."""
        if not _CERTIFICATES.is_file():
            return []
        settings = self._folder / "pip.conf"
        settings.write_text("[global]\ncert = /run/trusted.crt\n")
        mounts = {_CERTIFICATES: "/run/trusted.crt", settings: "/etc/pip.conf"}
        return [word for f, t in mounts.items() for word in ("--volume", f"{f}:{t}:ro")]

    def _has(self, name: str) -> bool:
        try:
            self._buildah("inspect", "--type", "image", name)
        except Broken:
            return False
        return True

    def _make_base(self, release: str, name: str) -> None:
        tar = self._folder / f"{release}.tar"
        settings = self._folder / "apt.conf"
        settings.write_text(_APT)
        upload = f"--customize-hook=upload {settings} /etc/apt/apt.conf.d/docker-clean"
        emptied = '--customize-hook=cd "$1" && rm -rf var/cache/apt/* var/lib/apt/lists/*'
        merged = () if release in _UNMERGED else _MERGED
        words = [*_SLIM, *merged, upload, emptied, release, str(tar)]
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
