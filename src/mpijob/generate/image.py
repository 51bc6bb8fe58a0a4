"""The Containerfile of a project: an image that runs its ranks, on a cluster."""

import re
from collections.abc import Mapping

from msgspec import Struct

from mpijob.core.job import Flavour

#: What Debian calls the programs and the library of an MPI. Intel's is not to be had there.
PACKAGES: Mapping[Flavour, str] = {Flavour.OPEN_MPI: "openmpi-bin", Flavour.MPICH: "mpich"}
ROOT = "root"
_UID = 1000
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_WORD = re.compile(r"[^\s\"'`$\\;&|<>(){}*?#]+")


class ImageSettings(Struct, frozen=True):
    """What an image is to be.

    Args:
        base: An image of Debian or Ubuntu, of any kind that has apt-get.
        flavour: Which MPI: Open MPI or MPICH.
        user: Who runs it: `root`, or somebody who is made with uid 1000.
        requirements: The file of the project that lists what pip installs, "" for none.
        venv: Where the virtual environment is.
        folder: Where the project is.

    """

    base: str = "docker.io/library/debian:12-slim"
    flavour: Flavour = Flavour.OPEN_MPI
    user: str = "mpiuser"
    requirements: str = ""
    venv: str = "/opt/venv"
    folder: str = "/app"


class Unusable(ValueError):
    """A setting of which no image can be made; the message names it."""


def containerfile(settings: ImageSettings) -> str:
    """Return the Containerfile. Raises Unusable.

    It holds an MPI, OpenSSH, Python with mpi4py, and the project. It sets up nothing of ssh, since
    the operator does, and has no host key, which all who have the image would share.
    """
    _check(settings)
    is_root = settings.user == ROOT
    lines = [
        "# Written by `mpijob image`; it is yours to change.",
        f"FROM {settings.base}",
        "",
        "RUN apt-get update \\",
        " && apt-get install -y --no-install-recommends \\",
        f"        {PACKAGES[settings.flavour]} openssh-client openssh-server python3-venv \\",
        " && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \\",
        " && mkdir -p /run/sshd" + ("" if is_root else " \\"),
    ]
    if not is_root:
        lines.append(f" && useradd --create-home --uid {_UID} {settings.user}")
    lines += _renamed(settings.flavour)
    lines += ["", f"RUN python3 -m venv {settings.venv}", f'ENV PATH="{settings.venv}/bin:$PATH"']
    if is_root and settings.flavour is Flavour.OPEN_MPI:
        lines += [
            "# Open MPI asks root whether it is meant.",
            "ENV OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
        ]
    lines += ["", f"WORKDIR {settings.folder}"]
    if settings.requirements:
        name = settings.requirements
        lines += [
            "# Before the code, so that a change of that installs nothing anew.",
            f"COPY {name} ./",
            f"RUN pip install --no-cache-dir mpi4py -r {name}",
        ]
    else:
        lines.append("RUN pip install --no-cache-dir mpi4py")
    lines.append("COPY . ./")
    if not is_root:
        lines += ["", f"USER {_UID}"]
    return "\n".join(lines) + "\n"


def _renamed(flavour: Flavour) -> list[str]:
    """Return the lines by which the wheel of mpi4py finds an MPI that Debian calls otherwise."""
    if flavour is not Flavour.MPICH:
        return []
    return [
        "",
        "# What is built for MPICH looks for it by this name; Debian has given it another.",
        "RUN cd /usr/lib/$(uname -m)-linux-gnu && ln -s libmpich.so.12 libmpi.so.12",
    ]


def _check(settings: ImageSettings) -> None:
    if settings.flavour not in PACKAGES:
        raise Unusable(
            f"an image with {settings.flavour} MPI cannot be written: its licence does not let it "
            "be handed on; images/intel says how one is made"
        )
    if not _USER.fullmatch(settings.user):
        raise Unusable(f"“{settings.user}” is no name of a user: small letters, digits, - and _")
    for name, value in (("base", settings.base), ("requirements", settings.requirements)):
        if value and not _WORD.fullmatch(value):
            raise Unusable(f"“{value}” cannot be the {name}: it must be one plain word")
    for name, value in (("venv", settings.venv), ("workdir", settings.folder)):
        if not (_WORD.fullmatch(value) and value.startswith("/")):
            raise Unusable(f"“{value}” cannot be the {name}: it must be an absolute path")
