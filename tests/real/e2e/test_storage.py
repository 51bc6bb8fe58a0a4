"""Much data that goes to a cluster and back with a function: by an object store, by a volume.

It is sent from flytekit's Python, which has what reads S3, to an image that has that too.
"""

import base64
import json
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from harness.recipes import TOP
from harness.s3 import ID, SECRET, serving
from mpijob.sdk import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

LARGE = Path(__file__).parent / "tasks" / "large.py"


@pytest.fixture
def store(site, space, tmp_path):
    """Return the bucket's folder, what reaches it, and the Secret by which pods do."""
    (tmp_path / "calls").mkdir()
    machine = urlsplit(site.cluster.url).hostname
    with serving(tmp_path, machine) as port:
        variables = {
            "AWS_ACCESS_KEY_ID": ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": f"http://{machine}:{port}",
        }
        coded = {name: base64.b64encode(text.encode()).decode() for name, text in variables.items()}
        secret = f"store-{port}"
        with site.api() as api:
            path = f"/api/v1/namespaces/{space}/secrets"
            api.create(path, {"metadata": {"name": secret}, "data": coded})
        yield tmp_path / "calls", variables, secret


MIB = 1 << 20
SIZES = [
    pytest.param(8 * MIB, id="8 MiB"),
    # Two minutes, and memory of eight times that.
    pytest.param(
        1024 * MIB, id="1 GiB", marks=[pytest.mark.soak, pytest.mark.timeout(500, func_only=True)]
    ),
]


@pytest.fixture
def turned(flytekit, images):
    """Return what sends so many bytes to a place, and says whether they came back turned."""

    def sent(where, size, **variables):
        words = json.dumps(msgspec.to_builtins(where)), images["flyte"], str(size)
        said = flytekit(str(LARGE), *words, PYTHONPATH=str(TOP / "src"), **variables)
        return said.split()[-2:]

    return sent


def files(folder):
    """Return the files that are left in a folder, however deep."""
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", SIZES)
def test_arguments_and_results_go_through_s3(turned, site, space, store, size):
    bucket, variables, secret = store
    where = Cluster(
        kubeconfig=site.cluster.kubeconfig,
        namespace=space,
        storage="s3://calls/of-tests",
        secret=secret,
    )
    assert (turned(where, size, **variables), files(bucket)) == ([str(size), "True"], [])


@pytest.mark.parametrize("size", SIZES)
def test_arguments_and_results_go_through_a_volume(turned, calls, size):
    assert (turned(calls, size), files(Path(calls.storage))) == ([str(size), "True"], [])
