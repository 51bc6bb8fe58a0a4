"""The Containerfile of a project."""

import pytest

from mpijob.core.job import Flavour
from mpijob.generate.image import ImageSettings, Unusable, containerfile

USUAL = """\
# Written by `mpijob image`; it is yours to change.
FROM docker.io/library/debian:12-slim

RUN apt-get update \\
 && apt-get install -y --no-install-recommends \\
        openmpi-bin openssh-client openssh-server python3-venv \\
 && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \\
 && mkdir -p /run/sshd \\
 && useradd --create-home --uid 1000 mpiuser

RUN python3 -m venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH"

WORKDIR /app
# Before the code, so that a change of that installs nothing anew.
COPY requirements.txt ./
RUN pip install --no-cache-dir mpi4py -r requirements.txt
COPY . ./

USER 1000
"""
AS_ROOT = """\
# Written by `mpijob image`; it is yours to change.
FROM debian:13

RUN apt-get update \\
 && apt-get install -y --no-install-recommends \\
        openmpi-bin openssh-client openssh-server python3-venv \\
 && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \\
 && mkdir -p /run/sshd

RUN python3 -m venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH"
# Open MPI asks root whether it is meant.
ENV OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

WORKDIR /root
RUN pip install --no-cache-dir mpi4py
COPY . ./
"""
TEXTS = {
    "an ordinary user with requirements": (ImageSettings(requirements="requirements.txt"), USUAL),
    "root without any": (ImageSettings(base="debian:13", user="root", folder="/root"), AS_ROOT),
}


@pytest.mark.parametrize(("settings", "want"), TEXTS.values(), ids=TEXTS)
def test_an_image_is_made_so(settings, want):
    assert containerfile(settings) == want


def test_mpich_asks_root_nothing():
    text = containerfile(ImageSettings(flavour=Flavour.MPICH, user="root"))
    assert (" mpich " in text, "OMPI" in text) == (True, False)


def test_mpich_is_found_by_the_name_that_mpi4py_looks_for():
    assert "ln -s libmpich.so.12 libmpi.so.12" in containerfile(
        ImageSettings(flavour=Flavour.MPICH)
    )


UNUSABLE = {
    "an MPI that is not ours to hand on": (ImageSettings(flavour=Flavour.INTEL), "Intel MPI"),
    "a user that is none": (ImageSettings(user="A B"), "“A B” is no name of a user"),
    "a base of two lines": (ImageSettings(base="a\nRUN b"), "cannot be the base"),
    "a file of two words": (ImageSettings(requirements="a b"), "cannot be the requirements"),
    "a folder that is relative": (ImageSettings(folder="app"), "“app” cannot be the workdir"),
    "an environment that is relative": (ImageSettings(venv="venv"), "“venv” cannot be the venv"),
}


@pytest.mark.parametrize(("settings", "told"), UNUSABLE.values(), ids=UNUSABLE)
def test_no_image_is_made_of(settings, told):
    with pytest.raises(Unusable, match=told):
        containerfile(settings)
