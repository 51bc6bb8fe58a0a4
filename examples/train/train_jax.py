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
from jax.flatten_util import ravel_pytree
from mpi4py import MPI

jax.config.update("jax_enable_x64", True)

HIDDEN = 32
STEPS = 150
RATE = 1.0
MOMENTUM = 0.9
SEED = 2026

Weights = dict[str, jax.Array]


def first_weights(pixel_count: int) -> Weights:
    """Return the model to begin with, the same on every rank: one seed, one stream."""
    dice = np.random.default_rng(SEED)
    return {
        "into": jnp.asarray(dice.normal(0, pixel_count**-0.5, (pixel_count, HIDDEN))),
        "into_bias": jnp.zeros(HIDDEN),
        "out": jnp.asarray(dice.normal(0, HIDDEN**-0.5, (HIDDEN, CLASSES))),
        "out_bias": jnp.zeros(CLASSES),
    }


def scores(weights: Weights, pixels: jax.Array) -> jax.Array:
    """Return for every picture how much speaks for each digit."""
    hidden = jnp.tanh(pixels @ weights["into"] + weights["into_bias"])
    return hidden @ weights["out"] + weights["out_bias"]


def summed_loss(weights: Weights, pixels: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the loss, summed and not averaged: sums of ranks add up to the sum of all."""
    likely = jax.nn.log_softmax(scores(weights, pixels))
    return -jnp.take_along_axis(likely, labels[:, None], axis=1).sum()


def trained(ranks: MPI.Comm, mine: Pictures) -> tuple[Weights, float]:
    """Return the model that all ranks learn together, and its last loss per picture."""
    flat, unravel = ravel_pytree(first_weights(mine.pixels.shape[1]))
    pixels, labels = jnp.asarray(mine.pixels), jnp.asarray(mine.digits)
    count = ranks.allreduce(len(mine.digits))

    @jax.jit
    def loss_and_gradient(flat: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.value_and_grad(lambda f: summed_loss(unravel(f), pixels, labels))(flat)

    point, speed, loss = np.array(flat), np.zeros_like(flat), 0.0
    for _ in range(STEPS):
        own_loss, own_gradient = loss_and_gradient(point)
        total = np.empty_like(point)
        ranks.Allreduce(np.asarray(own_gradient), total)
        speed = MOMENTUM * speed - RATE * (1 - MOMENTUM) * total / count
        point = point + speed
        loss = ranks.allreduce(float(own_loss)) / count
    return unravel(jnp.asarray(point)), loss


def main() -> None:
    """Train, test, and let rank 0 say how well it went."""
    ranks = MPI.COMM_WORLD
    learn, test = digits(ranks)
    weights, loss = trained(ranks, learn.share(ranks.rank, ranks.size))
    mine = test.share(ranks.rank, ranks.size)
    found = scores(weights, jnp.asarray(mine.pixels)).argmax(axis=1)
    accuracy = ranks.allreduce(int((found == mine.digits).sum())) / len(test.digits)
    if ranks.rank == 0:
        print(f"ranks {ranks.size}  loss {loss:.9f}  accuracy {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
