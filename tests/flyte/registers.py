"""A task of examples/flyte as Flyte has it when it is registered and about to be executed.

It writes the inputs into the folder that is named, and the task's template to stdout, as JSON. It
runs in flytekit's Python; with a second word, it reads the outputs there instead.
"""

import json
import sys
from collections import OrderedDict

from flyteidl.core.literals_pb2 import LiteralMap as Wire
from flytekit import FlyteContextManager
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.core.type_engine import TypeEngine
from flytekit.core.utils import load_proto_from_file, write_proto_to_file
from flytekit.tools.translator import get_serializable
from google.protobuf.json_format import MessageToDict


def registered(folder):
    """Return the template, with the inputs written."""
    import train

    context = FlyteContextManager.current_context()
    given = {"pictures": 2000, "epochs": 1}
    hints = train.mpi_task.python_interface.inputs
    literals = TypeEngine.dict_to_literal_map(context, given, type_hints=hints)
    write_proto_to_file(literals.to_flyte_idl(), f"{folder}/inputs.pb")
    images = ImageConfig(Image("default", "example.com/train", "1"))
    settings = SerializationSettings(project="p", domain="d", version="v1", image_config=images)
    template = get_serializable(OrderedDict(), settings, train.mpi_task).template
    return MessageToDict(template.to_flyte_idl())


def returned(folder):
    """Return what the ranks wrote."""
    outputs = load_proto_from_file(Wire, f"{folder}/outputs.pb")
    return MessageToDict(outputs)["literals"]["o0"]["scalar"]["primitive"]["floatValue"]


if __name__ == "__main__":
    folder, *more = sys.argv[1:]
    json.dump(returned(folder) if more else registered(folder), sys.stdout)
