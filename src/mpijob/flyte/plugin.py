"""What flytekit loads when it is imported: the connector, and real ranks for runs on this machine.

With `MPIJOB_FLYTE=here`, an MPI task that is run locally (by `pyflyte run`, or called from Python)
runs as it would on a cluster. Whatever keeps us from being of use, flytekit itself must load.
"""

import logging
import os

#: Set to HERE, MPI tasks that are run locally have real ranks.
SWITCH = "MPIJOB_FLYTE"
HERE = "here"


def register() -> None:
    """Register the connector. Raises ImportError where flytekit is older than it."""
    from flytekit.extend.backend.base_connector import ConnectorRegistry

    from mpijob.flyte.connector import TASK_TYPE_VERSIONS, MPIJobConnector

    for version in TASK_TYPE_VERSIONS:
        ConnectorRegistry.register(MPIJobConnector(version), override=True)


def switch() -> None:
    """Have MPI tasks run on real ranks, where that is wanted. Raises ImportError."""
    if os.environ.get(SWITCH) != HERE:
        return
    from flytekitplugins.kfmpi.task import MPIFunctionTask

    from mpijob.flyte.ranks import run_on_ranks

    run_on_ranks(MPIFunctionTask)


for part in (register, switch):
    try:
        part()
    except ImportError as lacking:
        needed = "mpijob is of no use to this flytekit, which must be 1.16 or later, with kfmpi: %s"
        logging.getLogger("flytekit").warning(needed, lacking)
