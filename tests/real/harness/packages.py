"""Debian's packages, unpacked into the cache: nothing is installed, the machine stays as it is."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.binaries import Say, cache_folder, locked, say
from harness.unavailable import Unavailable

_FOLDERS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A folder with packages in it, laid out as they would be on a machine."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to be told so that it finds the packages' programs and libraries."""
        paths = [str(self.root / folder) for folder in _FOLDERS]
        libraries = [str(path) for path in sorted(self.root.glob("usr/lib/*-linux-gnu*"))]
        libraries += [str(path) for path in sorted(self.root.glob("lib/*-linux-gnu*"))]
        return {
            "PATH": os.pathsep.join([*paths, os.environ.get("PATH", os.defpath)]),
            "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        }

    def program(self, name: str) -> Path:
        """Return where a program of the packages is."""
        found = shutil.which(name, path=self.environment["PATH"])
        if found is None:
            raise Unavailable(f"Debian's packages were unpacked, but have no {name}")
        return Path(found)


def unpacked(names: Sequence[str], *, tell: Say = say) -> Unpacked:
    """Return these packages and all that they need beyond what the machine has, unpacked once.

    Raises:
        Unavailable: There is no apt here, or it does not have them.
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise Unavailable(f"there is no {program} here to get {', '.join(names)} with")
    mark = hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:8]
    root = cache_folder() / "debian" / f"{_release()}-{mark}"
    with locked(root.with_suffix(".lock")):
        if not root.exists():
            tell(f"fetching Debian's packages, once: {', '.join(names)}")
            _unpack(names, root)
    return Unpacked(root)


def _release() -> str:
    rows = Path("/etc/os-release").read_text().splitlines()
    fields = dict(row.split("=", 1) for row in rows if "=" in row)
    return fields.get("VERSION_CODENAME", "unknown").strip('"')


def _unpack(names: Sequence[str], root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
        apt, made = Path(scratch) / "apt", Path(scratch) / "root"
        for folder in (apt / "lists" / "partial", apt / "archives" / "partial", made):
            folder.mkdir(parents=True)
        _apt(apt, "update")
        _apt(apt, "install", "--download-only", "--no-install-recommends", *names)
        for package in sorted((apt / "archives").glob("*.deb")):
            words = ["dpkg-deb", "--extract", str(package), str(made)]
            subprocess.run(words, check=True, capture_output=True)
        made.chmod(0o755)
        made.rename(root)


def _apt(folder: Path, *words: str) -> None:
    options = [
        f"Dir::State::lists={folder / 'lists'}",
        f"Dir::Cache={folder}",
        "APT::Sandbox::User=",
        "Debug::NoLocking=true",
    ]
    named = [word for option in options for word in ("-o", option)]
    done = subprocess.run(
        ["apt-get", "-qq", "-y", *named, *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"apt-get {words[0]} failed: {last}")
