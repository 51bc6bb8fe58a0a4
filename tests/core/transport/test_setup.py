"""Who sets up ssh: chosen once, and then kept."""

import pytest
from msgspec.structs import replace

from mpijob.core import transport
from mpijob.core.config import Config, Transport
from mpijob.core.transport import Setup
from mpijob.core.transport.ssh_ports import host_port
from mpijob.testing import worlds

OPEN = worlds.job()
WITHOUT = worlds.job(0)


def commanded(**said):
    container = {"name": "mpi", "image": "example/mpi:1", **said}
    return replace(
        OPEN, worker=replace(OPEN.worker, template={"spec": {"containers": [container]}})
    )


def on_host(role="worker"):
    """A job of which one role is on its nodes' network."""
    container = {"name": "mpi", "image": "example/mpi:1"}
    replica = getattr(OPEN, role)
    template = {"spec": {"containers": [container], "hostNetwork": True}}
    return replace(OPEN, **{role: replace(replica, template=template)})


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
    "ours, on the nodes' network": (on_host(), SSH, None, Setup.OPERATOR_ON_HOST),
    "the launcher listens nowhere": (on_host("launcher"), SSH, None, Setup.OPERATOR),
    "a job keeps its port when it leaves the nodes' network": (
        OPEN,
        SSH,
        "operator-host-network",
        Setup.OPERATOR_ON_HOST,
    ),
    "a job keeps its port when it moves there": (on_host(), SSH, "operator", Setup.OPERATOR),
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


PORTS = {Setup.OPERATOR: 2222, Setup.OPERATOR_ON_HOST: host_port(worlds.UID)}


@pytest.mark.parametrize(("setup", "port"), PORTS.items(), ids=PORTS)
def test_all_that_speaks_of_the_port_speaks_of_the_same(setup, port):
    texts = transport.files(OPEN, setup)
    prepared = transport.launcher(OPEN, Config(), setup).preparation.command
    found = (
        transport.ssh_port(OPEN, setup),
        transport.worker(OPEN, setup).port,
        f"\n    Port {port}\n" in texts["ssh_config"],
        f"Port {port}\n" in texts["sshd_config"],
        str(port) in prepared,
    )
    assert found == (port, port, True, True, True)
