"""The package that a word such as `kubeflow/openmpi@master` means: all come with mpijob."""

import re

from msgspec import Struct

from mpijob.cli import exits
from mpijob.cli.ks.app import App
from mpijob.cli.trouble import Trouble
from mpijob.generate.prototypes import PACKAGES

#: The registry whose packages these are.
REGISTRY = "kubeflow"
_LIBRARY = re.compile(
    r"(https?://)?(www\.)?github\.com/kubeflow/kubeflow(/tree/(?P<version>[^/]+)/kubeflow)?/?"
)
_PACKAGE = re.compile(r"((?P<registry>[^/@]+)/)?(?P<name>[^/@]+)(@(?P<version>[^/]+))?")


class Package(Struct, frozen=True):
    """A package of a registry, in a version that is kept, and changes nothing."""

    registry: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}"


def registry(uri: str) -> str:
    """Return the URI of a registry. Raises Trouble where it has none of the packages there are."""
    if not _LIBRARY.fullmatch(uri):
        raise Trouble(
            f"{uri} is no registry that is known",
            hint=f"packages are not fetched: those of {REGISTRY} come with mpijob, "
            "github.com/kubeflow/kubeflow/tree/VERSION/kubeflow",
            code=exits.INVALID,
        )
    return uri


def package(word: str, app: App) -> Package:
    """Return the package that a word means. Raises Trouble where there is no such package."""
    found = _PACKAGE.fullmatch(word)
    if found is None:
        hint = f"such as {REGISTRY}/{PACKAGES[0]}@master"
        raise Trouble(f"“{word}” is no package", hint=hint, code=exits.INVALID)
    place, name = found["registry"] or REGISTRY, found["name"]
    known = dict.fromkeys((REGISTRY, *app.registries))
    if place not in known:
        hint = f"there are {', '.join(known)}"
        raise Trouble(f"there is no registry “{place}”", hint=hint, code=exits.INVALID)
    if name not in PACKAGES:
        hint = f"packages are not fetched; with mpijob come {', '.join(PACKAGES)}"
        raise Trouble(f"there is no package “{name}”", hint=hint, code=exits.INVALID)
    return Package(place, name, found["version"] or "")
