"""What a HorovodJob of Flyte's runs: gradients of two ranks, averaged, on one model."""

from flytekit import Resources, task
from flytekitplugins.kfmpi import HorovodJob, Launcher, Worker


@task(
    task_config=HorovodJob(
        worker=Worker(replicas=2, command=["/usr/sbin/sshd", "-De"]),
        launcher=Launcher(replicas=1),
    ),
    requests=Resources(cpu="100m"),
)
def fitted(steps: int) -> float:
    """Return the slope of y = 2x, learned by all ranks from the points that each has."""
    import horovod.torch as hvd
    import torch

    hvd.init()
    slope = torch.nn.Parameter(torch.zeros(1))
    plain = torch.optim.SGD([slope], lr=0.1)
    optimizer = hvd.DistributedOptimizer(plain, named_parameters=[("slope", slope)])
    x = torch.arange(1.0, 4.0) / (1 + hvd.rank())
    for _ in range(steps):
        optimizer.zero_grad()
        ((slope * x - 2 * x) ** 2).mean().backward()
        optimizer.step()
    print(f"rank {hvd.rank()} of {hvd.size()}: {slope.item():.4f}", flush=True)  # noqa: T201
    return slope.item()
