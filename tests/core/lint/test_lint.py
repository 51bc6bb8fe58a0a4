"""What lint says of jobs, and of which jobs it has nothing to say."""

from dataclasses import dataclass

import pytest

from mpijob.core.default import defaulted
from mpijob.core.draft import Draft, ReplicaDraft
from mpijob.core.finding import Severity
from mpijob.core.job import Identity, Key, Problem, SchedulingPolicy
from mpijob.core.lint import hint, lint

LAUNCHER = "spec.mpiReplicaSpecs[Launcher].template.spec.containers[0]"
WORKER = "spec.mpiReplicaSpecs[Worker].template.spec.containers[0]"


@dataclass(frozen=True)
class Unknown:
    path: str
    name: str
    known: tuple[str, ...]


def container(**fields):
    limits = {"resources": {"limits": {"cpu": "2", "memory": "1Gi"}}}
    return {"name": "mpi", "image": "example.com/mpi:1"} | limits | fields


def pod(main, **fields):
    return {"spec": {"containers": [main]} | fields}


def draft(*args, launcher=None, worker=None, workers=2, pods=None, **fields):
    """Return a job with two workers of two slots, whose launcher runs `mpirun` with `args`."""
    main = {"command": ["mpirun"], "args": list(args or ("-n", "4", "pi"))} | (launcher or {})
    replicas = {
        "Launcher": ReplicaDraft(1, None, pod(container(**main), **(pods or {}))),
        "Worker": ReplicaDraft(workers, None, pod(container(**(worker or {})), **(pods or {}))),
    }
    identity = Identity(
        Key("default", "pi"), uid="u", version="1", annotations=fields.pop("annotations", {})
    )
    replicas |= fields.pop("replicas", {})
    return defaulted(Draft(identity, **({"replicas": replicas, "slots_per_worker": 2} | fields)))


def as_user(uid):
    return {"securityContext": {"runAsUser": uid}}


def limits(amounts):
    return {"resources": {"limits": amounts}}


SILENT = {
    "a plain job": draft(),
    "no number of ranks, so as many as there are slots": draft("pi"),
    "a launcher that runs ranks": draft("-n", "6", "pi", run_launcher_as_worker=True),
    "hosts of its own": draft("-n", "9", "--host", "a:9", "pi"),
    "the job's own hostfile, named": draft("-n", "4", "--hostfile", "/etc/mpi/hostfile", "pi"),
    "more ranks than slots, and meant so": draft("-n", "9", "--oversubscribe", "pi"),
    "the same in newer words": draft("-n", "9", "--map-by", ":OVERSUBSCRIBE", "pi"),
    "the same by a variable": draft(
        "-n",
        "9",
        "pi",
        launcher={"env": [{"name": "OMPI_MCA_rmaps_base_oversubscribe", "value": "1"}]},
    ),
    "elastic ranks": draft(launcher={"command": ["horovodrun", "-np", "2", "--min-np", "1", "x"]}),
    "as many ranks a host as slots": draft("-n", "4", "--map-by", "ppr:2:node", "pi"),
    "ranks mapped some other way": draft("-n", "4", "--map-by", "ppr:9:socket", "pi"),
    "a user and a home": draft(pods=as_user(1000), ssh_auth_mount_path="/home/mpiuser/.ssh"),
    "a user somewhere else": draft(pods=as_user(1000), ssh_auth_mount_path="/keys"),
    "root that Open MPI is told of": draft("--allow-run-as-root", "-n", "4", "pi", pods=as_user(0)),
    "root that Open MPI is told of by variables": draft(
        pods=as_user(0), launcher={"env": [{"name": "OMPI_ALLOW_RUN_AS_ROOT", "value": "1"}]}
    ),
    "root and Intel MPI, which does not mind": draft(pods=as_user(0), flavour="Intel"),
    "the root flag, and a user that the image names": draft("--allow-run-as-root", "-n", "4", "x"),
    "a GPU for every slot": draft(worker=limits({"nvidia.com/gpu": "2"}), clean_pods="Running"),
    "all pods as a gang": draft(scheduling=SchedulingPolicy(min_available=3)),
    "an option of ours": draft(annotations={"mpijob.dev/elastic": "true"}),
    "annotations of others": draft(annotations={"example.com/elastic": "perhaps"}),
    "a mount of a volume that there is": draft(
        worker={"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        pods={"volumes": [{"name": "data"}]},
    ),
    "nothing but a name": Draft(Identity(Key("default", "pi"), uid="u", version="1")),
}


@pytest.mark.parametrize("job", SILENT.values(), ids=SILENT)
def test_there_is_nothing_to_say_of(job):
    assert lint(job) == ()


SPOKEN = {
    "too many ranks for Open MPI": (
        draft("-n", "5", "pi"),
        "warning",
        f"{LAUNCHER}.args[1]",
        "5 ranks are more than 2 hosts × 2 slots = 4: Open MPI will not start them",
        "Ask for 4, or change replicas or slotsPerWorker.",
    ),
    "too many ranks for MPICH": (
        draft("-n", "5", "pi", flavour="MPICH"),
        "warning",
        f"{LAUNCHER}.args[1]",
        "5 ranks are more than 2 hosts × 2 slots = 4: they will share slots",
        "Ask for 4, or change replicas or slotsPerWorker.",
    ),
    "too few ranks": (
        draft(launcher={"command": ["sh", "-c", "mpirun -np 3 pi"], "args": []}),
        "warning",
        f"{LAUNCHER}.command[2]",
        "of 4 slots 3 are used: 2 hosts × 2 slots = 4",
        "Ask for 4, or change replicas or slotsPerWorker.",
    ),
    "too few ranks on one host": (
        draft("-n", "1", "pi", workers=1),
        "warning",
        f"{LAUNCHER}.args[1]",
        "of 2 slots 1 is used: 1 host × 2 slots = 2",
        "Ask for 2, or change replicas or slotsPerWorker.",
    ),
    "too many ranks a host": (
        draft("-npernode", "3", "pi"),
        "warning",
        f"{LAUNCHER}.args[1]",
        "3 ranks on each host are more than its 2 slots",
        "Set spec.slotsPerWorker: 3, or ask for 2.",
    ),
    "too many ranks a host, in newer words": (
        draft("--map-by", "ppr:3:node", "pi"),
        "warning",
        f"{LAUNCHER}.args[1]",
        "3 ranks on each host are more than its 2 slots",
        "Set spec.slotsPerWorker: 3, or ask for 2.",
    ),
    "a placeholder for the program": (
        draft("-n", "4", "COMMAND"),
        "warning",
        f"{LAUNCHER}.args[2]",
        '"COMMAND" is a placeholder',
        "Name the program to run.",
    ),
    "root's keys for another user": (
        draft(pods=as_user(1000)),
        "warning",
        "spec.sshAuthMountPath",
        "/root/.ssh is root's, but the launcher runs as uid 1000",
        "Name the .ssh folder of that user: /home/USER/.ssh.",
    ),
    "root's keys for another user of the workers alone": (
        draft(worker=as_user(1000)),
        "warning",
        "spec.sshAuthMountPath",
        "/root/.ssh is root's, but the worker runs as uid 1000",
        "Name the .ssh folder of that user: /home/USER/.ssh.",
    ),
    "a user's keys for root": (
        draft(worker=as_user(0), ssh_auth_mount_path="/home/mpiuser/.ssh"),
        "warning",
        "spec.sshAuthMountPath",
        "/home/mpiuser/.ssh is no folder of root's, but the worker runs as uid 0",
        "Leave it out for /root/.ssh, or set runAsUser.",
    ),
    "the root flag where nobody is root": (
        draft(
            "--allow-run-as-root",
            "-n",
            "4",
            "pi",
            pods=as_user(1000),
            ssh_auth_mount_path="/home/mpiuser/.ssh",
        ),
        "advice",
        f"{LAUNCHER}.args[0]",
        "--allow-run-as-root, but the launcher runs as uid 1000",
        "Leave it out.",
    ),
    "the root flag for another MPI": (
        draft("--allow-run-as-root", "-n", "4", "pi", flavour="Intel"),
        "warning",
        f"{LAUNCHER}.args[0]",
        "--allow-run-as-root is Open MPI's; Intel does not know it",
        "Leave it out, or set spec.mpiImplementation: OpenMPI.",
    ),
    "root without the flag": (
        draft(pods=as_user(0)),
        "warning",
        f"{LAUNCHER}.command[0]",
        "the launcher runs as root, which Open MPI refuses without --allow-run-as-root",
        "Add --allow-run-as-root, or run as another user.",
    ),
    "different images": (
        draft(worker={"image": "example.com/other:1"}),
        "warning",
        f"{WORKER}.image",
        'workers run "example.com/other:1", the launcher "example.com/mpi:1"',
        "Both need the same MPI in the same place; one image for both is the safe way.",
    ),
    "no image": (
        draft(worker={"image": ""}),
        "advice",
        f"{WORKER}.image",
        "no image is named, which only one machine can do without",
        "",
    ),
    "more slots than CPUs": (
        draft(worker=limits({"cpu": "500m"})),
        "warning",
        f"{WORKER}.resources.limits[cpu]",
        "2 ranks share 0.5 CPUs",
        "Limit it to 2, or lower spec.slotsPerWorker.",
    ),
    "no limits": (
        draft(worker={"resources": {}}),
        "advice",
        f"{WORKER}.resources",
        "workers without limits share their nodes with whatever else runs there",
        "Set limits for cpu and memory.",
    ),
    "other GPUs than slots": (
        draft(worker=limits({"nvidia.com/gpu": 4}), clean_pods="All"),
        "warning",
        f"{WORKER}.resources.limits[nvidia.com/gpu]",
        "GPUs: 4, slots: 2",
        "One rank a GPU is usual: spec.slotsPerWorker: 4.",
    ),
    "GPUs that nobody frees": (
        draft(worker=limits({"nvidia.com/gpu": 2})),
        "advice",
        "spec.runPolicy.cleanPodPolicy",
        "workers go on after the job has ended, and hold their GPUs",
        "Set it to Running.",
    ),
    "GPUs of a launcher that runs no ranks": (
        draft(launcher=limits({"nvidia.com/gpu": 1})),
        "warning",
        f"{LAUNCHER}.resources.limits[nvidia.com/gpu]",
        "the launcher runs no ranks, so that its GPUs stand idle",
        "Leave them to the workers, or set spec.runLauncherAsWorker.",
    ),
    "a container's name that no pod may have": (
        draft(worker={"name": "My_MPI"}),
        "error",
        f"{WORKER}.name",
        '"My_MPI" is no DNS label, so that no pod is made',
        "63 lower case letters, digits and dashes at most, a letter or digit at each end.",
    ),
    "a mount of a volume that there is not": (
        draft(
            worker={"volumeMounts": [{"name": "dat", "mountPath": "/data"}]},
            replicas={"Launcher": ReplicaDraft(1, None, pod(container()))},
        ),
        "error",
        f"{WORKER}.volumeMounts[0].name",
        'the template has no volume "dat", so that no pod is made',
        "",
    ),
    "a role that is misspelled": (
        draft(replicas={"Workers": ReplicaDraft()}),
        "error",
        "spec.mpiReplicaSpecs[Workers]",
        "there is no such role, so nobody starts it",
        'Did you mean "Worker"?',
    ),
    "a role in the wrong case": (
        draft(replicas={"worker": ReplicaDraft()}),
        "error",
        "spec.mpiReplicaSpecs[worker]",
        "there is no such role, so nobody starts it",
        'Did you mean "Worker"?',
    ),
    "a role that nobody knows": (
        draft(replicas={"Evaluator": ReplicaDraft()}),
        "warning",
        "spec.mpiReplicaSpecs[Evaluator]",
        "there is no such role, so nobody starts it",
        "The roles are Launcher and Worker.",
    ),
    "a launcher start that is misspelled": (
        draft(launcher_start="atStartup"),
        "warning",
        "spec.launcherCreationPolicy",
        '"atStartup" is no AtStartup, and so means WaitForWorkersReady',
        'Did you mean "AtStartup"?',
    ),
    "a relative ssh path": (
        draft(ssh_auth_mount_path="keys"),
        "warning",
        "spec.sshAuthMountPath",
        '"keys" counts from the root: /keys',
        "Begin the path with /.",
    ),
    "no slots": (
        draft(slots_per_worker=0),
        "warning",
        "spec.slotsPerWorker",
        "workers without slots take no ranks",
        "",
    ),
    "a gang of nobody": (
        draft(scheduling=SchedulingPolicy(min_available=0)),
        "warning",
        "spec.runPolicy.schedulingPolicy.minAvailable",
        "a gang of 0 waits for nobody",
        "Leave it out for all pods.",
    ),
    "a gang that is larger than the job": (
        draft(scheduling=SchedulingPolicy(min_available=4)),
        "warning",
        "spec.runPolicy.schedulingPolicy.minAvailable",
        "4 pods are waited for, and the job has 3: none is ever placed",
        "3 at most; leave it out for all pods.",
    ),
    "an option of ours that is misspelled": (
        draft(annotations={"mpijob.dev/elastik": "true"}),
        "warning",
        "metadata.annotations[mpijob.dev/elastik]",
        "there is no such option",
        'Did you mean "mpijob.dev/elastic"?',
    ),
    "an option of ours that says nothing": (
        draft(annotations={"mpijob.dev/elastic": "yes"}),
        "warning",
        "metadata.annotations[mpijob.dev/elastic]",
        '"yes" says nothing: "true" or "false"',
        "",
    ),
}


@pytest.mark.parametrize(
    ("job", "severity", "field", "message", "mend"), SPOKEN.values(), ids=SPOKEN
)
def test_lint_says(job, severity, field, message, mend):
    assert [(one.severity, one.field, one.message, one.hint) for one in lint(job)] == [
        (Severity(severity), field, message, mend)
    ]


PLACEHOLDERS = {
    "IMAGE": True,
    "IMAGE:latest": True,
    "<your-image>": True,
    "registry.example/<user>/mpi:1": True,
    "{{ image }}": True,
    "example.com/CHANGEME": True,
    "your-image": True,
    "...": True,
    "mpi-image": False,
    "example.com/your-team/mpi:1": False,
    "imagemagick": False,
}


@pytest.mark.parametrize(("image", "told"), PLACEHOLDERS.items(), ids=PLACEHOLDERS)
def test_placeholders_among_images(image, told):
    found = [one.message for one in lint(draft(launcher={"image": image}, worker={"image": image}))]
    assert found == [f'"{image}" is a placeholder'] * 2 * told


UNKNOWN = {
    "a field that is misspelled": (
        Unknown("spec.slotPerWorker", "slotPerWorker", ("slotsPerWorker", "runPolicy")),
        "error: spec.slotPerWorker: there is no such field",
        'Did you mean "slotsPerWorker"?',
    ),
    "a field in the wrong case": (
        Unknown("spec.mpireplicaspecs", "mpireplicaspecs", ("mpiReplicaSpecs",)),
        "error: spec.mpireplicaspecs: there is no such field",
        'Did you mean "mpiReplicaSpecs"?',
    ),
    "a field of an older version": (
        Unknown("spec.cleanPodPolicy", "cleanPodPolicy", ("slotsPerWorker",)),
        "error: spec.cleanPodPolicy: there is no such field here",
        "It belongs into spec.runPolicy.cleanPodPolicy.",
    ),
    "a field of a newer Kubernetes, perhaps": (
        Unknown("spec.brandNew", "brandNew", ("slotsPerWorker",)),
        "warning: spec.brandNew: nobody knows this field, and a cluster drops it",
        "",
    ),
    "a name longer than any": (
        Unknown("spec.a", "a" * 10_000, ("slotsPerWorker",)),
        "warning: spec.a: nobody knows this field, and a cluster drops it",
        "",
    ),
}


@pytest.mark.parametrize(("field", "text", "mend"), UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_fields(field, text, mend):
    assert [(str(one), one.hint) for one in lint(draft(), [field])] == [(text, mend)]


HINTS = {
    "a value in the wrong case": (
        Problem("f", "Unsupported value", 'supported values: "All", "Running"', '"running"'),
        'Did you mean "Running"?',
    ),
    "a value like no other": (
        Problem("f", "Unsupported value", 'supported values: "All", "Running"', '"x"'),
        "",
    ),
    "an unquoted number": (
        Problem("f", "Invalid value", 'must be of type string: "integer"', '"integer"'),
        'Numbers must be in quotes here: "2", not 2.',
    ),
    "a quoted number": (
        Problem("f", "Invalid value", 'must be of type integer: "string"', '"string"'),
        "Write the number without quotes.",
    ),
    "text that is no list": (
        Problem("f", "Invalid value", 'must be of type array: "string"', '"string"'),
        "Write a list: each item on a line of its own after “- ”, or in [ ].",
    ),
    "a problem that says it all": (Problem("f", "Invalid value", "must be 1", "2"), ""),
}


@pytest.mark.parametrize(("problem", "text"), HINTS.values(), ids=HINTS)
def test_hints(problem, text):
    assert hint(problem) == text
