"""What a controller is told, and what is wrong with that."""

import argparse
from collections.abc import Mapping, Sequence

from msgspec import Struct

from mpijob.generate.openmpi.choices import Transfer

#: Without these nothing goes to S3 or comes from there.
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class WrongOrders(Exception):
    """What the controller is told cannot be done; the message says all of why."""


class Orders(Struct, frozen=True):
    """What a controller is to do.

    Args:
        namespace: Where the master is.
        master: The name of its pod.
        gpus: How many the worker has; with none there is no driver to wait for.
        timeout_s: How long it may take, from the start, until the worker can begin.
        download: What is brought before the worker begins, from S3 into a folder.
        upload: What is taken away when the master has ended, from a folder to S3.
        home: The home of mpijob whose journal has the master, on one machine; "" on a cluster.

    """

    namespace: str
    master: str
    gpus: int = 0
    timeout_s: int = 300
    download: Transfer | None = None
    upload: Transfer | None = None
    home: str = ""


def orders(words: Sequence[str], environment: Mapping[str, str]) -> Orders:
    """Return what the command line says.

    Raises:
        WrongOrders: Half of a transfer is missing, S3 is not meant, or there are no keys for it.
        SystemExit: The command line cannot be read; argparse has said why.

    """
    told = _parser().parse_args(words)
    wrong: list[str] = []
    download = _transfer("download-data", told.download_data_from, told.download_data_to, wrong)
    upload = _transfer("upload-data", told.upload_data_from, told.upload_data_to, wrong)
    for option, uri in (
        ("download-data-from", download.source if download else ""),
        ("upload-data-to", upload.target if upload else ""),
    ):
        if uri and not uri.startswith("s3://"):
            wrong.append(f"--{option} {uri}: this is no S3 URI; write s3://BUCKET/FOLDER")
    if download or upload:
        missing = " and ".join(name for name in CREDENTIALS if not environment.get(name))
        if missing:
            wrong.append(f"{missing}: not in the environment; name a Secret with it by --s3Secret")
    if wrong:
        raise WrongOrders("\n".join(wrong))
    return Orders(
        namespace=told.namespace,
        master=told.master,
        gpus=told.num_gpus,
        timeout_s=told.timeout_secs,
        download=download,
        upload=upload,
        home=told.home,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="openmpi-controller", allow_abbrev=False)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--master", required=True)
    parser.add_argument("--num-gpus", type=int, default=0)
    parser.add_argument("--timeout-secs", type=int, default=300)
    for name in ("download-data-from", "download-data-to", "upload-data-from", "upload-data-to"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--home", default="", help=argparse.SUPPRESS)
    return parser


def _transfer(stem: str, source: str, target: str, wrong: list[str]) -> Transfer | None:
    if source and target:
        return Transfer(source, target)
    if source or target:
        given, missing = ("from", "to") if source else ("to", "from")
        wrong.append(f"--{stem}-{missing} is missing beside --{stem}-{given}; give both or neither")
    return None
