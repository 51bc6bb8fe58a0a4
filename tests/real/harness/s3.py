"""A real S3 server: rclone's, over a folder that has its buckets."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.binaries import S3_SERVERS, provided
from harness.ports import LOOPBACK, free_port
from harness.processes import Broken

ID, SECRET = "someone", "secret"


@contextmanager
def serving(folder: Path, address: str = LOOPBACK) -> Iterator[int]:
    """Serve the folders in a folder as buckets, and return at which port. Raises Broken."""
    program = provided(S3_SERVERS)["rclone"]
    port = free_port(address)
    words = ["serve", "s3", f"--addr={address}:{port}", f"--auth-key={ID},{SECRET}", str(folder)]
    server = subprocess.Popen([program, *words], stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        if not any("Starting s3 server" in line or "Serving" in line for line in server.stderr):
            raise Broken(f"rclone does not serve {folder}: exit {server.wait()}")
        drain = threading.Thread(target=server.stderr.read)
        drain.start()
        try:
            yield port
        finally:
            server.kill()
            drain.join()
    finally:
        server.kill()
        server.wait()
        server.stderr.close()
