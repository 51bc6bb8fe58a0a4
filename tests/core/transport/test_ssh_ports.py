"""Where the sshd of ours listens on a node's network."""

from hypothesis import given
from hypothesis import strategies as st

from mpijob.core.transport.ssh_ports import host_port

OUTGOING = range(32768, 61000)
NODE_PORTS = range(30000, 32768)
# ActiveMQ, Amazon's network plugin, Mumble.
KNOWN = (61616, 61678, 61679, 64738)


@given(st.text())
def test_a_port_is_nobody_elses(uid):
    port = host_port(uid)
    assert 1024 < port < 65536
    assert port not in (*OUTGOING, *NODE_PORTS, *KNOWN)


def test_a_job_keeps_its_port_from_version_to_version():
    assert host_port("0b7d1a4c-5c1e-4f0a-9a53-6a6f0d3b2c11") == 64892


def test_ports_are_spread():
    jobs = range(400)
    assert len({host_port(f"job-{number}") for number in jobs}) > len(jobs) * 0.9
