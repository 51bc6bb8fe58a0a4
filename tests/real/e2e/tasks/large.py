"""Sends a function with much data to a cluster and has it come back, all through an object store.

Run in a Python that has s3fs. Its arguments: the cluster as JSON, an image, and how many bytes.
"""

import json
import sys

from msgspec.structs import replace

from mpijob.sdk import Cluster, MPIJob, Task, task


@task(task_config=MPIJob(num_workers=1, num_launcher_replicas=1))
def turned(content: bytes) -> bytes:
    """Return the content, last byte first."""
    return content[::-1]


if __name__ == "__main__":
    where, image, size = Cluster(**json.loads(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    sent = b"a" + bytes(size - 1)
    got = Task(turned.function, replace(turned.terms, where=where, container_image=image))(sent)
    print(len(got), got == sent[::-1])  # noqa: T201
