"""The rsh agent: what mpirun runs instead of ssh to start a daemon on another host of the job.

The runtime copies this file into the job's folder, with the interpreter in its first line. It is
started once a host, so it imports next to nothing. It hands its own input and outputs to the
runtime, which runs the command in the host's pod, and ends as the command ends. When it dies
before, the command is hung up on.
"""

import _socket
import os
import sys

#: The environment variable that names the folder with the runtime's socket.
FOLDER = "MPIJOB_RSH_FOLDER"
SOCKET = "rsh.socket"
#: ssh's and rsh's options that take a value; all others stand alone.
_VALUED = "bceilmopBDEFIJLOPQRSWw"
#: What ssh returns where the host could not be reached.
UNREACHABLE = 255


def host_and_command(arguments: list[str]) -> tuple[str, str]:
    """Return the host and the command line of an ssh call: `[options] [user@]host command …`."""
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        if option == "--":
            break
        flags = option[1:]
        for position, flag in enumerate(flags):
            if flag in _VALUED:
                if position == len(flags) - 1 and rest:
                    rest.pop(0)
                break
    if not rest:
        return "", ""
    return rest[0].rpartition("@")[2], " ".join(rest[1:])


def _failed(message: str) -> int:
    # Not sys.stderr, which is None where the caller has closed it.
    os.write(2, os.fsencode(f"mpijob: {message}\n"))
    return UNREACHABLE


def main(arguments: list[str]) -> int:
    """Run a command on another host of this job; return its exit code."""
    host, command = host_and_command(arguments)
    folder = os.environ.get(FOLDER, "")
    if not host or not command:
        return _failed("rsh: no host or no command; usage: rsh [options] HOST COMMAND...")
    if not folder:
        return _failed(f"rsh: {FOLDER} is not set; this agent works inside a job's pods only")
    # First of all: a socket would take the number of a stream that is closed.
    stdio = b"".join(number.to_bytes(4, sys.byteorder) for number in _stdio())
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    try:
        os.chdir(folder)
        connection.connect(SOCKET)
        connection.sendmsg(
            [os.fsencode(f"{host}\0{command}")],
            [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, stdio)],
        )
        answer, _, rest = connection.recv(1 << 16).decode(errors="replace").partition(" ")
    except OSError as refused:
        return _failed(f'host "{host}": the runtime of this job does not answer: {refused}')
    if answer == "exit":
        return int(rest)
    return _failed(f'host "{host}" is not there: {rest or "its pod ended"}')


def _stdio() -> list[int]:
    """Return the descriptors 0, 1 and 2, or /dev/null in place of one that is closed."""
    numbers = []
    for number in range(3):
        try:
            os.fstat(number)
            numbers.append(number)
        except OSError:
            numbers.append(os.open(os.devnull, os.O_RDWR))
    return numbers


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
