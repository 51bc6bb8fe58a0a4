"""`python -m harness`: bring up a cluster on this machine for a person, and take it down again."""

import argparse
import os
import sys
from pathlib import Path

from harness import real_node, registry
from harness.binaries import BINARIES, CONTROL_PLANE, FAKE_NODES, REAL_NODES, cache_folder, provided
from harness.packages import unpacked
from harness.processes import Broken
from harness.shape import Shape
from harness.supervisor import Place, described, launch, serve, supervisor_of, take_down
from harness.unavailable import Unavailable


def main() -> int:
    """Do what the command line says; return the exit code."""
    options = _parser().parse_args()
    try:
        match options.command:
            case "build":
                _build(options.fake_nodes, options.nodes)
            case "up":
                _up(Place(options.folder), _shape(options))
            case "down":
                _down(Place(options.folder))
            case "serve":
                serve(options.folder, _shape(options), while_used=options.while_used)
    except (Unavailable, Broken) as error:
        print(f"no cluster: {error}", file=sys.stderr)  # noqa: T201
        # Who may skip nothing, as CI, has failed already; others are told.
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="harness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("build", "find or build the programs that a cluster is made of"),
        ("up", "bring a cluster up and print how to use it"),
        ("serve", "bring a cluster up and stay with it"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--fake-nodes", type=int, default=20, metavar="N")
        command.add_argument("--nodes", type=int, default=1, metavar="N")
        if name == "up":
            command.add_argument("--folder", type=Path, default=_folder())
        if name == "serve":
            command.add_argument("folder", type=Path)
            command.add_argument("--while-used", action="store_true")
            command.add_argument("--no-controllers", action="store_true")
    down = commands.add_parser("down", help="take the cluster down and leave nothing behind")
    down.add_argument("--folder", type=Path, default=_folder())
    return parser


def _folder() -> Path:
    """Return the folder of the cluster that a person brings up: short, since sockets lie there."""
    return cache_folder() / "cluster"


def _shape(options: argparse.Namespace) -> Shape:
    return Shape(
        fake_node_count=options.fake_nodes,
        node_count=options.nodes,
        has_controllers=not getattr(options, "no_controllers", False),
    )


def _build(fake_node_count: int, node_count: int) -> None:
    names = [*CONTROL_PLANE]
    names += FAKE_NODES if fake_node_count else ()
    names += REAL_NODES if node_count else ()
    for name, path in provided(names).items():
        print(f"{name:24} {BINARIES[name].version:10} {path}", flush=True)  # noqa: T201
    if node_count:
        unpacked(real_node.PACKAGES)
        unpacked(registry.PACKAGES)


def _up(place: Place, shape: Shape) -> None:
    handle = supervisor_of(place)
    if handle is not None:
        os.close(handle)
        print("the cluster is up already; `make cluster-down` takes it down")  # noqa: T201
    else:
        _build(shape.fake_node_count, shape.node_count)
        launch(place, shape, [])
    try:
        cluster = described(place)
    except (Unavailable, Broken):
        take_down(place)
        raise
    kubectl = cluster.binaries["kubectl"]
    print(  # noqa: T201
        f"\nexport KUBECONFIG={cluster.kubeconfig}\n{kubectl} get nodes\n\n"
        f"Logs are in {place.folder}. `make cluster-down` takes it down."
    )


def _down(place: Place) -> None:
    was_there = take_down(place)
    print("the cluster is gone" if was_there else "there was no cluster")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
