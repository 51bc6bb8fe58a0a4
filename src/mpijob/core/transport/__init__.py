"""How a launcher starts ranks on a host. One module a way; each adds its parts to the pods."""

from enum import StrEnum
from typing import assert_never

from mpijob.core import options
from mpijob.core.config import Config, Transport
from mpijob.core.job import MPIJob
from mpijob.core.transport import kubexec, rsh, ssh, ssh_ports
from mpijob.core.transport.parts import Parts


class Setup(StrEnum):
    """Who makes a job's hosts reachable. Chosen once a job, and recorded on its ConfigMap.

    OPERATOR: we do, by ssh, with keys, configuration and an sshd command of ours.
    OPERATOR_ON_HOST: the same, on a port of the job's own: its workers are on their nodes' network.
    IMAGE: the image does, by ssh, as mpi-operator has it.
    EXEC: the API server does, by `kubectl exec`; there is no ssh.
    AGENT: the local backend's remote shell does; there is no ssh.
    """

    OPERATOR = "operator"
    OPERATOR_ON_HOST = "operator-host-network"
    IMAGE = "image"
    EXEC = "exec"
    AGENT = "agent"

    @property
    def is_ours(self) -> bool:
        """Whether ssh is set up by us."""
        return self in (Setup.OPERATOR, Setup.OPERATOR_ON_HOST)


def setup(job: MPIJob, config: Config, recorded: str | None) -> Setup:
    """Return who makes the job's hosts reachable.

    A job for `kubectl exec`, as those of older versions are unless they choose ssh, needs an
    operator that can bring kubectl. A worker template with a command of its own brings a set-up of
    its own, which is left alone.
    What was recorded wins over what the template says now, since the pods of a job must agree.

    Args:
        job: The job; without workers there is nobody to reach, and nothing is set up.
        config: Says which transport this operator uses.
        recorded: What the job's ConfigMap has under `options.SSH_SETUP`: None where there is no
            ConfigMap yet, "" where it is silent. A silent one was made by mpi-operator, and its
            job keeps what it started with.

    """
    if config.transport is Transport.RSH:
        return Setup.AGENT
    execs = _execs(job) and bool(config.kubectl_delivery_image)
    if recorded is not None:
        known = (Setup.OPERATOR, Setup.OPERATOR_ON_HOST, Setup.EXEC)
        otherwise = Setup.EXEC if execs and not recorded else Setup.IMAGE
        return next((setup for setup in known if setup == recorded), otherwise)
    if execs:
        return Setup.EXEC
    if job.worker is None or not ssh.may_own(job.worker.template):
        return Setup.IMAGE
    on_host = job.worker.template["spec"].get("hostNetwork")
    return Setup.OPERATOR_ON_HOST if on_host else Setup.OPERATOR


def _execs(job: MPIJob) -> bool:
    """Say whether ranks are to be started by exec, in the job's own word or its version's."""
    chosen = options.execs(job.identity.annotations)
    return job.ways.execs if chosen is None else chosen


def ssh_port(job: MPIJob, setup: Setup) -> int:
    """Return where the workers' sshd listens, as far as it is ours."""
    on_host = setup is Setup.OPERATOR_ON_HOST
    return ssh_ports.host_port(job.uid) if on_host else ssh_ports.POD_PORT


def ssh_options(setup: Setup) -> str | None:
    """Return what `ssh` is called with, "" where the image knows, None where it is not ssh."""
    match setup:
        case Setup.OPERATOR | Setup.OPERATOR_ON_HOST:
            return ssh.OPTIONS
        case Setup.IMAGE:
            return ""
        case Setup.EXEC | Setup.AGENT:
            return None
        case _:
            assert_never(setup)


def files(job: MPIJob, setup: Setup) -> dict[str, str]:
    """Return the texts that the transport keeps in the job's ConfigMap, by their keys."""
    match setup:
        case Setup.OPERATOR | Setup.OPERATOR_ON_HOST:
            return ssh.owned_files(job, ssh_port(job, setup))
        case Setup.IMAGE:
            return ssh.files()
        case Setup.EXEC:
            return kubexec.files(job)
        case Setup.AGENT:
            return {}
        case _:
            assert_never(setup)


def worker(job: MPIJob, setup: Setup) -> Parts:
    """Return what the transport adds to the job's workers."""
    match setup:
        case Setup.OPERATOR | Setup.OPERATOR_ON_HOST:
            return ssh.owned_worker(job, ssh_port(job, setup))
        case Setup.IMAGE:
            return ssh.worker(job)
        case Setup.EXEC:
            return kubexec.worker(job)
        case Setup.AGENT:
            return rsh.worker(job)
        case _:
            assert_never(setup)


def launcher(job: MPIJob, config: Config, setup: Setup) -> Parts:
    """Return what the transport adds to the job's launcher."""
    match setup:
        case Setup.OPERATOR | Setup.OPERATOR_ON_HOST:
            return ssh.owned_launcher(job, ssh_port(job, setup))
        case Setup.IMAGE:
            return ssh.launcher(job)
        case Setup.EXEC:
            return kubexec.launcher(job, config)
        case Setup.AGENT:
            return rsh.launcher(job)
        case _:
            assert_never(setup)
