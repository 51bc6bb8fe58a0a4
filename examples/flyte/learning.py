"""Data-parallel training as large as MNIST's: 60,000 pictures of 28 × 28, and nothing to download.

Scikit-learn ships 1,797 handwritten digits of 8 × 8. Each is drawn larger, and at many places, so
that a model has to find it. Every rank learns from its share of the pictures; gradients are added
up over all ranks, so that all of them hold the same model at every step.
"""

import numpy as np
from mpi4py import MPI

SIDE, SCALE, CLASSES, HIDDEN = 28, 3, 10, 64
BATCH, RATE, SEED = 256, 0.5, 2026
#: Every fifth digit is kept back: pictures that the model never saw tell how good it is.
TEST_EVERY = 5


def learned(pictures: int, epochs: int) -> float:
    """Return how many of the digits that were kept back are recognised, from 0 to 1.

    Args:
        pictures: How many all ranks learn from together.
        epochs: How often they see each.

    """
    ranks = MPI.COMM_WORLD
    small, labels = _digits(ranks)
    test = np.arange(len(labels)) % TEST_EVERY == 0
    mine = np.arange(ranks.rank, pictures, ranks.size)
    pixels, digits = _drawn(small[~test], labels[~test], mine)
    weights = _trained(ranks, pixels, digits, epochs)
    kept_pixels, kept = _drawn(small[test], labels[test], np.arange(test.sum()))
    found = _scores(weights, kept_pixels)[1].argmax(axis=1)
    accuracy = float((found == kept).mean())
    if ranks.rank == 0:
        print(f"ranks {ranks.size}  pictures {pictures}  accuracy {accuracy:.4f}", flush=True)
    return accuracy


def _digits(ranks: MPI.Comm) -> tuple[np.ndarray, np.ndarray]:
    """Return the digits that scikit-learn ships, the same on every rank."""
    data = None
    if ranks.rank == 0:
        # Rank 0 alone reads them: importing scikit-learn takes a while.
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        data = pixels.reshape(-1, 8, 8) / 16, labels
    return ranks.bcast(data)


def _drawn(
    small: np.ndarray, labels: np.ndarray, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures of these numbers, as rows of pixels, and the digits that they show.

    Which digit a picture shows and where it stands depends on its number alone.
    """
    large = small.repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    room = SIDE - large.shape[1]
    rows = np.zeros((len(numbers), SIDE, SIDE), dtype=np.float32)
    for row, number in zip(rows, numbers, strict=True):
        down, right = np.random.default_rng((SEED, number)).integers(0, room + 1, 2)
        row[down : SIDE - room + down, right : SIDE - room + right] = large[number % len(large)]
    return rows.reshape(len(numbers), -1), labels[numbers % len(labels)]


def _trained(
    ranks: MPI.Comm, pixels: np.ndarray, digits: np.ndarray, epochs: int
) -> list[np.ndarray]:
    """Return the model that all ranks learn together."""
    dice = np.random.default_rng(SEED)
    weights = [
        dice.normal(0, SIDE**-1, (SIDE * SIDE, HIDDEN)).astype(np.float32),
        np.zeros(HIDDEN, dtype=np.float32),
        dice.normal(0, HIDDEN**-0.5, (HIDDEN, CLASSES)).astype(np.float32),
        np.zeros(CLASSES, dtype=np.float32),
    ]
    share = BATCH // ranks.size
    # All ranks take as many steps: the one with the fewest pictures says how many.
    steps = ranks.allreduce(len(digits) // share, MPI.MIN)
    for _ in range(epochs):
        for step in range(steps):
            batch = slice(step * share, (step + 1) * share)
            gradients = _gradients(weights, pixels[batch], digits[batch])
            for number, own in enumerate(gradients):
                total = np.empty_like(own)
                ranks.Allreduce(own, total)
                weights[number] -= RATE / (share * ranks.size) * total
    return weights


def _scores(weights: list[np.ndarray], pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hidden layer, and for every picture how much speaks for each digit."""
    hidden = np.maximum(pixels @ weights[0] + weights[1], 0)
    return hidden, hidden @ weights[2] + weights[3]


def _gradients(
    weights: list[np.ndarray], pixels: np.ndarray, digits: np.ndarray
) -> list[np.ndarray]:
    """Return the loss's gradient by every weight, summed over the pictures."""
    hidden, scores = _scores(weights, pixels)
    likely = np.exp(scores - scores.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    likely[np.arange(len(digits)), digits] -= 1
    back = (likely @ weights[2].T) * (hidden > 0)
    return [pixels.T @ back, back.sum(axis=0), hidden.T @ likely, likely.sum(axis=0)]
