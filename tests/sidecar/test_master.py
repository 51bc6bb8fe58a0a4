"""How the master does, as changes of pods tell."""

import json

import pytest

from mpijob.ports import Change, ChangeType
from mpijob.sidecar.master import Master, after

ADDED, MODIFIED, DELETED = ChangeType.ADDED, ChangeType.MODIFIED, ChangeType.DELETED


def pod(phase="Running", name="x-master", ends=(), policy="Never"):
    """A pod of two containers, of which so many as there are exit codes have ended."""
    containers = [{"name": "job"}, {"name": "beside"}]
    rows = [
        {"name": container["name"], "state": {"terminated": {"exitCode": code}}}
        for container, code in zip(containers, ends, strict=False)
    ]
    return {
        "metadata": {"name": name},
        "spec": {"containers": containers, "restartPolicy": policy},
        "status": {"phase": phase, "containerStatuses": rows},
    }


def known(*changes):
    master = Master()
    for kind, manifest in changes:
        master = after(master, Change(kind, manifest), "x-master")
    return master


CASES = {
    "nothing yet": ((), Master()),
    "a list without it": (((ChangeType.SYNCED, {}),), Master()),
    "it waits": (((ADDED, pod("Pending")),), Master(seen=True)),
    "it has no status yet": (((ADDED, {**pod(), "status": {}}),), Master(seen=True)),
    "it runs": (((ADDED, pod()),), Master(seen=True)),
    "it had ended before anybody looked": (
        ((ADDED, pod("Succeeded")),),
        Master(seen=True, end="Succeeded"),
    ),
    "it fails": (((ADDED, pod()), (MODIFIED, pod("Failed"))), Master(seen=True, end="Failed")),
    "its containers have ended well, and its phase does not tell yet": (
        ((ADDED, pod()), (MODIFIED, pod(ends=(0, 0)))),
        Master(seen=True, end="Succeeded"),
    ),
    "one of its containers has failed, and its phase does not tell yet": (
        ((ADDED, pod()), (MODIFIED, pod(ends=(1, 0)))),
        Master(seen=True, end="Failed"),
    ),
    "one of its containers still runs": (((ADDED, pod(ends=(0,))),), Master(seen=True)),
    "its containers start again": (
        ((ADDED, pod(ends=(1, 0), policy="OnFailure")),),
        Master(seen=True),
    ),
    "it is deleted": (((ADDED, pod()), (DELETED, pod())), Master(seen=True, end="Deleted")),
    "it had ended before it was deleted": (
        ((ADDED, pod("Succeeded")), (DELETED, pod("Succeeded"))),
        Master(seen=True, end="Succeeded"),
    ),
    "another ends": (
        ((ADDED, pod()), (MODIFIED, pod("Failed", "other"))),
        Master(seen=True),
    ),
    "the wire's own bytes": (
        ((ADDED, json.dumps(pod("Failed")).encode()),),
        Master(seen=True, end="Failed"),
    ),
}


@pytest.mark.parametrize(("changes", "want"), CASES.values(), ids=CASES)
def test_what_is_known_of_the_master(changes, want):
    assert known(*changes) == want
