"""`mpijob logs -f` against real nodes: as it is written, and through a kubelet that is killed."""

import os
import subprocess
import threading

import pytest

from harness import faults
from harness.manifests import job
from harness.own_operator import MPIJOB

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

_COUNT = """
i=0
until [ -e /told/enough ]; do i=$((i + 1)); echo "line $i"; sleep 0.05; done
echo "the last"
"""
#: How many lines are read before and after the kubelet is killed: some seconds' worth.
_LINES = 60
_LIMIT_S = 200


@pytest.fixture(scope="module")
def followed(site, images, space, told, sees_told):
    """What a person saw who followed a launcher's output, and what the launcher wrote."""
    command = ("sh", "-c", _COUNT)
    site.submit(space, job("counts", images["openmpi-5"], *command, workers=1, launcher=sees_told))
    with subprocess.Popen(
        [*MPIJOB, "logs", "-f", "counts", "--cluster", "-n", space],
        env={**os.environ, "KUBECONFIG": site.cluster.kubeconfig},
        stdout=subprocess.PIPE,
        text=True,
    ) as typed:
        # Who waits for a line that does not come is not waited for.
        limit = threading.Timer(_LIMIT_S, typed.kill)
        limit.start()
        seen = [typed.stdout.readline() for _ in range(_LINES)]
        with site.api() as api:
            pods = api.read(f"/api/v1/namespaces/{space}/pods")["items"]
        (node,) = {p["spec"]["nodeName"] for p in pods if "-launcher-" in p["metadata"]["name"]}
        faults.kill(site.cluster, node, "kubelet")
        seen += [typed.stdout.readline() for _ in range(_LINES)]
        (told / "enough").touch()
        seen += typed.stdout.readlines()
        limit.cancel()
    return "".join(seen), site.ended(space, "counts").output, typed.returncode


def test_every_line_is_seen_once_and_in_order(followed):
    seen, written, _ = followed
    assert seen == written


def test_what_is_followed_ends_with_the_job(followed):
    seen, _, code = followed
    assert (seen.endswith("the last\n"), code) == (True, 0)
