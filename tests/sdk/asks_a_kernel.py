"""A notebook's kernel, asked to call a task: writes as JSON what it has a notebook show.

Its argument: the cell's text. Each row of its answer is the kind of message and its content.
"""

import json
import sys

from jupyter_client.manager import start_new_kernel

SHOWN = ("display_data", "update_display_data", "stream", "error")


def asked(client, cell):
    """Yield what is shown below a cell, until it has run."""
    asked = client.execute(cell)
    while True:
        message = client.get_iopub_msg()
        kind, content = message["msg_type"], message["content"]
        if kind in SHOWN:
            yield kind, content
        is_ours = message["parent_header"].get("msg_id") == asked
        if is_ours and kind == "status" and content["execution_state"] == "idle":
            return


if __name__ == "__main__":
    manager, client = start_new_kernel()
    try:
        json.dump(list(asked(client, sys.argv[1])), sys.stdout)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
