"""The rules: mpi-operator's, word for word and in its order, and those that we add."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mpijob.core.draft import Draft, ReplicaDraft, settled
from mpijob.core.job import Identity, Key, LauncherStart, SchedulingPolicy
from mpijob.core.validate import aggregate, dns_label_faults, event_message, problems

CONTAINER = {"spec": {"containers": [{}]}}
LAUNCHER = ReplicaDraft(1, "Never", CONTAINER)
WORKER = ReplicaDraft(3, "Never", CONTAINER)
DNS_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)


def named(name):
    return Identity(Key("default", name), uid="u", version="1")


SOUND = Draft(
    named("foo"),
    replicas={"Launcher": LAUNCHER},
    slots_per_worker=2,
    clean_pods="Running",
    ssh_auth_mount_path="/home/mpiuser/.ssh",
    launcher_start="AtStartup",
    flavour="Intel",
)
BOTH = {"Launcher": replace(LAUNCHER, restart_policy="OnFailure"), "Worker": WORKER}


def with_template(role, template):
    roles = dict(BOTH)
    roles[role] = replace(roles[role], template=template)
    return replace(SOUND, replicas=roles)


SOUND_JOBS = {
    "an Intel job, a launcher alone": SOUND,
    "an Intel job with workers": replace(SOUND, replicas=BOTH),
    "an MPICH job, a launcher alone": replace(SOUND, flavour="MPICH"),
    "an MPICH job with workers": replace(SOUND, flavour="MPICH", replicas=BOTH),
    "no slots: mpi-operator takes it": replace(SOUND, slots_per_worker=0),
    "an unknown role: mpi-operator ignores it": replace(
        SOUND, replicas=BOTH | {"Workers": ReplicaDraft()}
    ),
    "an unknown launcher start: mpi-operator waits": replace(SOUND, launcher_start="later"),
    "a relative ssh path: the kubelet counts it from the root": replace(
        SOUND, ssh_auth_mount_path="root/.ssh"
    ),
    "minAvailable 0: a gang scheduler then waits for nobody": replace(
        SOUND, scheduling=SchedulingPolicy(min_available=0)
    ),
    "another controller's job": replace(SOUND, managed_by="kueue.x-k8s.io/multikueue"),
    "a worker's volume named as the launcher's": with_template(
        "Worker", {"spec": {"containers": [{}], "volumes": [{"name": "mpi-job-config"}]}}
    ),
    "a sidecar may mount what it likes where it likes": with_template(
        "Launcher",
        {"spec": {"containers": [{}, {"volumeMounts": [{"mountPath": "/etc/mpi"}]}]}},
    ),
}


@pytest.mark.parametrize("draft", SOUND_JOBS.values(), ids=SOUND_JOBS)
def test_nothing_is_wrong_with(draft):
    assert problems(draft) == ()


ROLES = "spec.mpiReplicaSpecs"
UNSOUND_JOBS = {
    "an empty job": (
        Draft(named("")),
        [
            (
                'metadata.name: Invalid value: "": will not able to create pod and service with '
                f'invalid DNS label "-worker-0": {DNS_TEXT}'
            ),
            f"{ROLES}: Required value: must have replica specs",
            "spec.slotsPerWorker: Required value: must have number of slots per worker",
            "spec.runPolicy.cleanPodPolicy: Required value: must have clean Pod policy",
            "spec.sshAuthMountPath: Required value: must have a mount path for SSH credentials",
            (
                'spec.mpiImplementation: Unsupported value: "": supported values: "Intel", '
                '"MPICH", '
                '"OpenMPI"'
            ),
        ],
    ),
    "invalid fields": (
        Draft(
            named("this-name-is-waaaaaaaay-too-long-for-a-worker-hostname"),
            replicas={"Launcher": LAUNCHER, "Worker": replace(WORKER, count=1000)},
            slots_per_worker=2,
            clean_pods="unknown",
            ttl_s=-1,
            active_deadline_s=-1,
            backoff_limit=-1,
            managed_by="other.example/manager",
            ssh_auth_mount_path="/root/.ssh",
            flavour="Unknown",
        ),
        [
            (
                "metadata.name: Invalid value: "
                '"this-name-is-waaaaaaaay-too-long-for-a-worker-hostname'
                '": will not able to create pod and service with invalid DNS label '
                '"this-name-is-waaaaaaaay-too-long-for-a-worker-hostname-worker-999": must '
                "be no more "
                "than 63 characters"
            ),
            (
                'spec.runPolicy.cleanPodPolicy: Unsupported value: "unknown": supported '
                'values: "All", '
                '"None", "Running"'
            ),
            (
                "spec.runPolicy.ttlSecondsAfterFinished: Invalid value: -1: must be greater "
                "than or "
                "equal to 0"
            ),
            (
                "spec.runPolicy.activeDeadlineSeconds: Invalid value: -1: must be greater than or "
                "equal to 0"
            ),
            "spec.runPolicy.backoffLimit: Invalid value: -1: must be greater than or equal to 0",
            (
                'spec.runPolicy.managedBy: Unsupported value: "other.example/manager": supported '
                'values: "kubeflow.org/mpi-operator", "kueue.x-k8s.io/multikueue"'
            ),
            (
                'spec.mpiImplementation: Unsupported value: "Unknown": supported values: "Intel", '
                '"MPICH", "OpenMPI"'
            ),
        ],
    ),
    "empty replica specs": (
        replace(SOUND, replicas={}),
        [f"{ROLES}[Launcher]: Required value: must have Launcher replica spec"],
    ),
    "missing replica spec fields": (
        replace(SOUND, replicas={"Launcher": ReplicaDraft(), "Worker": ReplicaDraft()}),
        [
            line
            for role in ("Launcher", "Worker")
            for line in (
                f"{ROLES}[{role}].replicas: Required value: must define number of replicas",
                (
                    f'{ROLES}[{role}].restartPolicy: Unsupported value: "": supported values: '
                    '"Never", "OnFailure"'
                ),
                (
                    f"{ROLES}[{role}].template.spec.containers: Required value: must define at "
                    "least "
                    "one container"
                ),
            )
        ],
    ),
    "invalid replica fields": (
        replace(
            SOUND,
            replicas={
                "Launcher": ReplicaDraft(2, "Always", CONTAINER),
                "Worker": ReplicaDraft(0, "Invalid", CONTAINER),
            },
        ),
        [
            (
                f'{ROLES}[Launcher].restartPolicy: Unsupported value: "Always": supported values: '
                '"Never", "OnFailure"'
            ),
            f"{ROLES}[Launcher].replicas: Invalid value: 2: must be 1",
            (
                f'{ROLES}[Worker].restartPolicy: Unsupported value: "Invalid": supported values: '
                '"Never", "OnFailure"'
            ),
            f"{ROLES}[Worker].replicas: Invalid value: 0: must be greater than or equal to 1",
        ],
    ),
    "a job's name that starts with a digit": (
        replace(SOUND, identity=named("1-foo")),
        [
            (
                'metadata.name: Invalid value: "1-foo": will not able to create pod and '
                "service with "
                f'invalid DNS label "1-foo-worker-0": {DNS_TEXT}'
            )
        ],
    ),
    "negative slots": (
        replace(SOUND, slots_per_worker=-1),
        ["spec.slotsPerWorker: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "negative workers": (
        replace(SOUND, replicas=BOTH | {"Worker": replace(WORKER, count=-1)}),
        [f"{ROLES}[Worker].replicas: Invalid value: -1: must be greater than or equal to 1"],
    ),
    "a negative gang": (
        replace(SOUND, scheduling=SchedulingPolicy(min_available=-1)),
        [
            (
                "spec.runPolicy.schedulingPolicy.minAvailable: Invalid value: -1: must be greater "
                "than or equal to 0"
            )
        ],
    ),
    "a mount path that no pod takes": (
        replace(SOUND, ssh_auth_mount_path="/a:b"),
        ["spec.sshAuthMountPath: Invalid value: \"/a:b\": must not contain ':'"],
    ),
    "more workers than a hostfile holds": (
        replace(SOUND, replicas=BOTH | {"Worker": replace(WORKER, count=2_000_000_000)}),
        [
            (
                f"{ROLES}[Worker].replicas: Invalid value: 2000000000: must be less than or "
                "equal to "
                "36157, since the hostfile of more workers does not fit into a ConfigMap (1 MiB)"
            )
        ],
    ),
    "a volume named as one of ours": (
        with_template(
            "Launcher",
            {
                "spec": {
                    "containers": [{}],
                    "volumes": [{"name": "mine"}, {"name": "ssh-auth"}, {"name": "mpi-job-config"}],
                }
            },
        ),
        [
            f'{ROLES}[Launcher].template.spec.volumes[1].name: Duplicate value: "ssh-auth"',
            f'{ROLES}[Launcher].template.spec.volumes[2].name: Duplicate value: "mpi-job-config"',
        ],
    ),
    "a mount where one of ours goes": (
        with_template(
            "Worker",
            {"spec": {"containers": [{"volumeMounts": [{"mountPath": "/home/mpiuser/.ssh"}]}]}},
        ),
        [
            (
                f"{ROLES}[Worker].template.spec.containers[0].volumeMounts[0].mountPath: Invalid "
                'value: "/home/mpiuser/.ssh": must be unique'
            )
        ],
    ),
}


@pytest.mark.parametrize(("draft", "texts"), UNSOUND_JOBS.values(), ids=UNSOUND_JOBS)
def test_everything_that_is_wrong_is_told_at_once(draft, texts):
    assert [str(problem) for problem in problems(draft)] == texts


def test_the_event_says_what_mpi_operator_says():
    name = "invalid-name-that-is-far-too-long-for-a-dns-label-once-worker-is-added"
    roles = {"Launcher": LAUNCHER, "Worker": replace(WORKER, count=2)}
    found = problems(replace(SOUND, identity=named(name), replicas=roles))
    assert event_message(found) == (
        f'Found validation errors: metadata.name: Invalid value: "{name}": will not able to create '
        f'pod and service with invalid DNS label "{name}-worker-1": must be no more than 63 '
        "characters"
    )


def test_several_problems_stand_in_brackets():
    found = problems(replace(SOUND, slots_per_worker=-1, ssh_auth_mount_path=""))
    assert aggregate(found) == (
        "[spec.slotsPerWorker: Invalid value: -1: must be greater than or equal to 0, "
        "spec.sshAuthMountPath: Required value: must have a mount path for SSH credentials]"
    )


def test_the_same_problem_is_told_once():
    found = problems(replace(SOUND, slots_per_worker=-1))
    assert aggregate(found * 2) == str(found[0])


@given(st.text(max_size=600))
def test_an_event_is_never_longer_than_mpi_operators(flavour):
    found = problems(replace(SOUND, flavour=flavour, clean_pods=flavour))
    assert len(event_message(found).encode()) <= 1024


def test_a_long_event_ends_in_dots():
    found = problems(replace(SOUND, flavour="é" * 1000))
    assert event_message(found).endswith("é...")


NAMES = {
    "letters, digits and dashes": ("a-1", 0),
    "63 characters": ("a" * 63, 0),
    "64 characters": ("a" * 64, 1),
    "300 capitals are wrong twice": ("A" * 300, 2),
    "nothing": ("", 1),
    "a digit first": ("1a", 1),
    "a dash last": ("a-", 1),
    "a dot": ("a.b", 1),
    "a line feed last": ("a\n", 1),
    "a letter of another script": ("ä", 1),
}


@pytest.mark.parametrize(("name", "count"), NAMES.values(), ids=NAMES)
def test_dns_labels(name, count):
    assert len(dns_label_faults(name)) == count


SETTLED = {
    "AtStartup is what it says": ("launcher_start", "AtStartup", LauncherStart.AT_STARTUP),
    "all else waits": ("launcher_start", "waits", LauncherStart.WHEN_WORKERS_READY),
    "an absolute path stays": ("ssh_auth_mount_path", "/home/a/.ssh", "/home/a/.ssh"),
    "a relative path counts from the root": ("ssh_auth_mount_path", "a/.ssh", "/a/.ssh"),
}


@pytest.mark.parametrize(("field", "written", "meant"), SETTLED.values(), ids=SETTLED)
def test_settling(field, written, meant):
    assert getattr(settled(replace(SOUND, **{field: written})), field) == meant


def test_a_draft_without_a_launcher_cannot_be_settled():
    with pytest.raises(ValueError, match="launcher"):
        settled(replace(SOUND, replicas={}))
