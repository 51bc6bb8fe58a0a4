"""What is made of a job of an older version, as that version's operators made it.

Written down from mpi-operator v0.3.0 (pkg/controllers/v1alpha1, v1alpha2 and v1) and the
training-operator v1.9 (pkg/controller.v1/mpi). Where ours part from it, docs/differences.md says so
in rows 45 to 53.
"""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from mpijob.api import versions
from mpijob.core.config import Config
from mpijob.core.observed import ConfigView, End, Observed, PodPhase
from mpijob.core.plan import Announce, Create, Delete, WriteStatus
from mpijob.core.reconcile import reconcile
from mpijob.core.report import next_status
from mpijob.core.version import Version
from mpijob.testing.worlds import UID, launcher, running, worker

CONFIG = Config(kubectl_delivery_image="kubectl:1", service_mesh=True, shared_memory=False)
AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = AT + timedelta(seconds=9)
OLDER = tuple(version for version in Version if version is not Version.V2BETA1)
WORKERS = ["pi-worker-0", "pi-worker-1"]
GPU = "nvidia.com/gpu"


def template(**fields):
    return {"spec": {"containers": [{"name": "mpi", "image": "i", **fields}]}}


def manifest(version, launched=(), worked=(), **spec):
    """A job of two workers with two slots, whose version is on record."""
    about = {"name": "pi", "namespace": "default", "uid": UID}
    about["annotations"] = {"mpijob.dev/written-in": version.value}
    command = {"command": ["mpirun"]}
    if version is Version.V1ALPHA1:
        body = {"replicas": 2, "template": template(**command, **dict(worked))}
    else:
        roles = {
            "Launcher": {"replicas": 1, "template": template(**command, **dict(launched))},
            "Worker": {"replicas": 2, "template": template(**dict(worked))},
        }
        body = {"mpiReplicaSpecs": roles}
    body |= {"slotsPerWorker": 2, **spec}
    return {"apiVersion": version.api_version, "kind": "MPIJob", "metadata": about, "spec": body}


def made(version, **told):
    """The children by kind and name."""
    job = versions.job(manifest(version, **told))
    steps = reconcile(Observed(job=job), AT, CONFIG).steps
    manifests = [step.manifest for step in steps if isinstance(step, Create)]
    return {(each["kind"], each["metadata"]["name"]): each for each in manifests}


def pod(version, name="pi-launcher", **told):
    """What is in the pod of that name."""
    children = made(version, **told)
    if name == "pi-launcher":
        return children["Job", name]["spec"]["template"]
    return children["Pod", name]


every_version = pytest.mark.parametrize("version", OLDER, ids=str)


@every_version
def test_the_children_and_their_names(version):
    assert set(made(version)) == {
        ("Service", "pi"),
        ("ConfigMap", "pi-config"),
        ("ServiceAccount", "pi-launcher"),
        ("Role", "pi-launcher"),
        ("RoleBinding", "pi-launcher"),
        ("Pod", "pi-worker-0"),
        ("Pod", "pi-worker-1"),
        ("Job", "pi-launcher"),
    }


@every_version
def test_every_child_is_controlled_by_the_job_in_its_version(version):
    owner = {"apiVersion": version.api_version, "kind": "MPIJob", "name": "pi", "uid": UID}
    owner |= {"controller": True, "blockOwnerDeletion": True}
    found = [child["metadata"]["ownerReferences"] for child in made(version).values()]
    assert found == [[owner]] * len(found)


@every_version
def test_all_but_the_pods_are_labelled_app(version):
    found = {child["metadata"]["labels"].get("app") for child in made(version).values()}
    assert found == {"pi", None}


FAMILIES = {
    "v1alpha1 and v1alpha2": {
        "group_name": "kubeflow.org",
        "mpi_job_name": "pi",
        "mpi_role_type": "{role}",
    },
    "mpi-operator's v1": {
        "group-name": "kubeflow.org",
        "mpi-job-name": "pi",
        "mpi-job-role": "{role}",
    },
}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize(("name", "role"), [("pi-launcher", "launcher"), ("pi-worker-1", "worker")])
@every_version
def test_pods_bear_the_labels_of(version, name, role, family):
    want = {key: value.format(role=role) for key, value in family.items()}
    assert want.items() <= pod(version, name)["metadata"]["labels"].items()


@every_version
def test_the_hostfile_names_pods_and_slots(version):
    data = made(version)["ConfigMap", "pi-config"]["data"]
    assert data["hostfile"] == "pi-worker-0 slots=2\npi-worker-1 slots=2\n"


@pytest.mark.parametrize("distribution", ["IntelMPI", "MPICH"])
def test_hydra_has_its_own_form_of_it(distribution):
    children = made(Version.V1ALPHA2, mpiDistribution=distribution)
    data = children["ConfigMap", "pi-config"]["data"]
    assert data["hostfile"] == "pi-worker-0:2\npi-worker-1:2\n"


@every_version
def test_the_launcher_may_execute_in_each_worker_by_name(version):
    assert made(version)["Role", "pi-launcher"]["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": WORKERS},
        {
            "apiGroups": [""],
            "resources": ["pods/exec"],
            "verbs": ["create", "get"],
            "resourceNames": WORKERS,
        },
    ]


@every_version
def test_the_binding_gives_that_to_the_launchers_account(version):
    binding = made(version)["RoleBinding", "pi-launcher"]
    account = {"kind": "ServiceAccount", "name": "pi-launcher", "namespace": "default"}
    assert (
        binding["roleRef"]["name"],
        binding["subjects"],
        pod(version)["spec"]["serviceAccountName"],
    ) == (
        "pi-launcher",
        [account],
        "pi-launcher",
    )


VARIABLES = {
    "Open MPI": (
        {},
        {
            "OMPI_MCA_plm_rsh_agent": "/etc/mpi/kubexec.sh",
            "OMPI_MCA_orte_default_hostfile": "/etc/mpi/hostfile",
        },
    ),
    "Intel": (
        {"mpiDistribution": "IntelMPI"},
        {
            "I_MPI_HYDRA_BOOTSTRAP": "rsh",
            "I_MPI_HYDRA_BOOTSTRAP_EXEC": "/etc/mpi/kubexec.sh",
            "I_MPI_HYDRA_HOST_FILE": "/etc/mpi/hostfile",
        },
    ),
    "MPICH": (
        {"mpiDistribution": "MPICH"},
        {"HYDRA_LAUNCHER_EXEC": "/etc/mpi/kubexec.sh", "HYDRA_HOST_FILE": "/etc/mpi/hostfile"},
    ),
}


@pytest.mark.parametrize(("spec", "want"), VARIABLES.values(), ids=VARIABLES)
def test_the_launcher_is_told_the_agent_and_the_hosts(spec, want):
    assert want.items() <= _variables(pod(Version.V1ALPHA2, **spec)).items()


@every_version
def test_a_launcher_without_gpus_sees_none(version):
    hidden = {"NVIDIA_VISIBLE_DEVICES": "", "NVIDIA_DRIVER_CAPABILITIES": ""}
    assert hidden.items() <= _variables(pod(version)).items()


def test_a_v1_launcher_with_gpus_sees_them_and_is_the_first_host():
    gpus = {"resources": {"limits": {GPU: 1}}}
    hostfile = made(Version.V1, launched=gpus)["ConfigMap", "pi-config"]["data"]["hostfile"]
    seen = _variables(pod(Version.V1, launched=gpus))
    assert (hostfile.splitlines()[0], "NVIDIA_VISIBLE_DEVICES" in seen) == (
        "pi-launcher slots=2",
        False,
    )


def test_a_v1alpha1_launcher_has_none_of_its_templates_resources():
    made_of = pod(Version.V1ALPHA1, worked={"resources": {"limits": {GPU: 2}}})
    assert "resources" not in made_of["spec"]["containers"][0]


@every_version
def test_the_launchers_mounts(version):
    [container] = pod(version)["spec"]["containers"]
    assert container["volumeMounts"] == [
        {"name": "mpi-job-kubectl", "mountPath": "/opt/kube"},
        {"name": "mpi-job-config", "mountPath": "/etc/mpi"},
    ]


@every_version
def test_the_modes_of_the_launchers_files(version):
    volumes = {row["name"]: row for row in pod(version)["spec"]["volumes"]}
    items = volumes["mpi-job-config"]["configMap"]["items"]
    assert {row["path"]: oct(row["mode"]) for row in items} == {
        "hostfile": "0o444",
        "kubexec.sh": "0o555",
        "discover_hosts.sh": "0o555",
        "deliver_kubectl.sh": "0o555",
    }


@every_version
def test_an_init_container_brings_kubectl(version):
    [delivery] = pod(version)["spec"]["initContainers"]
    amounts = {"cpu": "100m", "memory": "512Mi"}
    assert {
        key: delivery[key] for key in ("name", "image", "imagePullPolicy", "env", "resources")
    } == {
        "name": "kubectl-delivery",
        "image": "kubectl:1",
        "imagePullPolicy": "IfNotPresent",
        "env": [
            {"name": "TARGET_DIR", "value": "/opt/kube"},
            {"name": "NAMESPACE", "value": "default"},
        ],
        "resources": {"requests": amounts, "limits": amounts},
    }


@every_version
def test_workers_have_the_agent_and_nothing_else_of_the_jobs(version):
    spec = pod(version, "pi-worker-0")["spec"]
    items = [{"key": "kubexec.sh", "path": "kubexec.sh", "mode": 0o555}]
    mounts = [{"name": "mpi-job-config", "mountPath": "/etc/mpi"}]
    assert (spec["containers"][0]["volumeMounts"], spec["volumes"]) == (
        mounts,
        [{"name": "mpi-job-config", "configMap": {"name": "pi-config", "items": items}}],
    )


RESTARTS = {
    Version.V1ALPHA1: ("OnFailure", "Always"),
    Version.V1ALPHA2: ("OnFailure", "Always"),
    Version.V1: ("Never", "Never"),
}


@pytest.mark.parametrize(("version", "want"), RESTARTS.items(), ids=map(str, RESTARTS))
def test_how_containers_start_again(version, want):
    pods = (pod(version), pod(version, "pi-worker-0"))
    assert tuple(each["spec"]["restartPolicy"] for each in pods) == want


IDLES = "sleep 365d"
COMMANDS = {
    "nothing": ({}, True, None),
    "arguments alone, which are dropped": ({"args": ["mpirun", "x"]}, True, None),
    "a command, which is kept": ({"command": ["sshd"], "args": ["-D"]}, False, ["-D"]),
}


@pytest.mark.parametrize("version", [Version.V1ALPHA2, Version.V1], ids=str)
@pytest.mark.parametrize(("said", "idles", "args"), COMMANDS.values(), ids=COMMANDS)
def test_a_worker_idles_unless_it_says(version, said, idles, args):
    [container] = pod(version, "pi-worker-0", worked=said)["spec"]["containers"]
    assert (IDLES in " ".join(container["command"]), container.get("args")) == (idles, args)


def test_a_v1alpha1_worker_idles_whatever_its_template_says():
    [container] = pod(Version.V1ALPHA1, "pi-worker-0")["spec"]["containers"]
    assert IDLES in " ".join(container["command"])


def _variables(made_of):
    rows = made_of["spec"]["containers"][0]["env"]
    return {row["name"]: row.get("value", "") for row in rows}


@every_version
def test_what_somebody_else_has_under_a_childs_name_is_told_and_left_alone(version):
    job = versions.job(manifest(version))
    foreign = ConfigView("pi-config", "its-uid", "", "1", data={"hostfile": "theirs"})
    steps = reconcile(Observed(job=job, config=foreign), AT, CONFIG).steps
    told = [(step.reason, step.message) for step in steps if isinstance(step, Announce)]
    text = 'Resource "pi-config" of Kind "ConfigMap" already exists and is not managed by MPIJob'
    assert (told[1:], [step for step in steps if not isinstance(step, Announce | WriteStatus)]) == (
        [("ErrResourceExists", text)],
        [],
    )


# Which workers go once the job has ended, in which phase they are: by the policy of each version.

_LIVING = {PodPhase.PENDING, PodPhase.RUNNING}
#: Where a version's jobs say so.
PLACES = {
    Version.V1ALPHA2: lambda policy: {"cleanPodPolicy": policy},
    Version.V1: lambda policy: {"cleanPodPolicy": policy},
    Version.V2BETA1: lambda policy: {"runPolicy": {"cleanPodPolicy": policy}},
}
GOING = {"None": set(), "Running": _LIVING, "All": set(PodPhase)}


def _gone(version, **spec):
    """The phases in which a worker of an ended job is removed."""
    job = versions.job(manifest(version, **spec))
    return {phase for phase in PodPhase if _goes(job, phase)}


def _goes(job, phase):
    workers = (worker(0, phase), worker(1))
    begun = replace(job, status=next_status(running(job, workers=workers), AT))
    ended = launcher(end=End(True, "CompletionsReached", "", AT))
    world = running(begun, launcher=ended, launcher_pods=(), workers=workers)
    done = replace(begun, status=next_status(world, LATER))
    steps = reconcile(replace(world, job=done), LATER, CONFIG).steps
    return any(isinstance(step, Delete) and step.ref.name == "pi-worker-0" for step in steps)


@pytest.mark.parametrize("version", PLACES, ids=str)
@pytest.mark.parametrize(("policy", "want"), GOING.items(), ids=GOING)
def test_which_workers_go(version, policy, want):
    assert _gone(version, **PLACES[version](policy)) == want


def test_workers_of_v1alpha1_always_go():
    assert _gone(Version.V1ALPHA1) == set(PodPhase)
