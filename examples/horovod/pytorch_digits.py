"""Data-parallel training with Horovod and PyTorch: ranks learn to read digits together.

Every rank has its share of the pictures; Horovod averages the gradients of all. In the end ranks
compare what they have learned, and rank 0 says how well it went.
"""

import os
from pathlib import Path

# Gradients are few and small here: Horovod need not wait for more before it sends them.
os.environ.setdefault("HOROVOD_CYCLE_TIME", "1")

import horovod.torch as hvd
import numpy as np
import torch
from torch import nn

#: Rows of 64 pixels from 0 to 16, and the digit that they show.
DATA = Path(__file__).resolve().parent / "digits.csv.gz"
#: Every fifth picture is kept back: what the model never saw tells how good it is.
TEST_EVERY = 5
HIDDEN = 32
EPOCHS = 40
RATE = 0.5
MOMENTUM = 0.9
SEED = 2026


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """Return all pictures, a row of pixels from 0 to 1 each, and the digits that they show."""
    rows = np.loadtxt(DATA, delimiter=",", dtype=np.float32)
    return torch.from_numpy(rows[:, :-1] / 16), torch.from_numpy(rows[:, -1]).long()


def trained(pixels: torch.Tensor, digits: torch.Tensor) -> nn.Module:
    """Return the model that all ranks learn together, each from its own pictures."""
    torch.manual_seed(SEED + hvd.rank())  # Ranks begin apart; rank 0's model is then everybody's.
    model = nn.Sequential(nn.Linear(64, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 10))
    plain = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    optimizer = hvd.DistributedOptimizer(plain, named_parameters=model.named_parameters())
    hvd.broadcast_parameters(model.state_dict(), root_rank=0)
    hvd.broadcast_optimizer_state(optimizer, root_rank=0)
    for epoch in range(1, EPOCHS + 1):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(pixels), digits)
        loss.backward()
        optimizer.step()
        mean = hvd.allreduce(loss.detach()).item()
        if hvd.rank() == 0 and epoch in (1, EPOCHS // 2, EPOCHS):
            print(f"epoch {epoch}  loss {mean:.4f}", flush=True)
    return model


def is_everybodys(model: nn.Module) -> bool:
    """Return whether every rank has learned the same model."""
    mine = torch.cat([part.detach().flatten() for part in model.parameters()])
    everyones = hvd.allgather(mine.unsqueeze(0))
    return bool((everyones == mine).all())


def main() -> None:
    """Train, test, and let rank 0 say how well it went."""
    hvd.init()
    torch.set_num_threads(1)  # The ranks are the parallelism, and there may be more than cores.
    pixels, digits = pictures()
    test = torch.arange(len(digits)) % TEST_EVERY == 0
    share = slice(hvd.rank(), None, hvd.size())
    model = trained(pixels[~test][share], digits[~test][share])
    if not is_everybodys(model):
        raise SystemExit(f"rank {hvd.rank()} has not learned what the others have")
    with torch.no_grad():
        right = (model(pixels[test]).argmax(1) == digits[test]).float().mean().item()
    if hvd.rank() == 0:
        print(f"ranks {hvd.size()}  accuracy {right:.4f}", flush=True)


if __name__ == "__main__":
    main()
