"""Data from S3 into a folder and back: whole files or none, tried again with growing pauses.

Any store that speaks S3 will do: `AWS_ENDPOINT_URL` says where, the other variables of AWS what
they say everywhere.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeVar

_log = logging.getLogger(__name__)
#: How often a request is tried, and how long (s) is waited before the second; then twice as long.
ATTEMPTS = 5
PAUSE_S = 1.0
#: How many files travel at the same time.
AT_ONCE = 8
_CONNECT_S, _READ_S = 10, 60

_T = TypeVar("_T")


class StoreFailed(Exception):
    """Data could not be brought or taken away; the message says which, and why."""


class Stopped(Exception):
    """Whoever asked for the data does not want it any more."""


class Place(NamedTuple):
    """A folder in a bucket; the prefix ends in a slash, or is empty."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, uri: str) -> "Place":
        """Return the folder that a URI means: `s3://BUCKET/FOLDER`."""
        bucket, _, folder = uri.removeprefix("s3://").partition("/")
        return cls(bucket, f"{folder.rstrip('/')}/" if folder.strip("/") else "")


class Errand(NamedTuple):
    """A file and the key of its object."""

    path: Path
    key: str
    size: int


class Store:
    """A store that speaks S3.

    Args:
        environment: What says where it is and who asks.
        pause: Waits so many seconds between two tries, and raises Stopped where nobody wants the
            data any more. It is also asked, with 0, while data is on its way.

    """

    def __init__(self, environment: Mapping[str, str], pause: Callable[[float], None]) -> None:
        self._client = _client(environment)
        self._pause = pause

    def download(self, uri: str, folder: Path) -> int:
        """Bring all that is below `uri` into a folder, and return how many files that was.

        A file has its name once it is whole. Raises StoreFailed, Stopped.
        """
        place = Place.of(uri)
        errands = self._tried(f"list {uri}", lambda: list(self._listed(place, folder)))
        _made(folder)
        self._run(f"download s3://{place.bucket}/", errands, self._downloaded(place.bucket))
        return len(errands)

    def upload(self, folder: Path, uri: str) -> int:
        """Take all files of a folder, or one file, to below `uri`; return how many it was.

        Raises StoreFailed, Stopped.
        """
        place = Place.of(uri)
        errands = list(_files(folder, place.prefix))
        self._run(f"upload s3://{place.bucket}/", errands, self._uploaded(place.bucket))
        return len(errands)

    # How it is done.

    def _listed(self, place: Place, folder: Path) -> Iterator[Errand]:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=place.bucket, Prefix=place.prefix):
            for row in page.get("Contents", ()):
                name = row["Key"].removeprefix(place.prefix)
                if name and not name.endswith("/"):  # So ends what stands for a folder.
                    yield Errand(_inside(folder, name), row["Key"], row["Size"])

    def _downloaded(self, bucket: str) -> Callable[[Errand], None]:
        settings = _transfers()

        def download(errand: Errand) -> None:
            _made(errand.path.parent)
            # It writes under another name, and renames what is whole.
            self._client.download_file(
                bucket, errand.key, str(errand.path), Config=settings, Callback=self._asked
            )

        return download

    def _uploaded(self, bucket: str) -> Callable[[Errand], None]:
        settings = _transfers()

        def upload(errand: Errand) -> None:
            self._client.upload_file(
                str(errand.path), bucket, errand.key, Config=settings, Callback=self._asked
            )

        return upload

    def _asked(self, _: int) -> None:
        self._pause(0)

    def _run(self, what: str, errands: list[Errand], act: Callable[[Errand], None]) -> None:
        def run(errand: Errand) -> None:
            self._tried(f"{what}{errand.key}", lambda: act(errand))

        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            for _ in pool.map(run, errands):
                pass
        finally:
            # The first that fails ends it all.
            pool.shutdown(wait=True, cancel_futures=True)

    def _tried(self, what: str, act: Callable[[], _T]) -> _T:
        """Return what an action returns, trying again where the store fails."""
        for attempt in range(1, ATTEMPTS + 1):
            self._pause(0)
            try:
                return act()
            except OSError as broken:
                raise StoreFailed(f"cannot {what}: {broken}") from broken
            except _troubles() as trouble:
                said = _said(trouble)
                if attempt == ATTEMPTS:
                    told = f"cannot {what}: {said} (tried {ATTEMPTS} times)"
                    raise StoreFailed(told) from trouble
                wait_s = PAUSE_S * 2 ** (attempt - 1)
                _log.warning("cannot %s: %s; tried again in %.0f s", what, said, wait_s)
            self._pause(wait_s)
        raise AssertionError("the last try returns or raises")


def _client(environment: Mapping[str, str]) -> Any:
    # Imported here: it takes longer to load than all the rest, and most workers have no data.
    try:
        import boto3
        from botocore.config import Config
    except ImportError as missing:
        raise StoreFailed(f"{missing}: `pip install 'mpijob[s3]'` brings it") from missing

    told: dict[str, Any] = {}
    elsewhere = environment.get("AWS_ENDPOINT_URL") or environment.get("AWS_ENDPOINT_URL_S3")
    if elsewhere and "AWS_REQUEST_CHECKSUM_CALCULATION" not in environment:
        # Checksums that only AWS takes in everywhere.
        told["request_checksum_calculation"] = "when_required"
        told["response_checksum_validation"] = "when_required"
    config = Config(
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        # Tried again here, and said.
        retries={"total_max_attempts": 1},
        max_pool_connections=4 * AT_ONCE,
        **told,
    )
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    return boto3.session.Session().client("s3", config=config, region_name=region or "us-east-1")


def _transfers() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(max_concurrency=4, num_download_attempts=1)


def _troubles() -> tuple[type[Exception], ...]:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return (Boto3Error, BotoCoreError, ClientError)


def _said(trouble: Exception) -> str:
    """Return what went wrong: the store's own words, where it has said some."""
    answer = getattr(trouble, "response", None)
    if not isinstance(answer, dict):
        return str(trouble)
    error, status = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    said = error.get("Message") or error.get("Code") or "no reason given"
    return f"HTTP {status.get('HTTPStatusCode', '?')}, {error.get('Code', '')}: {said}"


def _inside(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if ".." in parts or name.startswith("/"):
        raise StoreFailed(f"cannot download {name}: it would lie outside of {folder}")
    return folder.joinpath(*parts)


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as broken:
        raise StoreFailed(f"cannot make the folder {folder}: {broken}") from broken


def _files(folder: Path, prefix: str) -> Iterator[Errand]:
    """Yield the files below a folder; links are followed, each folder once."""
    if folder.is_file():
        yield Errand(folder, f"{prefix}{folder.name}", folder.stat().st_size)
        return
    seen: set[tuple[int, int]] = set()
    for where, folders, files in os.walk(folder, followlinks=True):
        found = os.stat(where)
        if (found.st_dev, found.st_ino) in seen:
            folders.clear()
            continue
        seen.add((found.st_dev, found.st_ino))
        for name in sorted(files):
            path = Path(where, name)
            if path.is_file():
                key = f"{prefix}{path.relative_to(folder).as_posix()}"
                yield Errand(path, key, path.stat().st_size)
