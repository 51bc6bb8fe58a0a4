"""Data-parallel training in JAX: gradients come from `jax.grad`, and MPI adds them up.

Double precision and whole batches: one rank, two and four learn the same model, up to the order in
which floating point numbers are added.
"""

import os

# One thread a rank: the ranks are the parallelism, and there may be more of them than cores.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
from data import CLASSES, Pictures, digits
from mpi4py import MPI

jax.config.update("jax_enable_x64", True)

HIDDEN = 32
STEPS = 150
RATE = 1.0
MOMENTUM = 0.9
SEED = 2026

Weights = dict[str, np.ndarray]


def first_weights(pixel_count: int) -> Weights:
    """Return the model to begin with, the same on every rank: one seed, one stream."""
    dice = np.random.default_rng(SEED)
    return {
        "into": dice.normal(0, pixel_count**-0.5, (pixel_count, HIDDEN)),
        "into_bias": np.zeros(HIDDEN),
        "out": dice.normal(0, HIDDEN**-0.5, (HIDDEN, CLASSES)),
        "out_bias": np.zeros(CLASSES),
    }


def scores(weights: Weights, pixels: jax.Array) -> jax.Array:
    """Return for every picture how much speaks for each digit."""
    hidden = jnp.tanh(pixels @ weights["into"] + weights["into_bias"])
    return hidden @ weights["out"] + weights["out_bias"]


def summed_loss(weights: Weights, pixels: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the loss, summed and not averaged: sums of ranks add up to the sum of all."""
    likely = jax.nn.log_softmax(scores(weights, pixels))
    return -jnp.take_along_axis(likely, labels[:, None], axis=1).sum()


@jax.jit
def loss_and_gradients(
    weights: Weights, pixels: jax.Array, labels: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Return the summed loss and its gradient by every weight, compiled once."""
    return jax.value_and_grad(summed_loss)(weights, pixels, labels)


def trained(ranks: MPI.Comm, mine: Pictures) -> tuple[Weights, float]:
    """Return the model that all ranks learn together, and its last loss per picture."""
    weights = first_weights(mine.pixels.shape[1])
    speeds = {name: np.zeros_like(weight) for name, weight in weights.items()}
    count = ranks.allreduce(len(mine.digits))
    loss = 0.0
    for _ in range(STEPS):
        own_loss, gradients = loss_and_gradients(weights, mine.pixels, mine.digits)
        for name, own in gradients.items():
            total = np.empty_like(weights[name])
            ranks.Allreduce(np.asarray(own), total)
            speeds[name] = MOMENTUM * speeds[name] - RATE * (1 - MOMENTUM) * total / count
        weights = {name: weight + speeds[name] for name, weight in weights.items()}
        loss = ranks.allreduce(float(own_loss)) / count
    return weights, loss


def main() -> None:
    """Train, test, and let rank 0 say how well it went."""
    ranks = MPI.COMM_WORLD
    learn, test = digits()
    weights, loss = trained(ranks, learn.share(ranks.rank, ranks.size))
    mine = test.share(ranks.rank, ranks.size)
    found = np.asarray(jax.jit(scores)(weights, mine.pixels)).argmax(axis=1)
    accuracy = ranks.allreduce(int((found == mine.digits).sum())) / len(test.digits)
    if ranks.rank == 0:
        print(f"ranks {ranks.size}  loss {loss:.9f}  accuracy {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
