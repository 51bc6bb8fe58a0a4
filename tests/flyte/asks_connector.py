"""What Flyte asks of a connector for one execution of a task, asked in flytekit's Python.

It writes what it was answered as JSON: what stands in the job's metadata, and how the job was each
time. Its arguments: how often to look, and where outputs go.
"""

import asyncio
import json
import os
import sys
from collections import OrderedDict

import flytekit
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.extend.backend.base_connector import ConnectorRegistry
from flytekit.models.core.identifier import (
    Identifier,
    NodeExecutionIdentifier,
    ResourceType,
    TaskExecutionIdentifier,
    WorkflowExecutionIdentifier,
)
from flytekit.models.task import TaskExecutionMetadata
from flytekit.tools.translator import get_serializable
from flytekitplugins.kfmpi import MPIJob


@flytekit.task(task_config=MPIJob(num_workers=2, num_launcher_replicas=1, slots=2))
def train(n: int) -> int:
    """Return what the task is given."""
    return n


def template():
    """Return the task's template, as Flyte has it."""
    images = ImageConfig(Image("default", "example.com/train", "1"))
    settings = SerializationSettings(project="p", domain="d", version="v1", image_config=images)
    return get_serializable(OrderedDict(), settings, train).template


def metadata():
    """Return what Flyte says of the execution."""
    task = Identifier(ResourceType.TASK, "p", "d", "train", "v1")
    node = NodeExecutionIdentifier("n0", WorkflowExecutionIdentifier("p", "d", "f1"))
    return TaskExecutionMetadata(
        task_execution_id=TaskExecutionIdentifier(task, node, 1),
        namespace="p-d",
        labels={"execution-id": "f1"},
        annotations={},
        k8s_service_account="runner",
        environment_variables={"MODE": "fast"},
        identity=None,
    )


async def asked(looks, prefix):
    """Return what the connector answers."""
    connector = ConnectorRegistry.get_connector("mpi", 1)
    made = await connector.create(
        task_template=template(), output_prefix=prefix, task_execution_metadata=metadata()
    )
    # Flyte keeps it between two questions.
    kept = connector.metadata_type.decode(made.encode())
    answers = [await connector.get(resource_meta=kept) for _ in range(looks)]
    await connector.delete(resource_meta=kept)
    await connector.delete(resource_meta=kept)
    return {
        "meta": [kept.namespace, kept.name],
        "answers": [[answer.phase, answer.message] for answer in answers],
        "links": [link.uri for link in answers[-1].log_links],
    }


if __name__ == "__main__":
    # Credentials of this machine are none of the test's business.
    os.environ.pop("KUBERNETES_SERVICE_HOST", None)
    json.dump(asyncio.run(asked(int(sys.argv[1]), sys.argv[2])), sys.stdout)
