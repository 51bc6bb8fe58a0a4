"""The example of PyTorch's DistributedDataParallel, on real nodes, with Debian's PyTorch."""

import runpy
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.recipes import OWN, TOP, Pantry, Recipe
from mpijob.sdk import Cluster, Task

# Half a gigabyte is got and put into an image.
pytestmark = [pytest.mark.soak, pytest.mark.root, pytest.mark.timeout(1800)]

_IMAGES = Path(__file__).parent / "images"
RECIPES = {
    **OWN,
    "python": Recipe(_IMAGES / "python.Containerfile", "openmpi-4"),
    "torch": Recipe(_IMAGES / "torch.Containerfile", "python"),
}


def test_two_ranks_fit_one_line(site, space, tmp_path):
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the image has Python 3.11, and only its like may send it functions")
    folder = Path(site.cluster.folder) / f"{space}-calls"
    folder.mkdir()
    folder.chmod(0o777)
    where = Cluster(
        kubeconfig=site.cluster.kubeconfig,
        namespace=space,
        storage=str(folder),
        volume={"hostPath": {"path": str(folder)}},
    )
    image = Pantry(RECIPES).provided(["torch"])["torch"]
    fitted = runpy.run_path(str(TOP / "examples" / "python" / "ddp.py"))["fitted"]
    terms = replace(fitted.terms, container_image=image, where=where)
    assert Task(fitted.function, terms)(200) == pytest.approx([2.0, 1.0], abs=1e-3)
