"""Flyte's MPI tasks on real ranks of this machine, where flytekit runs them locally.

flytekit would call the function once, in its own process. Here the task's command line is run, on
as many hosts and ranks as it says. It needs flytekit, and is imported by `plugin` alone.
"""

import inspect
import os
import sys
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from flyteidl.core import literals_pb2
from flytekit import FlyteContext, FlyteContextManager, PythonFunctionTask
from flytekit.configuration import ImageConfig, SerializationSettings
from flytekit.core.type_engine import TypeEngine
from flytekit.core.utils import load_proto_from_file, write_proto_to_file
from flytekit.exceptions.user import FlyteUserException
from flytekit.models.literals import LiteralMap
from flytekit.tools.translator import get_serializable
from google.protobuf.json_format import MessageToDict

from mpijob.api.new_job import named_after
from mpijob.flyte import error_file, here, translate
from mpijob.flyte.command_line import ending_together, for_any_open_mpi
from mpijob.flyte.connector import FAIL_ON_ERROR
from mpijob.flyte.template import Execution, Paths, read
from mpijob.sdk.errors import JobError
from mpijob.sdk.launcher_output import to_stdout
from mpijob.sdk.waiting import waited


def run_on_ranks(task: type[Any]) -> None:
    """Have the tasks of a class run on real ranks where they are run locally."""
    plain = task.execute

    def execute(self: PythonFunctionTask[Any], **inputs: Any) -> Any:
        context = FlyteContextManager.current_context()
        state = context.execution_state
        if state is None or not state.is_local_execution():
            return plain(self, **inputs)
        return executed(context, self, inputs)

    task.execute = execute


def executed(
    context: FlyteContext, task: PythonFunctionTask[Any], inputs: dict[str, Any]
) -> LiteralMap:
    """Run a task's command line as a job on this machine, and return what its ranks wrote.

    Raises:
        FlyteUserException: the task raised, or its job failed.

    """
    prefix = context.file_access.get_random_local_directory()
    hints = task.python_interface.inputs
    literals = TypeEngine.dict_to_literal_map(context, inputs, type_hints=hints)
    paths = Paths(
        input=f"{prefix}/inputs.pb",
        input_prefix=prefix,
        output_prefix=prefix,
        raw_output_prefix=f"{prefix}/raw",
        checkpoint_prefix=f"{prefix}/checkpoint",
    )
    write_proto_to_file(literals.to_flyte_idl(), paths.input)
    settings = SerializationSettings(
        image_config=ImageConfig.auto_default_image(),
        project="flytesnacks",
        domain="development",
        version="local",
        python_interpreter=sys.executable,
    )
    template = get_serializable(OrderedDict(), settings, task).template
    name = f"{named_after([task.task_function.__name__])}-{uuid4().hex[:5]}"
    execution = Execution(
        name,
        "default",
        environment={
            "PYTHONPATH": _import_path(task),
            "PYTHONUNBUFFERED": "1",
            **FAIL_ON_ERROR,
        },
        id=(name, "flytesnacks", "development"),
        paths=paths,
    )
    made = translate.job(read(MessageToDict(template.to_flyte_idl())), execution)
    job = for_any_open_mpi(made)
    if find_spec("mpi4py") is not None:
        job = ending_together(job)
    failed = None
    try:
        waited(lambda: here.run(job, to_stdout, _tell))
    except JobError as failure:
        failed = failure
    # A task that raised may have ended its ranks with exit code 0.
    raised = waited(lambda: error_file.raised(prefix))
    if raised is not None:
        raise FlyteUserException(raised.message)
    if failed is not None:
        raise FlyteUserException(str(failed)) from failed
    return _outputs(task, prefix)


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201  # It is what the user of a terminal sees.


def _import_path(task: PythonFunctionTask[Any]) -> str:
    """Return where ranks look for modules: first where the task's own is, read as a file here."""
    module = task.task_function.__module__
    root = Path(inspect.getfile(task.task_function)).absolute().parents[module.count(".")]
    folders = [root, *(Path(folder).absolute() for folder in sys.path)]
    return os.pathsep.join(dict.fromkeys(map(str, folders)))


def _outputs(task: PythonFunctionTask[Any], prefix: str) -> LiteralMap:
    """Return what the ranks of a task wrote."""
    if not task.python_interface.outputs:
        return LiteralMap({})
    path = f"{prefix}/outputs.pb"
    if not os.path.exists(path):
        raise FlyteUserException(
            f"no rank of {task.name} returned anything: all of them raised IgnoreOutputs"
        )
    return LiteralMap.from_flyte_idl(load_proto_from_file(literals_pb2.LiteralMap, path))
