"""What Flyte asks of a connector's service, over gRPC, for one execution of a task.

It begins the service by flytekit's own command, asks, and ends it. Its arguments: the service's
port, that of its metrics, and where outputs go.
"""

import json
import subprocess
import sys
from pathlib import Path

import grpc
from asks_connector import metadata, template
from flyteidl.admin.agent_pb2 import CreateTaskRequest, DeleteTaskRequest, GetTaskRequest
from flyteidl.service.agent_pb2_grpc import AsyncAgentServiceStub

PYFLYTE = Path(sys.executable).with_name("pyflyte")


def asked(port, prefix):
    """Return how the job is, made and deleted by the service at a port."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result()
        service = AsyncAgentServiceStub(channel)
        request = CreateTaskRequest(
            template=template().to_flyte_idl(),
            output_prefix=prefix,
            task_execution_metadata=metadata().to_flyte_idl(),
        )
        meta = service.CreateTask(request).resource_meta
        about = {"task_type": "mpi", "resource_meta": meta}
        about["task_category"] = {"name": "mpi", "version": 1}
        answer = service.GetTask(GetTaskRequest(**about)).resource
        service.DeleteTask(DeleteTaskRequest(**about))
        return [answer.phase, answer.message]


if __name__ == "__main__":
    port, metrics, prefix = sys.argv[1:]
    words = [str(PYFLYTE), "serve", "connector", "--port", port, "--prometheus_port", metrics]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as service:
        try:
            json.dump(asked(port, prefix), sys.stdout)
        finally:
            service.terminate()
