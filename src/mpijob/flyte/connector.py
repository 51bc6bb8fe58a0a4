"""A connector of flytekit for tasks of type `mpi`: a Flyte without the Go plugin runs MPI by it.

Flyte asks it to make a job, how the job is, and to delete it. It is stateless: what it has to know
again is in what it returns. It needs flytekit, and is imported by `plugin` alone.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from flyteidl.core.execution_pb2 import TaskExecution, TaskLog
from flytekit.extend.backend.base_connector import AsyncConnectorBase, Resource, ResourceMeta
from flytekit.models.literals import LiteralMap
from flytekit.models.task import TaskExecutionMetadata, TaskTemplate
from google.protobuf.json_format import MessageToDict

from mpijob.api.flyte import FlytePhase
from mpijob.core import names
from mpijob.core.draft import WORKER
from mpijob.core.job import Key, Manifest
from mpijob.flyte import error_file, jobs, translate
from mpijob.flyte.command_line import for_any_open_mpi
from mpijob.flyte.generated_name import generated_name
from mpijob.flyte.template import Execution, read

TASK_TYPE = "mpi"
#: The versions of the payload that flytekit's plugin wrote.
TASK_TYPE_VERSIONS = (0, 1)
#: In the connector's environment: where a pod's log is shown, as `https://…/{namespace}/{pod}`.
LOG_LINK = "MPIJOB_FLYTE_LOG_LINK"
#: Has a rank whose task raised end badly: else mpirun, and with it the job, would succeed.
FAIL_ON_ERROR = {"FLYTE_FAIL_ON_ERROR": "1"}

_PHASES = {
    FlytePhase.QUEUED: TaskExecution.QUEUED,
    FlytePhase.RUNNING: TaskExecution.RUNNING,
    FlytePhase.SUCCEEDED: TaskExecution.SUCCEEDED,
    FlytePhase.FAILED: TaskExecution.RETRYABLE_FAILED,
}


@dataclass
class MPIJobMeta(ResourceMeta):
    """Which job an execution has, and where its ranks write what they return."""

    namespace: str
    name: str
    output_prefix: str


class MPIJobConnector(AsyncConnectorBase):
    """Makes a v1 MPIJob of each execution of a task, as Flyte's backend does."""

    name = "MPIJob Connector"

    def __init__(self, version: int) -> None:
        """Be the connector for the tasks of a version of the payload."""
        super().__init__(
            task_type_name=TASK_TYPE, task_type_version=version, metadata_type=MPIJobMeta
        )

    async def create(
        self,
        task_template: TaskTemplate,
        output_prefix: str,
        inputs: LiteralMap | None = None,  # noqa: ARG002  # Ranks read them where Flyte put them.
        task_execution_metadata: TaskExecutionMetadata | None = None,
        **_: Any,
    ) -> MPIJobMeta:
        """Make the job of one execution. Raises BadTaskSpecification, NotServed, Refused."""
        template = read(MessageToDict(task_template.to_flyte_idl()))
        execution = execution_of(task_execution_metadata)
        job = for_any_open_mpi(translate.job(template, execution))
        async with jobs.of_the_cluster() as objects:
            await jobs.create(objects, job)
        return MPIJobMeta(execution.namespace, execution.name, output_prefix)

    async def get(self, resource_meta: MPIJobMeta, **_: Any) -> Resource:
        """Return how the job is; of one that has ended, what its task raised, if it did.

        Its ranks may have ended with exit code 0 all the same.
        """
        async with jobs.of_the_cluster() as objects:
            job = await jobs.found(objects, Key(resource_meta.namespace, resource_meta.name))
        read_as, message = jobs.told(job, datetime.now(UTC))
        phase = _PHASES[read_as]
        if read_as in (FlytePhase.FAILED, FlytePhase.SUCCEEDED):
            raised = await error_file.raised(resource_meta.output_prefix)
            if raised is not None:
                message = raised.message
                # As with Flyte's own backend, retries are for what a task raises as recoverable.
                again = _PHASES[FlytePhase.FAILED]
                phase = again if raised.is_recoverable else TaskExecution.FAILED
        return Resource(
            phase=phase,
            message=message,
            log_links=_log_links(job),
            custom_info=dict(job.get("status") or {}) if job else None,
        )

    async def delete(self, resource_meta: MPIJobMeta, **_: Any) -> None:
        """Delete the job with all its pods, where it is not gone already."""
        async with jobs.of_the_cluster() as objects:
            await jobs.delete(objects, Key(resource_meta.namespace, resource_meta.name))


def execution_of(metadata: TaskExecutionMetadata | None) -> Execution:
    """Return the execution that Flyte tells of; without a word of it, one of its own name."""
    if metadata is None:
        name = f"mpi-{uuid4().hex[:10]}"
        told = (name, "flytesnacks", "development")
        return Execution(name, "default", environment=FAIL_ON_ERROR, id=told)
    attempt = metadata.task_execution_id
    task, node = attempt.task_id, attempt.node_execution_id
    execution = node.execution_id
    return Execution(
        name=generated_name(execution.name, node.node_id, attempt.retry_attempt),
        namespace=metadata.namespace,
        labels=dict(metadata.labels or {}),
        annotations=dict(metadata.annotations or {}),
        service_account=metadata.k8s_service_account or "",
        environment={**(metadata.environment_variables or {}), **FAIL_ON_ERROR},
        id=(execution.name, execution.project, execution.domain),
        task=(task.project, task.domain, task.name, task.version),
        attempt=attempt.retry_attempt,
    )


def _log_links(job: Manifest | None) -> list[TaskLog]:
    """Return where the workers' logs are shown, if anybody says so.

    As with Flyte's backend, the launcher has none: its pod's name is not known beforehand.
    """
    link = os.environ.get(LOG_LINK, "")
    if not link or job is None:
        return []
    namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
    count = job["spec"]["mpiReplicaSpecs"].get(WORKER, {}).get("replicas") or 0
    pods = [names.worker(name, index) for index in range(count)]
    return [
        TaskLog(
            uri=link.format(namespace=namespace, pod=pod), name=pod, message_format=TaskLog.JSON
        )
        for pod in pods
    ]
