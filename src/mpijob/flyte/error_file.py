"""What a task raised, as its ranks leave it beside their outputs. It needs flytekit."""

import os
import tempfile
from typing import NamedTuple

from flyteidl.core.errors_pb2 import ContainerError, ErrorDocument
from flytekit import FlyteContextManager
from flytekit.core.constants import ERROR_FILE_NAME
from flytekit.core.utils import load_proto_from_file


class Raised(NamedTuple):
    """What a rank of a task raised, with its traceback, and whether another try may help."""

    message: str
    is_recoverable: bool


async def raised(output_prefix: str) -> Raised | None:
    """Return what a rank of the task raised, None where none has said so."""
    access = FlyteContextManager.current_context().file_access
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, ERROR_FILE_NAME)
        try:
            await access.async_get_data(f"{output_prefix}/{ERROR_FILE_NAME}", path)
            document = load_proto_from_file(ErrorDocument, path)
        except Exception:  # noqa: BLE001  # Each store has errors of its own; without one, none.
            return None
    error = document.error
    return Raised(error.message, error.kind == ContainerError.RECOVERABLE)
