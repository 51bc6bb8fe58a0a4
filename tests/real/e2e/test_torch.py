"""The example of PyTorch's DistributedDataParallel, on real nodes, with Debian's PyTorch."""

import runpy
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.recipes import OWN, TOP, Pantry, Recipe
from mpijob.sdk import Task

# Half a gigabyte is got and put into an image.
pytestmark = [pytest.mark.soak, pytest.mark.root, pytest.mark.timeout(1800)]

_IMAGES = Path(__file__).parent / "images"
RECIPES = {
    **OWN,
    "python": Recipe(_IMAGES / "python.Containerfile", "openmpi-4"),
    "torch": Recipe(_IMAGES / "torch.Containerfile", "python"),
}


def test_two_ranks_fit_one_line(calls):
    image = Pantry(RECIPES)["torch"]
    fitted = runpy.run_path(str(TOP / "examples" / "python" / "ddp.py"))["fitted"]
    terms = replace(fitted.terms, container_image=image, where=calls)
    assert Task(fitted.function, terms)(200) == pytest.approx([2.0, 1.0], abs=1e-3)
