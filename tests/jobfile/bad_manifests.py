"""Job files that no job can be made of, each with the field that is told and words of the message.

Every command that reads a job file has to answer them alike: tests/conftest.py hands each case to
any test that takes `bad_manifest`.
"""

from typing import NamedTuple


class BadManifest(NamedTuple):
    """A file's bytes, the field that its first error names ("" for none), and words of it."""

    data: bytes
    field: str
    words: str


GOOD = """\
apiVersion: kubeflow.org/v2beta1
kind: MPIJob
metadata:
  name: pi
spec:
  slotsPerWorker: 2
  sshAuthMountPath: /root/.ssh
  mpiImplementation: OpenMPI
  launcherCreationPolicy: AtStartup
  runLauncherAsWorker: false
  runPolicy:
    cleanPodPolicy: Running
    ttlSecondsAfterFinished: 60
    activeDeadlineSeconds: 60
    backoffLimit: 3
    suspend: false
    schedulingPolicy:
      minAvailable: 3
      minResources: {cpu: 2}
  mpiReplicaSpecs:
    Launcher:
      replicas: 1
      restartPolicy: OnFailure
      template:
        spec:
          containers:
          - name: mpi
            image: example.com/mpi:1
            command: [mpirun]
            args: ["-n", "4", "pi"]
    Worker:
      replicas: 2
      template:
        spec:
          containers:
          - name: mpi
            image: example.com/mpi:1
            env: [{name: A, value: b}]
            ports: [{containerPort: 80}]
            resources: {limits: {cpu: 2}}
"""
_OLDER_ROLES = """\
  mpiReplicaSpecs:
    Launcher:
      replicas: 1
      template:
        spec:
          containers:
          - {name: mpi, image: "example.com/mpi:1", command: [mpirun, pi]}
    Worker:
      replicas: 2
      template:
        spec:
          containers:
          - {name: mpi, image: "example.com/mpi:1"}
"""
#: Good jobs of the older versions.
OLDER = {
    "v1alpha1": """\
apiVersion: kubeflow.org/v1alpha1
kind: MPIJob
metadata:
  name: pi
spec:
  gpus: 8
  slotsPerWorker: 8
  backoffLimit: 2
  template:
    spec:
      containers:
      - {name: mpi, image: "example.com/mpi:1", command: [mpirun, pi]}
""",
    "v1alpha2": f"""\
apiVersion: kubeflow.org/v1alpha2
kind: MPIJob
metadata:
  name: pi
spec:
  slotsPerWorker: 1
  cleanPodPolicy: Running
  backoffLimit: 2
  activeDeadlineSeconds: 60
  mpiDistribution: MPICH
{_OLDER_ROLES}""",
    "v1": f"""\
apiVersion: kubeflow.org/v1
kind: MPIJob
metadata:
  name: pi
spec:
  slotsPerWorker: 1
  cleanPodPolicy: Running
  runPolicy:
    backoffLimit: 2
{_OLDER_ROLES}""",
}
LAUNCHER = "spec.mpiReplicaSpecs[Launcher]"
WORKER = "spec.mpiReplicaSpecs[Worker]"
TYPE = "must be of type"


def changed(old: str, new: str, field: str, words: str) -> BadManifest:
    """Return the good job with its first `old` replaced by `new`, and what is told of it."""
    return _changed(GOOD, old, new, field, words)


def older(version: str, old: str, new: str, field: str, words: str) -> BadManifest:
    """Return likewise the good job of an older version."""
    return _changed(OLDER[version], old, new, field, words)


def _changed(good: str, old: str, new: str, field: str, words: str) -> BadManifest:
    if old not in good:
        raise ValueError(old)
    return BadManifest(good.replace(old, new, 1).encode(), field, words)


def raw(data: bytes | str, words: str, field: str = "") -> BadManifest:
    """Return a file that holds just that."""
    return BadManifest(data if isinstance(data, bytes) else data.encode(), field, words)


_EXPLODING = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)

BAD = {
    # What is no job file at all.
    "empty": raw("", "empty"),
    "comments alone": raw("# nothing\n", "empty"),
    "no YAML": raw("a: b: c\n", "no YAML"),
    "a list that does not end": raw("a: [1\n", "no YAML"),
    "quotes that do not end": raw("a: 'b\n", "no YAML"),
    "indented by tabs": raw("a:\n\tb: 1\n", "a tab"),
    "a word": raw("hello\n", "single value"),
    "a list": raw("- a\n- b\n", "holds a list"),
    "a program": raw(b"\x7fELF\x02\x01\x01\x00\xff\xfe", "no text"),
    "a picture": raw(b"\x89PNG\r\n\x1a\n\x00\x00", "no text"),
    "UTF-16": raw(GOOD.encode("utf-16"), "UTF-16"),
    "Latin-1": raw("# é\n".encode("latin-1"), "no text"),
    "a NUL byte": raw(GOOD.encode() + b"\0", "NUL"),
    "a control character": raw(b"a: \x07\n", "no YAML"),
    "two documents": raw(f"{GOOD}---\n{GOOD}", "second document"),
    "50 MB": raw(b"#" * 50_000_000, "too large"),
    "lists in lists in lists": raw("[" * 100_000, "100 levels"),
    "mappings in mappings": raw("{a: " * 10_000, "100 levels"),
    "an alias to itself": changed("image: ", "args: &a [*a]\n            x: ", "", "part of"),
    "an alias to nothing": changed("name: pi", "name: *pi", "", "stands for nothing"),
    "aliases that explode": raw(_EXPLODING, "too large"),
    "a Python object": changed("name: pi", "name: !!python/name:os.system", "", "no place"),
    "a key twice": changed("  name: pi", "  name: pi\n  name: e", "metadata.name", "line 4"),
    "a key that is a number": changed(
        "  name: pi", "  name: pi\n  5: a", "metadata", "keys are text"
    ),
    "a key that is a boolean": changed(
        "  name: pi", "  name: pi\n  on: a", "metadata", "keys are text"
    ),
    "a key that is a list": changed("  name: pi", "  ? [a]\n  : b", "metadata", "plain word"),
    "what is no number": changed("slotsPerWorker: 2", "slotsPerWorker: .nan", "", "no number"),
    # What is no MPIJob.
    "nothing in it": raw("{}\n", "Required", "kind"),
    "no kind": changed("kind: MPIJob\n", "", "kind", "Required"),
    "a kind in the wrong case": changed("kind: MPIJob", "kind: MpiJob", "kind", "MpiJob"),
    "another kind": changed("kind: MPIJob", "kind: Deployment", "kind", "Deployment"),
    "a list of objects": raw("apiVersion: v1\nkind: List\nitems: []\n", "List", "kind"),
    "no version": changed("apiVersion: kubeflow.org/v2beta1\n", "", "apiVersion", "Required"),
    "an unknown version": changed("v2beta1", "v3", "apiVersion", "v3"),
    "an older version": changed("v2beta1", "v1alpha2", "spec.sshAuthMountPath", "no such field"),
    "a version that is a number": changed("kubeflow.org/v2beta1", "2", "apiVersion", "text"),
    # Names.
    "no name": changed("  name: pi\n", "  labels: {}\n", "metadata.name", "Required"),
    "no metadata": changed("metadata:\n  name: pi\n", "", "metadata.name", "Required"),
    "a name that is a number": changed("name: pi", "name: 3", "metadata.name", TYPE),
    "a name in capitals": changed("name: pi", "name: Pi", "metadata.name", "lower case"),
    "a name with an underscore": changed("name: pi", "name: p_i", "metadata.name", "lower case"),
    "a name with a dot": changed("name: pi", "name: p.i", "metadata.name", "DNS label"),
    "a name that starts with a digit": changed("name: pi", "name: 3pi", "metadata.name", "DNS"),
    "a name of 60 characters": changed("name: pi", f"name: {'p' * 60}", "metadata.name", "63"),
    "a name of 300 characters": changed("name: pi", f"name: {'p' * 300}", "metadata.name", "253"),
    "a namespace with a slash": changed(
        "name: pi", "name: pi\n  namespace: a/b", "metadata.namespace", "lower case"
    ),
    "labels that are a list": changed(
        "name: pi", "name: pi\n  labels: [a]", "metadata.labels", TYPE
    ),
    "a label with a space": changed(
        "name: pi", "name: pi\n  labels: {a: b c}", "metadata.labels", "valid label"
    ),
    "an annotation that is a number": changed(
        "name: pi", "name: pi\n  annotations: {a: 1}", "metadata.annotations[a]", TYPE
    ),
    "metadata that is text": changed("metadata:\n  name: pi", "metadata: pi", "metadata", TYPE),
    # Wrong types, in every field.
    "no spec": raw(GOOD.partition("spec:")[0], "Required", "spec.mpiReplicaSpecs"),
    "a spec that is a list": raw(GOOD.partition("spec:")[0] + "spec: []\n", TYPE, "spec"),
    "slots in words": changed(
        "slotsPerWorker: 2", "slotsPerWorker: two", "spec.slotsPerWorker", TYPE
    ),
    "slots in quotes": changed(
        "slotsPerWorker: 2", 'slotsPerWorker: "2"', "spec.slotsPerWorker", TYPE
    ),
    "half a slot": changed("slotsPerWorker: 2", "slotsPerWorker: 0.5", "spec.slotsPerWorker", TYPE),
    "negative slots": changed(
        "slotsPerWorker: 2", "slotsPerWorker: -1", "spec.slotsPerWorker", "greater than"
    ),
    "huge slots": changed(
        "slotsPerWorker: 2", "slotsPerWorker: 99999999999", "spec.slotsPerWorker", "32 bits"
    ),
    "slots of 400 digits": changed(
        "slotsPerWorker: 2", f"slotsPerWorker: {'9' * 400}", "spec.slotsPerWorker", TYPE
    ),
    "an ssh path that is a list": changed("/root/.ssh", "[a]", "spec.sshAuthMountPath", TYPE),
    "an ssh path with a colon": changed("/root/.ssh", "/a:b", "spec.sshAuthMountPath", "':'"),
    "an MPI in the wrong case": changed("OpenMPI", "openmpi", "spec.mpiImplementation", "OpenMPI"),
    "an MPI that is a number": changed("OpenMPI", "5", "spec.mpiImplementation", TYPE),
    "a launcher start that is a number": changed(
        "AtStartup", "1", "spec.launcherCreationPolicy", TYPE
    ),
    "a word for a truth": changed(
        "runLauncherAsWorker: false", "runLauncherAsWorker: nope", "spec.runLauncherAsWorker", TYPE
    ),
    "a run policy that is text": raw(
        GOOD.replace("  mpiReplica", "  runPolicy: fast\n  mpiReplica").replace(
            GOOD[GOOD.index("  runPolicy") : GOOD.index("  mpiReplica")], ""
        ),
        TYPE,
        "spec.runPolicy",
    ),
    "a clean-up policy in the wrong case": changed(
        "Policy: Running", "Policy: running", "spec.runPolicy.cleanPodPolicy", "Running"
    ),
    "a clean-up policy that is a truth": changed(
        "Policy: Running", "Policy: no", "spec.runPolicy.cleanPodPolicy", TYPE
    ),
    "a time to live in words": changed(
        "Finished: 60", "Finished: 60s", "spec.runPolicy.ttlSecondsAfterFinished", TYPE
    ),
    "a negative time to live": changed(
        "Finished: 60", "Finished: -1", "spec.runPolicy.ttlSecondsAfterFinished", "greater than"
    ),
    "a negative deadline": changed(
        "DeadlineSeconds: 60",
        "DeadlineSeconds: -5",
        "spec.runPolicy.activeDeadlineSeconds",
        "greater than",
    ),
    "a deadline beyond all time": changed(
        "DeadlineSeconds: 60",
        "DeadlineSeconds: 99999999999999999999",
        "spec.runPolicy.activeDeadlineSeconds",
        "64 bits",
    ),
    "a negative limit of tries": changed(
        "backoffLimit: 3", "backoffLimit: -1", "spec.runPolicy.backoffLimit", "greater than"
    ),
    "a suspension in words": changed(
        "suspend: false", 'suspend: "false"', "spec.runPolicy.suspend", TYPE
    ),
    "a gang of a negative size": changed(
        "minAvailable: 3",
        "minAvailable: -3",
        "spec.runPolicy.schedulingPolicy.minAvailable",
        "greater than",
    ),
    "resources that are no quantity": changed(
        "{cpu: 2}", "{cpu: many}", "spec.runPolicy.schedulingPolicy.minResources[cpu]", "quantity"
    ),
    "another manager": changed(
        "suspend: false", "managedBy: me", "spec.runPolicy.managedBy", "kueue"
    ),
    # Roles.
    "replicas that are a list": raw(
        GOOD.partition("    Launcher:")[0] + "  - Launcher\n", TYPE, "spec.mpiReplicaSpecs"
    ),
    "no launcher": changed("    Launcher:", "    Master:", LAUNCHER, "Required"),
    "a launcher that is text": raw(
        GOOD.partition("    Launcher:")[0] + "    Launcher: pi\n", TYPE, LAUNCHER
    ),
    "two launchers": changed("replicas: 1", "replicas: 2", f"{LAUNCHER}.replicas", "must be 1"),
    "no workers": changed("replicas: 2", "replicas: 0", f"{WORKER}.replicas", "greater than"),
    "negative workers": changed("replicas: 2", "replicas: -2", f"{WORKER}.replicas", "greater"),
    "two billion workers": changed(
        "replicas: 2", "replicas: 2000000000", f"{WORKER}.replicas", "hostfile"
    ),
    "workers in words": changed("replicas: 2", "replicas: two", f"{WORKER}.replicas", TYPE),
    "workers that are misspelled": changed(
        "    Worker:", "    Workers:", "spec.mpiReplicaSpecs[Workers]", "no such role"
    ),
    "a launcher that always starts again": changed(
        "OnFailure", "Always", f"{LAUNCHER}.restartPolicy", "OnFailure"
    ),
    # Pod templates.
    "a template that is text": raw(
        GOOD.partition("        spec:")[0].replace("template:", "template: pi"),
        TYPE,
        f"{LAUNCHER}.template",
    ),
    "containers that are an object": changed(
        "          - name: mpi\n            image: example.com/mpi:1\n            command",
        "            name: mpi\n            image: example.com/mpi:1\n            command",
        f"{LAUNCHER}.template.spec.containers",
        TYPE,
    ),
    "no containers": raw(
        GOOD.partition("          containers:")[0] + "          containers: []\n",
        "container",
        f"{LAUNCHER}.template.spec.containers",
    ),
    "a container without a name": changed(
        "- name: mpi\n            image",
        "- image",
        f"{LAUNCHER}.template.spec.containers[0].name",
        "Required",
    ),
    "an argument that is a number": changed(
        '"4"', "4", f"{LAUNCHER}.template.spec.containers[0].args[1]", TYPE
    ),
    "a command that is text": changed(
        "[mpirun]", "mpirun", f"{LAUNCHER}.template.spec.containers[0].command", TYPE
    ),
    "an image that is a number": changed(
        "example.com/mpi:1", "22", f"{LAUNCHER}.template.spec.containers[0].image", TYPE
    ),
    "a variable that is a number": changed(
        "value: b", "value: 1", f"{WORKER}.template.spec.containers[0].env[0].value", TYPE
    ),
    "a variable that is set twice": changed(
        "value: b}]",
        "value: b}, {name: A}]",
        f"{WORKER}.template.spec.containers[0].env[1]",
        "Duplicate",
    ),
    "a port that is text": changed(
        "containerPort: 80",
        "containerPort: http",
        f"{WORKER}.template.spec.containers[0].ports[0].containerPort",
        TYPE,
    ),
    "half a CPU as a fraction": changed(
        "{limits: {cpu: 2}}",
        "{limits: {cpu: 0.5}}",
        f"{WORKER}.template.spec.containers[0].resources.limits[cpu]",
        TYPE,
    ),
    "a volume named as one of ours": changed(
        "          containers:",
        "          volumes: [{name: ssh-auth}]\n          containers:",
        f"{LAUNCHER}.template.spec.volumes[0].name",
        "Duplicate",
    ),
    # Misspelled and misplaced fields.
    "a field that is misspelled": changed(
        "slotsPerWorker", "slotPerWorker", "spec.slotPerWorker", "no such field"
    ),
    "a field in the wrong place": changed(
        "  slotsPerWorker: 2", "  cleanPodPolicy: All", "spec.cleanPodPolicy", "no such field"
    ),
    "a field of a container that is misspelled": changed(
        "command:", "comand:", f"{LAUNCHER}.template.spec.containers[0].comand", "no such field"
    ),
    # Older versions.
    "v1alpha1: three GPUs": older("v1alpha1", "gpus: 8", "gpus: 3", "spec.gpus", "multiple of 8"),
    "v1alpha1: twelve GPUs": older("v1alpha1", "gpus: 8", "gpus: 12", "spec.gpus", "multiple of 8"),
    "v1alpha1: GPUs in words": older("v1alpha1", "gpus: 8", "gpus: all", "spec.gpus", TYPE),
    "v1alpha1: GPUs and replicas": older(
        "v1alpha1", "gpus: 8", "gpus: 8\n  replicas: 2", "spec.replicas", "together with gpus"
    ),
    "v1alpha1: GPUs and other units": older(
        "v1alpha1",
        "gpus: 8",
        "gpus: 8\n  processingUnits: 8",
        "spec.processingUnits",
        "both GPUs and ProcessingUnits",
    ),
    "v1alpha1: neither GPUs nor replicas": older(
        "v1alpha1", "  gpus: 8\n", "", "spec", "must have one of"
    ),
    "v1alpha1: no template": older(
        "v1alpha1", "template:", "templates:", "spec.template.spec.containers", "container"
    ),
    "v1alpha1: a negative limit of tries": older(
        "v1alpha1", "backoffLimit: 2", "backoffLimit: -2", "spec.backoffLimit", "greater than"
    ),
    "v1alpha1: a later version's roles": older(
        "v1alpha1",
        "  gpus: 8\n",
        _OLDER_ROLES,
        "spec",
        "must have one of",
    ),
    "v1alpha2: two launchers": older(
        "v1alpha2", "replicas: 1", "replicas: 2", f"{LAUNCHER}.replicas", "must be 1"
    ),
    "v1alpha2: no workers": older(
        "v1alpha2", "replicas: 2", "replicas: 0", f"{WORKER}.replicas", "greater than"
    ),
    "v1alpha2: an unknown MPI": older(
        "v1alpha2", "MPICH", "LAM", "spec.mpiDistribution", "IntelMPI"
    ),
    "v1alpha2: a later version's name of an MPI": older(
        "v1alpha2", "MPICH", "Intel", "spec.mpiDistribution", "IntelMPI"
    ),
    "v1alpha2: a clean-up policy that is none": older(
        "v1alpha2", "Policy: Running", "Policy: Some", "spec.cleanPodPolicy", "Running"
    ),
    "v1alpha2: a negative limit of tries": older(
        "v1alpha2", "backoffLimit: 2", "backoffLimit: -2", "spec.backoffLimit", "greater than"
    ),
    "v1alpha2: a negative deadline": older(
        "v1alpha2", "Seconds: 60", "Seconds: -6", "spec.activeDeadlineSeconds", "greater than"
    ),
    "v1alpha2: an earlier version's GPUs": older(
        "v1alpha2", "slotsPerWorker: 1", "gpus: 8", "spec.gpus", "no such field"
    ),
    "v1: two launchers": older(
        "v1", "replicas: 1", "replicas: 2", f"{LAUNCHER}.replicas", "must be 1"
    ),
    "v1: a clean-up policy that is none": older(
        "v1", "Policy: Running", "Policy: Some", "spec.cleanPodPolicy", "Running"
    ),
    "v1: a role that is none": older(
        "v1", "    Worker:", "    Master:", "spec.mpiReplicaSpecs[Master]", "Master"
    ),
    "v1: a container without an image": older(
        "v1",
        ', image: "example.com/mpi:1", command',
        ", command",
        f"{LAUNCHER}.template.spec.containers[0].image",
        "image",
    ),
    "v1: another version's manager": older(
        "v1",
        "backoffLimit: 2",
        "managedBy: kubeflow.org/mpi-operator",
        "spec.runPolicy.managedBy",
        "training-operator",
    ),
    "v1: a later version's ssh path": older(
        "v1",
        "slotsPerWorker: 1",
        "sshAuthMountPath: /root/.ssh",
        "spec.sshAuthMountPath",
        "no such field",
    ),
}
