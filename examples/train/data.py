"""Handwritten digits for every rank: scikit-learn ships them, so nothing is downloaded."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

CLASSES = 10
#: Every fifth picture is kept back: what the model never saw tells how good it is.
TEST_EVERY = 5


@dataclass(frozen=True)
class Pictures:
    """Pictures as rows of pixels from 0 to 1, and the digit that each shows."""

    pixels: np.ndarray
    digits: np.ndarray

    def share(self, rank: int, size: int) -> "Pictures":
        """Return one rank's pictures: every one belongs to exactly one rank."""
        return Pictures(self.pixels[rank::size], self.digits[rank::size])


def digits() -> tuple[Pictures, Pictures]:
    """Return the pictures to learn from and those to be tested on, the same on every rank."""
    # From the file itself: to import scikit-learn takes longer than the training.
    package = find_spec("sklearn").submodule_search_locations[0]
    rows = np.loadtxt(Path(package, "datasets", "data", "digits.csv.gz"), delimiter=",")
    pixels, labels = rows[:, :-1] / 16.0, rows[:, -1].astype(int)
    test = np.arange(len(labels)) % TEST_EVERY == 0
    return Pictures(pixels[~test], labels[~test]), Pictures(pixels[test], labels[test])
