"""Data-parallel training in numpy: every rank has its pictures, gradients are added up by MPI.

The whole of the data goes into every step, and sums do not care who adds them: one rank, two and
four learn the same model, up to the order in which floating point numbers are added.
"""

import os

# One thread a rank: the ranks are the parallelism, and there may be more of them than cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from data import CLASSES, Pictures, digits
from mpi4py import MPI

HIDDEN = 32
STEPS = 150
RATE = 1.0
MOMENTUM = 0.9
SEED = 2026

Weights = list[np.ndarray]


def first_weights(pixel_count: int) -> Weights:
    """Return the model to begin with, the same on every rank: one seed, one stream."""
    dice = np.random.default_rng(SEED)
    return [
        dice.normal(0, pixel_count**-0.5, (pixel_count, HIDDEN)),
        np.zeros(HIDDEN),
        dice.normal(0, HIDDEN**-0.5, (HIDDEN, CLASSES)),
        np.zeros(CLASSES),
    ]


def forward(weights: Weights, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hidden layer, and for every picture how likely it shows each digit."""
    into, into_bias, out, out_bias = weights
    hidden = np.tanh(pixels @ into + into_bias)
    scores = hidden @ out + out_bias
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, scores / scores.sum(axis=1, keepdims=True)


def gradients(weights: Weights, mine: Pictures) -> tuple[Weights, float]:
    """Return the gradient of the loss summed over this rank's pictures, and that loss."""
    hidden, likely = forward(weights, mine.pixels)
    rows = np.arange(len(mine.digits))
    loss = -np.log(likely[rows, mine.digits]).sum()
    wrong = likely.copy()
    wrong[rows, mine.digits] -= 1.0
    back = (wrong @ weights[2].T) * (1.0 - hidden**2)
    return [mine.pixels.T @ back, back.sum(0), hidden.T @ wrong, wrong.sum(0)], float(loss)


def trained(ranks: MPI.Comm, mine: Pictures) -> tuple[Weights, float]:
    """Return the model that all ranks learn together, and its last loss per picture."""
    weights = first_weights(mine.pixels.shape[1])
    speeds = [np.zeros_like(weight) for weight in weights]
    count = ranks.allreduce(len(mine.digits))
    loss = 0.0
    for _ in range(STEPS):
        sums, own_loss = gradients(weights, mine)
        for part in sums:
            ranks.Allreduce(MPI.IN_PLACE, part)
        speeds = [
            MOMENTUM * speed - RATE * (1 - MOMENTUM) * part / count
            for speed, part in zip(speeds, sums, strict=True)
        ]
        weights = [weight + speed for weight, speed in zip(weights, speeds, strict=True)]
        loss = ranks.allreduce(own_loss) / count
    return weights, loss


def main() -> None:
    """Train, test, and let rank 0 say how well it went."""
    ranks = MPI.COMM_WORLD
    learn, test = digits()
    weights, loss = trained(ranks, learn.share(ranks.rank, ranks.size))
    mine = test.share(ranks.rank, ranks.size)
    hits = int((forward(weights, mine.pixels)[1].argmax(axis=1) == mine.digits).sum())
    accuracy = ranks.allreduce(hits) / len(test.digits)
    if ranks.rank == 0:
        print(f"ranks {ranks.size}  loss {loss:.9f}  accuracy {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
