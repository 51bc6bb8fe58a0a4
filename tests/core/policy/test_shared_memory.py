"""Which pods get a /dev/shm as large as their memory."""

import pytest
from msgspec.structs import replace

from mpijob.core import build, options
from mpijob.core.config import Config, Transport
from mpijob.core.transport import Setup
from mpijob.testing import worlds

DEFAULT = Config()
VOLUME = {"name": "mpijob-shared-memory", "emptyDir": {"medium": "Memory"}}
MOUNT = {"name": "mpijob-shared-memory", "mountPath": "/dev/shm"}


def job(option="", spec=None, **container):
    """A job both of whose templates say so."""
    made = worlds.job(annotations={options.SHARED_MEMORY: option} if option else {})
    main = {"name": "mpi", "image": "x", **container}
    template = {"spec": {"containers": [main], **(spec or {})}}
    return replace(
        made,
        launcher=replace(made.launcher, template=template),
        worker=replace(made.worker, template=template),
    )


def mounted(spec):
    """The volume and the mount of a pod, where they are."""
    volumes = [volume for volume in spec["volumes"] if volume["name"] == VOLUME["name"]]
    mounts = [m for m in spec["containers"][0]["volumeMounts"] if m["mountPath"] == "/dev/shm"]
    return volumes, mounts


MINE = {"name": "mine", "mountPath": "/dev/shm/"}
INSIDE = {"name": "mine", "mountPath": "/dev/shm/cache"}
CASES = {
    "by default": (job(), DEFAULT, True),
    "not where the operator says no": (job(), Config(shared_memory=False), False),
    "nor where the job says no": (job("false"), DEFAULT, False),
    "the job says yes, whatever the operator does": (
        job("true"),
        Config(shared_memory=False),
        True,
    ),
    "not where the user has mounted something there": (job(volumeMounts=[MINE]), DEFAULT, False),
    "what is mounted inside is no hindrance": (job(volumeMounts=[INSIDE]), DEFAULT, True),
    "not where the pod has its node's": (job(spec={"hostIPC": True}), DEFAULT, False),
    "nor on one machine": (job(), Config(transport=Transport.RSH), False),
}


@pytest.mark.parametrize(("job", "config", "does"), CASES.values(), ids=CASES)
def test_who_gets_a_larger_dev_shm(job, config, does):
    spec = build.worker(job, 0, config, Setup.IMAGE)["spec"]
    assert mounted(spec) == (([VOLUME], [MOUNT]) if does else ([], []))


@pytest.mark.parametrize("ranks", [True, False])
def test_a_launcher_gets_one_where_it_runs_ranks(ranks):
    of = replace(job(), run_launcher_as_worker=ranks)
    made = build.launcher(of, DEFAULT, Setup.IMAGE, suspended=False)["spec"]["template"]["spec"]
    assert mounted(made) == (([VOLUME], [MOUNT]) if ranks else ([], []))


def test_init_containers_get_none():
    spec = build.worker(job(), 0, DEFAULT, Setup.OPERATOR)["spec"]
    [preparation] = spec["initContainers"]
    assert MOUNT not in preparation["volumeMounts"]
