"""PyTorch's DistributedDataParallel, whose processes are an MPI job's ranks.

PyTorch is needed where the ranks run alone: the image, on a cluster.
"""

from mpijob.sdk import MPIJob, task


@task(
    task_config=MPIJob(num_workers=2, num_launcher_replicas=1),
    environment={"OMP_NUM_THREADS": "1"},
)
def fitted(steps: int) -> list[float]:
    """Return the weights of a line that two ranks fit to points of their own."""
    import os
    import socket

    from mpi4py import MPI

    # What PyTorch asks its environment for, MPI knows: who I am, how many we are, where we meet.
    ranks = MPI.COMM_WORLD
    with socket.socket() as door:
        door.bind(("", 0))
        meeting = ranks.bcast((socket.gethostbyname(socket.gethostname()), door.getsockname()[1]))
    os.environ["RANK"], os.environ["WORLD_SIZE"] = str(ranks.rank), str(ranks.size)
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = meeting[0], str(meeting[1])

    import torch
    from torch.nn.parallel import DistributedDataParallel

    torch.distributed.init_process_group("gloo")
    torch.manual_seed(2026)
    model = DistributedDataParallel(torch.nn.Linear(1, 1))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    # Rank 0 knows the left half of the line y = 2x + 1, rank 1 the right half.
    mine = torch.linspace(ranks.rank - 1, ranks.rank, 64).reshape(-1, 1)
    for step in range(steps):
        optimiser.zero_grad()
        loss = torch.nn.functional.mse_loss(model(mine), 2 * mine + 1)
        # Gradients are averaged over the ranks on the way back.
        loss.backward()
        optimiser.step()
        if ranks.rank == 0 and step % 50 == 0:
            print(f"step {step:3}  loss {loss.item():.6f}")
    torch.distributed.destroy_process_group()
    return [parameter.item() for parameter in model.parameters()]


if __name__ == "__main__":
    slope, height = fitted(200)
    print(f"y = {slope:.3f} x + {height:.3f}")
