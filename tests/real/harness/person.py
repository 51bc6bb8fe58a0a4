"""Somebody with a shell who types what documents say, on a cluster with real nodes."""

import os
import shlex
import subprocess
from pathlib import Path

from harness.own_operator import MPIJOB
from harness.processes import Broken
from harness.site import Site


class Person:
    """A person, and a folder of theirs; kubectl, mpijob and ks are in their PATH.

    `IMAGE` and `CONTROLLER_IMAGE` are what a document has one fill in.
    """

    def __init__(self, site: Site, folder: Path, image: str) -> None:
        """Give them their programs. `image` is what pods call it."""
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        (programs / "kubectl").symlink_to(site.cluster.binaries["kubectl"])
        (programs / "mpijob").write_text(f'#!/bin/sh\nexec {shlex.join(MPIJOB)} --cluster "$@"\n')
        (programs / "mpijob").chmod(0o755)
        subprocess.run([*MPIJOB, "ks", "script", str(programs)], check=True, capture_output=True)
        self._environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "KUBECONFIG": site.cluster.kubeconfig,
            "IMAGE": image,
            "CONTROLLER_IMAGE": site.images["openmpi-controller"],
        }

    def types(self, script: str, where: str = "", *, limit_s: int = 200) -> str:
        """Type lines in a folder of theirs; return what they printed. Raises Broken."""
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=self.folder / where,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
        )
        if done.returncode != 0:
            raise Broken(f"exit {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done.stdout
