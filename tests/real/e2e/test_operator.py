"""The operator as a cluster runs it: from its own image, as little as it may be."""

import gzip
import http.client
import json

import pytest

from harness.images import repository
from harness.manifests import HOSTNAME, RESTRICTED, job
from harness.site import OPERATOR_SPACE

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

_SIZE_MAX = 150_000_000
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)


@pytest.fixture
def pods(site):
    with site.api() as api:
        return api.read(f"/api/v1/namespaces/{OPERATOR_SPACE}/pods")["items"]


@pytest.fixture(scope="module")
def run(site, images):
    """A job in a namespace of the restricted standard."""
    manifest = job("j", images["openmpi-5"], *HOSTNAME, launcher=RESTRICTED, worker=RESTRICTED)
    with site.space("restricted") as space:
        yield site.run(space, manifest)["j"]


def test_its_image_is_small(site, images):
    path, _, tag = repository(images["operator"]).rpartition(":")
    connection = http.client.HTTPConnection(site.cluster.registry, timeout=60)

    def read(place, **headers):
        connection.request("GET", f"/v2/{path}/{place}", headers=headers)
        return connection.getresponse().read()

    layers = json.loads(read(f"manifests/{tag}", Accept=_MANIFESTS))["layers"]
    size = sum(len(gzip.decompress(read(f"blobs/{layer['digest']}"))) for layer in layers)
    connection.close()
    assert size < _SIZE_MAX


def test_it_runs_from_its_own_image(pods, images):
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {images["operator"]}


def test_it_is_ready_under_the_restricted_standard(site, pods):
    with site.api() as api:
        space = api.read(f"/api/v1/namespaces/{OPERATOR_SPACE}")
    enforced = space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    ready = [pod["status"]["containerStatuses"][0]["ready"] for pod in pods]
    assert (enforced, ready) == ("restricted", [True, True])


def test_its_jobs_run_under_the_restricted_standard_too(run):
    assert run.hosts == ["j-worker-0", "j-worker-1"]


@pytest.mark.usefixtures("run")
def test_it_needs_no_right_that_it_has_not(site):
    operator = f"system:serviceaccount:{OPERATOR_SPACE}:mpijob-operator"
    asked = [row for row in site.cluster.requests() if row.user == operator]
    refused = [row for row in asked if not row.allowed]
    assert (bool(asked), refused) == (True, [])
