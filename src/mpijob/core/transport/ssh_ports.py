"""The port on which the sshd of ours listens.

Pods with a network of their own all take the same. Pods on their nodes' network share its ports
with the node's own programs and with other jobs: there each job has a port of its own, which is
declared, so that the scheduler keeps two pods with one port apart.
"""

from zlib import crc32

#: Where the pod has a network of its own.
POD_PORT = 2222

#: On a node's network: beyond the ports that Linux draws for outgoing connections (32768-60999)
#: and those of NodePort Services (30000-32767).
_HOST_PORTS = range(61000, 65536)
#: What other programs are known to take there: Glances, ActiveMQ, Amazon's network plugin and
#: container agent, Apple's device services, Mumble.
_KNOWN = frozenset((61208, 61209, *range(61613, 61618), *range(61678, 61681), 62078, 64738))
_FREE = tuple(port for port in _HOST_PORTS if port not in _KNOWN)


def host_port(uid: str) -> int:
    """Return the port of the job with that uid on its nodes' network: always the same."""
    return _FREE[crc32(uid.encode()) % len(_FREE)]
