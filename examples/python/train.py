"""Data-parallel training: every rank has its share of the pictures, gradients are added up by MPI.

The whole of the data goes into every step, and sums do not care who adds them: one rank, two and
four learn the same model, up to the order in which floating point numbers are added.
"""

import os

# One thread a rank: the ranks are the parallelism, and there may be more of them than cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mpijob.sdk import MPIJob, task

STEPS = 200
RATE = 0.5
CLASSES = 10


@task(
    task_config=MPIJob(num_workers=2, num_launcher_replicas=1),
    environment={"OMP_NUM_THREADS": "1"},
)
def trained(pixels: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the weights that all ranks learn together, and the last loss per picture."""
    from mpi4py import MPI

    ranks = MPI.COMM_WORLD
    mine, wanted = pixels[ranks.rank :: ranks.size], labels[ranks.rank :: ranks.size]
    rows = np.arange(len(wanted))
    weights = np.zeros((pixels.shape[1], CLASSES))
    loss = 0.0
    for step in range(STEPS):
        likely = likelihoods(weights, mine)
        loss = ranks.allreduce(-np.log(likely[rows, wanted]).sum()) / len(labels)
        likely[rows, wanted] -= 1.0
        gradient = mine.T @ likely
        ranks.Allreduce(MPI.IN_PLACE, gradient)
        weights -= RATE * gradient / len(labels)
        if ranks.rank == 0 and step % 50 == 0:
            print(f"step {step:3}  loss {loss:.4f}")
    return weights, float(loss)


def likelihoods(weights: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return for every picture how likely it shows each digit."""
    scores = pixels @ weights
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def main() -> None:
    """Train on two ranks, test here, and say how well it went."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = np.hstack([pixels / 16.0, np.ones((len(pixels), 1))])
    test = np.arange(len(labels)) % 5 == 0
    weights, loss = trained(pixels[~test], labels[~test])
    hits = likelihoods(weights, pixels[test]).argmax(axis=1) == labels[test]
    print(f"loss {loss:.6f}  accuracy {hits.mean():.4f}")


if __name__ == "__main__":
    main()
