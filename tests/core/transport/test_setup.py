"""Who sets up ssh: chosen once, and then kept."""

from dataclasses import replace

import pytest

from mpijob.core import transport
from mpijob.core.config import Config, Transport
from mpijob.core.transport import Setup
from mpijob.testing import worlds

OPEN = worlds.job()
WITHOUT = worlds.job(0)


def commanded(**said):
    container = {"name": "mpi", "image": "example/mpi:1", **said}
    return replace(
        OPEN, worker=replace(OPEN.worker, template={"spec": {"containers": [container]}})
    )


SSH, RSH = Config(), Config(transport=Transport.RSH)
CASES = {
    "ours, where the worker says nothing": (OPEN, SSH, None, Setup.OPERATOR),
    "an empty command says nothing": (commanded(command=[], args=[]), SSH, None, Setup.OPERATOR),
    "the image's, where the worker has a command": (
        commanded(command=["sh"]),
        SSH,
        None,
        Setup.IMAGE,
    ),
    "the image's, where the worker has arguments": (
        commanded(args=["sshd"]),
        SSH,
        None,
        Setup.IMAGE,
    ),
    "nobody to reach, nothing to set up": (WITHOUT, SSH, None, Setup.IMAGE),
    "a job of ours stays ours": (commanded(command=["sh"]), SSH, "operator", Setup.OPERATOR),
    "a job on its image's stays there": (OPEN, SSH, "image", Setup.IMAGE),
    "a job that mpi-operator began keeps what it has": (OPEN, SSH, "", Setup.IMAGE),
    "a record that says nothing known": (OPEN, SSH, "something", Setup.IMAGE),
    "on one machine there is no ssh": (OPEN, RSH, None, Setup.AGENT),
    "on one machine there never is": (OPEN, RSH, "operator", Setup.AGENT),
}


@pytest.mark.parametrize(("job", "config", "recorded", "setup"), CASES.values(), ids=CASES)
def test_the_set_up_of_a_job(job, config, recorded, setup):
    assert transport.setup(job, config, recorded) is setup
