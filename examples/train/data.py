"""Handwritten digits for every rank: scikit-learn ships them, so nothing is downloaded."""

from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

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


def digits(ranks: MPI.Comm) -> tuple[Pictures, Pictures]:
    """Return the pictures to learn from and those to be tested on, the same on every rank."""
    data = None
    if ranks.rank == 0:
        # Rank 0 alone reads the data: importing scikit-learn takes longer than the training.
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        data = pixels / 16.0, labels
    pixels, labels = ranks.bcast(data)
    test = np.arange(len(labels)) % TEST_EVERY == 0
    return Pictures(pixels[~test], labels[~test]), Pictures(pixels[test], labels[test])
