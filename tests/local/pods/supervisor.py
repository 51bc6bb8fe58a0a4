"""A supervisor with two pods full of processes, for tests to kill: `supervisor.py MODE FOLDER`.

Prints one line of JSON when all is up, and ends on SIGTERM by closing its runtime.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from mpijob.local import processes
from mpijob.local.runtime import Container, Created, Pod, Runtime

# Sleeps that nothing else sleeps: plain, in a session of their own, and stripped of all marks.
COMMAND = f"sleep 87{os.getpid():08d}"
SCRIPT = (
    f"{COMMAND} & setsid {COMMAND} & (setsid sh -c '{COMMAND} & {COMMAND} & wait' &) ; "
    f"env -i setsid {COMMAND} & "
    f"while test $(pgrep -c -f '^{COMMAND}') -lt COUNT; do :; done; echo > ready; exec {COMMAND}"
)


async def main():
    mode, folder = sys.argv[1], Path(sys.argv[2])
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    runtime = await Runtime.launch(folder / "home", mode=mode)
    keepers = []
    events = runtime.events()
    for index in range(2):
        home = folder / f"w-{index}"
        home.mkdir()
        os.mkfifo(home / "ready")
        # Without namespaces a pod sees the other's processes too.
        count = 5 if runtime.namespaced else 5 * (index + 1) + index
        container = Container(
            "main",
            ("sh", "-c", SCRIPT.replace("COUNT", str(count))),
            {"PATH": os.environ["PATH"]},
            str(home),
            str(home / "log"),
        )
        runtime.start(Pod(f"uid-{index}", f"w-{index}", f"w-{index}", str(home), (container,)))
        async for event in events:
            if isinstance(event, Created):
                keepers.append(event.pid)
                break
        await asyncio.to_thread((home / "ready").read_text)
    parent = processes.parents()
    told = {
        "token": runtime.token,
        "command": COMMAND.replace(" ", "\0"),
        "runtime": next(pid for pid in parent if parent[pid] == os.getpid()),
        "keepers": keepers,
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    await runtime.close()


asyncio.run(main())
