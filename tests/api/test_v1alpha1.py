"""What a v1alpha1 job means: one template, and so many units or workers."""

import pytest

from mpijob.api import versions
from mpijob.api.status import StatusWire
from mpijob.api.v1alpha1 import encoded, job_status
from mpijob.core.allocation import UnitDefaults
from mpijob.core.job import CleanPodPolicy, Rejected, RestartPolicy
from mpijob.core.status import JobStatus, ReplicaCount

GPU = "nvidia.com/gpu"
COMMAND = ["mpirun", "python", "train.py"]


def manifest(limits=None, pod=None, **spec):
    container = {"name": "c", "image": "i", "command": COMMAND, "args": ["-v"]}
    if limits:
        container["resources"] = {"limits": limits}
    template = {"spec": {"containers": [container], **(pod or {})}}
    return {
        "apiVersion": "kubeflow.org/v1alpha1",
        "kind": "MPIJob",
        "metadata": {"name": "pi", "namespace": "team"},
        "spec": {"template": template, **spec},
    }


def job(limits=None, pod=None, flags=None, **spec):
    return versions.job(manifest(limits, pod, **spec), flags or UnitDefaults())


def shares(of):
    """Workers, slots a worker, and what a worker is limited to."""
    container = of.worker.template["spec"]["containers"][0]
    limits = (container.get("resources") or {}).get("limits")
    return of.worker_count, of.slots_per_worker, limits


EIGHT = UnitDefaults(gpus_per_node=8, units_per_node=4)
SHARES = {
    "16 GPUs, 8 a node by the flag": (job(gpus=16, flags=EIGHT), (2, 8, {GPU: 8})),
    "4 GPUs are less than a node": (job(gpus=4, flags=EIGHT), (1, 4, {GPU: 4})),
    "8 GPUs are a node": (job(gpus=8, flags=EIGHT), (1, 8, {GPU: 8})),
    "the job's own word goes before the flag": (
        job(gpus=16, gpusPerNode=4, flags=EIGHT),
        (4, 4, {GPU: 4}),
    ),
    "without a flag a node has one": (job(gpus=2), (2, 1, {GPU: 1})),
    "units of the CPU": (
        job(processingUnits=8, processingUnitsPerNode=2, processingResourceType="cpu"),
        (4, 2, {"cpu": 2}),
    ),
    "units are GPUs unless the flag says else": (
        job(processingUnits=8, flags=EIGHT),
        (2, 4, {GPU: 4}),
    ),
    "the flag may say CPU": (
        job(processingUnits=8, flags=UnitDefaults(units_per_node=8, resource="cpu")),
        (1, 8, {"cpu": 8}),
    ),
    "so many workers: slots are what the template's limit says": (
        job({GPU: "4"}, replicas=3),
        (3, 4, {GPU: 4}),
    ),
    "so many workers, of whom nothing is said": (job(replicas=3), (3, 1, None)),
    "slots that are said count": (job({GPU: 4}, replicas=3, slotsPerWorker=2), (3, 2, {GPU: 4})),
    "a limit that is no number is no unit": (job({GPU: "many"}, replicas=1), (1, 1, {GPU: "many"})),
}


@pytest.mark.parametrize(("found", "want"), SHARES.values(), ids=SHARES)
def test_the_workers_share_the_units(found, want):
    assert shares(found) == want


def test_the_template_is_the_launchers_without_resources_and_the_workers_without_a_command():
    found = job({GPU: 4}, replicas=3)
    launcher, worker = (
        role.template["spec"]["containers"][0] for role in (found.launcher, found.worker)
    )
    assert (launcher, worker) == (
        {"name": "c", "image": "i", "command": COMMAND, "args": ["-v"]},
        {"name": "c", "image": "i", "resources": {"limits": {GPU: 4}}},
    )


def test_workers_start_again_and_go_at_the_end():
    found = job(replicas=1)
    assert (
        found.launcher.restart_policy,
        found.worker.restart_policy,
        found.run_policy.clean_pods,
        found.run_policy.backoff_limit,
    ) == (RestartPolicy.ON_FAILURE, RestartPolicy.ALWAYS, CleanPodPolicy.ALL, None)


def test_a_launcher_on_the_master_finds_it_under_todays_name_too():
    placed = job(replicas=1, launcherOnMaster=True, pod={"tolerations": [{"key": "mine"}]})
    launcher, worker = placed.launcher.template["spec"], placed.worker.template["spec"]
    names = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"]
    needed = launcher["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert (
        [row["key"] for row in launcher["tolerations"]],
        [term["matchExpressions"][0]["key"] for term in needed["nodeSelectorTerms"]],
        worker["tolerations"],
    ) == (names, names, [{"key": "mine"}])


WRONG = {
    "three GPUs": (job(gpus=3), "spec.gpus: Invalid value: 3: must be 1, 2, 4 or a multiple of 8"),
    "twelve GPUs": (
        job(gpus=12, flags=EIGHT),
        "spec.gpus: Invalid value: 12: must be 1, 2, 4 or a multiple of 8",
    ),
    "nodes that they do not fill": (
        job(gpus=8, gpusPerNode=3),
        "spec.gpus: Invalid value: 8: specified #GPUs is not a multiple of GPUs per node (3)",
    ),
    "fewer than nothing a node": (
        job(gpus=8, gpusPerNode=-1),
        "spec.gpusPerNode: Invalid value: -1: must be greater than or equal to 1",
    ),
    "both ways to say units": (
        job(gpus=8, processingUnits=8),
        "spec.processingUnits: Forbidden: Cannot specify both GPUs and ProcessingUnits at the same time",  # noqa: E501
    ),
    "units and workers": (
        job(gpus=8, replicas=2),
        "spec.replicas: Forbidden: may not be set together with gpus",
    ),
    "neither": (job(), "spec: Required value: must have one of gpus, processingUnits and replicas"),
    "no workers": (
        job(replicas=0),
        "spec.replicas: Invalid value: 0: must be greater than or equal to 1",
    ),
    "a limit of tries below nothing": (
        job(replicas=1, backoffLimit=-1),
        "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0",
    ),
    "no container": (
        job(replicas=1, pod={"containers": []}),
        "spec.template.spec.containers: Required value: must define at least one container",
    ),
    "no template": (
        job(replicas=1, template=None),
        "spec.template.spec.containers: Required value: must define at least one container",
    ),
}


@pytest.mark.parametrize(("found", "want"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_once_by_this_versions_fields(found, want):
    assert isinstance(found, Rejected)
    assert [str(problem) for problem in found.problems] == [want]


def test_an_end_without_conditions_is_an_end():
    old = {"launcherStatus": "Succeeded", "startTime": "2019-07-09T22:15:51Z"}
    assert versions.job(manifest(replicas=1) | {"status": old}).status.finished


def test_a_status_that_tells_no_end_is_none():
    assert not job_status(StatusWire(launcher="Active")).finished


def test_what_this_version_tells_of_a_job_that_runs():
    status = JobStatus(launcher=ReplicaCount(active=1), worker=ReplicaCount(active=2))
    assert encoded(status) == {"launcherStatus": "Active", "workerReplicas": 2}
