"""The addresses of a job's hosts on this machine, as a pod's /etc/hosts says them."""

from collections.abc import Iterable, Sequence

#: 127.0.1.1 and on: the whole of 127.0.0.0/8 is this machine, and 127.0.0.1 is taken.
_FIRST = (127 << 24) + (1 << 8) + 1


def address(index: int) -> str:
    """Return the loopback address of the job's host number `index`, from 0.

    Every host has one of its own. With one and the same for all, Open MPI 4 takes all hosts for
    the one it runs on.
    """
    number = _FIRST + index
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def hosts_file(names: Iterable[Sequence[str]], machine: str) -> str:
    """Return an /etc/hosts in which each host of the job has its address.

    Args:
        names: For each host in order, the names it goes by: "pi-worker-0.pi.default.svc" and
            "pi-worker-0".
        machine: The machine's own file, which is kept, but where it speaks of the same names.

    """
    entries = [(address(index), [*host]) for index, host in enumerate(names)]
    ours = {name for _, host in entries for name in host}
    lines = [f"{place}\t{' '.join(host)}" for place, host in entries]
    for line in machine.splitlines():
        known = line.partition("#")[0].split()[1:]
        if not ours.intersection(known):
            lines.append(line)
    return "\n".join(lines) + "\n"
