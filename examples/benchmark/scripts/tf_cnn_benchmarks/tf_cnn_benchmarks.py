"""How many pictures a second all ranks together learn from: the flags and the log of a known tool.

Every rank has a batch of random pictures, computes the gradient of its own, MPI adds the gradients
up, and all take the same step. It is real training, on the CPU and in numpy, of a network with as
many layers as the model that is named; the layers are small and dense. What is printed is measured.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# One thread a rank: the ranks are the parallelism, and there may be more of them than cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from mpi4py import MPI

#: How many layers each model has.
MODELS = {
    "trivial": 3,
    "lenet": 5,
    "alexnet": 8,
    "vgg11": 11,
    "vgg16": 16,
    "vgg19": 19,
    "resnet20": 20,
    "googlenet": 22,
    "inception3": 48,
    "resnet50": 50,
    "resnet101": 101,
    "resnet152": 152,
}
PIXELS, WIDTH = 32 * 32 * 3, 64
CLASSES = {"imagenet": 1000, "cifar10": 10}
MOMENTUM = 0.9
#: How far two ranks' numbers may be apart: an MPI may add them up in an order of each rank's own.
SAME = 1e-3
SEED = 2026


@dataclass(frozen=True)
class Layer:
    """A layer's weights and bias: views of the vector that has those of all layers."""

    weight: np.ndarray
    bias: np.ndarray


def layers_of(vector: np.ndarray, count: int, classes: int) -> list[Layer]:
    """Return the layers whose numbers stand in a vector, one behind the other."""
    shapes = [(PIXELS, WIDTH), *[(WIDTH, WIDTH)] * (count - 2), (WIDTH, classes)]
    found, at = [], 0
    for rows, columns in shapes:
        end = at + rows * columns
        weight = vector[at:end].reshape(rows, columns)
        found.append(Layer(weight, vector[end : end + columns]))
        at = end + columns
    return found


def size_of(count: int, classes: int) -> int:
    """Return how many numbers a model has."""
    inner = (count - 2) * (WIDTH + 1) * WIDTH
    return (PIXELS + 1) * WIDTH + inner + (WIDTH + 1) * classes


def first_model(count: int, classes: int) -> np.ndarray:
    """Return the numbers to begin with, the same on every rank: one seed, one stream."""
    dice = np.random.default_rng(SEED)
    vector = np.zeros(size_of(count, classes), np.float32)
    for layer in layers_of(vector, count, classes):
        rows = layer.weight.shape[0]
        layer.weight[:] = dice.normal(0, rows**-0.5, layer.weight.shape)
    return vector


def gradient(
    layers: Sequence[Layer], into: Sequence[Layer], pictures: np.ndarray, labels: np.ndarray
) -> float:
    """Put the gradient of the mean loss of these pictures into `into`, and return that loss.

    Each inner layer adds to what went into it, so that deep networks learn as well as flat ones.
    """
    first, *inner, last = layers
    share = np.float32(1 / max(len(inner), 1))
    seen = [np.tanh(pictures @ first.weight + first.bias)]
    changes = []
    for layer in inner:
        changes.append(np.tanh(seen[-1] @ layer.weight + layer.bias))
        seen.append(seen[-1] + share * changes[-1])
    scores = seen[-1] @ last.weight + last.bias
    likely = np.exp(scores - scores.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(-np.log(likely[rows, labels]).mean())

    back = likely
    back[rows, labels] -= 1
    back /= len(labels)
    into[-1].weight[:], into[-1].bias[:] = seen[-1].T @ back, back.sum(axis=0)
    back = back @ last.weight.T
    for at in range(len(inner) - 1, -1, -1):
        bent = share * back * (1 - changes[at] ** 2)
        into[at + 1].weight[:], into[at + 1].bias[:] = seen[at].T @ bent, bent.sum(axis=0)
        back = back + bent @ inner[at].weight.T
    bent = back * (1 - seen[0] ** 2)
    into[0].weight[:], into[0].bias[:] = pictures.T @ bent, bent.sum(axis=0)
    return loss


class Training:
    """One rank's part: a batch of its own, and the model that all of them have."""

    def __init__(self, ranks: MPI.Comm, asked: argparse.Namespace) -> None:
        count, classes = MODELS[asked.model], CLASSES[asked.data_name]
        self._ranks = ranks
        self._rate = np.float32(asked.init_learning_rate)
        dice = np.random.default_rng([SEED, ranks.rank])
        self._pictures = dice.standard_normal((asked.batch_size, PIXELS), np.float32)
        self._labels = dice.integers(classes, size=asked.batch_size)
        self.model = first_model(count, classes)
        self._sum, self._speed = np.zeros_like(self.model), np.zeros_like(self.model)
        self._layers = layers_of(self.model, count, classes)
        self._into = layers_of(self._sum, count, classes)

    def step(self) -> float:
        """Take one step together with all ranks, and return the loss of this rank's pictures."""
        loss = gradient(self._layers, self._into, self._pictures, self._labels)
        self._ranks.Allreduce(MPI.IN_PLACE, self._sum)
        self._speed *= MOMENTUM
        self._speed -= (self._rate / self._ranks.size) * self._sum
        self.model += self._speed
        return loss


def header(ranks: MPI.Comm, asked: argparse.Namespace) -> Iterator[str]:
    """Yield the lines that say what is measured."""
    whole = asked.batch_size * ranks.size
    pictures = {"imagenet": 1_281_167, "cifar10": 50_000}[asked.data_name]
    rows = {
        "TensorFlow": f"none, numpy {np.__version__}",
        "Model": asked.model,
        "Dataset": f"{asked.data_name} (synthetic)",
        "Mode": "training",
        "SingleSess": "False",
        "Batch size": f"{whole} global",
        "": f"{asked.batch_size} per device",
        "Num batches": str(asked.num_batches),
        "Num epochs": f"{asked.num_batches * whole / pictures:.2f}",
        "Devices": str([f"horovod/cpu:{rank}" for rank in range(ranks.size)]),
        "NUMA bind": "False",
        "Data format": asked.data_format,
        "Optimizer": asked.optimizer,
        "Variables": asked.variable_update,
    }
    for name, value in rows.items():
        yield f"{name + ':' if name else '':<13}{value}"


def progress(batch_size: int, took_s: Sequence[float]) -> str:
    """Return the speed so far, how sure it is, and how much steps differ (pictures a second)."""
    speeds = [batch_size / each for each in took_s]
    mean = batch_size * len(took_s) / sum(took_s)
    middle = statistics.median(speeds)
    jitter = 1.4826 * statistics.median(abs(speed - middle) for speed in speeds)
    unsure = statistics.pstdev(speeds) / len(speeds) ** 0.5
    return f"images/sec: {mean:.1f} +/- {unsure:.1f} (jitter = {jitter:.1f})"


def arguments() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    told = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    told.add_argument("--model", choices=MODELS, default="trivial")
    told.add_argument("--batch_size", type=int, default=32, help="of each rank")
    told.add_argument("--num_batches", type=int, default=100, help="how many steps are measured")
    told.add_argument("--num_warmup_batches", type=int, default=10, help="steps before those")
    told.add_argument("--display_every", type=int, default=10, help="steps between two lines")
    told.add_argument("--init_learning_rate", type=float, default=0.02)
    told.add_argument("--data_name", choices=CLASSES, default="imagenet")
    told.add_argument("--variable_update", choices=["horovod"], default="horovod")
    told.add_argument("--optimizer", choices=["sgd"], default="sgd")
    told.add_argument("--data_format", choices=["NCHW", "NHWC"], default="NCHW")
    return told


def main() -> int:
    """Train, and say how fast; return the exit code."""
    ranks = MPI.COMM_WORLD
    asked, unknown = arguments().parse_known_args()
    if unknown and ranks.rank == 0:
        print(f"without effect here: {' '.join(unknown)}", file=sys.stderr)
    if min(asked.batch_size, asked.num_batches, asked.display_every) < 1:
        print("batch_size, num_batches and display_every are at least 1", file=sys.stderr)
        return 2
    if ranks.rank == 0:
        print("\n".join(header(ranks, asked)), flush=True)
    training = Training(ranks, asked)
    for _ in range(asked.num_warmup_batches):
        training.step()
    took_s: list[float] = []
    for step in range(1, asked.num_batches + 1):
        began_at = time.perf_counter()
        loss = training.step()
        took_s.append(time.perf_counter() - began_at)
        if step == 1 or step % asked.display_every == 0:
            line = f"{step}\t{progress(asked.batch_size, took_s)}\t{loss:.3f}\n"
            # A rank's line in one piece, so that no other's gets into it.
            sys.stdout.write(line)
            sys.stdout.flush()
    total = ranks.reduce(asked.batch_size * len(took_s) / sum(took_s))
    furthest = float(np.abs(training.model - ranks.bcast(training.model)).max())
    if ranks.allreduce(furthest, MPI.MAX) > SAME:
        print("the ranks have not learned the same model", file=sys.stderr)
        return 1
    if ranks.rank == 0:
        print(f"{'-' * 64}\ntotal images/sec: {total:.2f}\n{'-' * 64}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
