"""What a person chooses of the openmpi package: its parameters, and what their values mean."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from mpijob import __version__
from mpijob.core.job import Manifest
from mpijob.generate.openmpi import texts
from mpijob.generate.parameters import NULL, Fault, Parameter, Type, Values, WrongParameters

#: The controller's image: ours, of the same version.
CONTROLLER_IMAGE = f"mpijob/openmpi-controller:{__version__}"
#: What a master runs that is told nothing: whoever looks in finds the hosts ready.
NOTHING = "sleep infinity"
#: As many lines of the hostfile as a ConfigMap has room for, with names of usual length.
WORKERS_MAX = 10_000

PARAMETERS = (
    Parameter("name", Type.STRING, "Name of the component: its objects' prefix, and its Service."),
    Parameter("image", Type.STRING, "Image with Open MPI and OpenSSH, for master and workers."),
    Parameter(
        "secret",
        Type.STRING,
        "Secret with the ssh keys of the hosts: id_rsa, id_rsa.pub and authorized_keys.",
    ),
    Parameter("workers", Type.NUMBER, "Number of workers.", "4", least=1, most=WORKERS_MAX),
    Parameter(
        "init",
        Type.STRING,
        "Script that master and workers run in place of the package's own init.sh.",
        NULL,
    ),
    Parameter(
        "exec",
        Type.STRING,
        f'Command that the master runs once all workers are ready; "{NOTHING}" where none is said.',
        NULL,
    ),
    Parameter("imagePullPolicy", Type.STRING, "When to pull the image.", "IfNotPresent"),
    Parameter(
        "imagePullSecrets",
        Type.STRING,
        "Comma-delimited list of Secrets to pull images with.",
        NULL,
    ),
    Parameter("gpu", Type.NUMBER, "Number of GPUs per worker.", "0"),
    Parameter("cpu", Type.STRING, "CPU limits per worker.", NULL),
    Parameter("memory", Type.STRING, "Memory limits per worker.", NULL),
    Parameter(
        "customResources",
        Type.STRING,
        'Comma-delimited list of "resource=amount" pairs: further limits per worker.',
        NULL,
    ),
    Parameter(
        "serviceAccountName",
        Type.STRING,
        "Service account of the pods; it may get, list and watch pods. One is made where none is "
        "said.",
        NULL,
    ),
    Parameter("schedulerName", Type.STRING, "Scheduler of the pods.", "default-scheduler"),
    Parameter("controllerImage", Type.STRING, "Image of the controller.", CONTROLLER_IMAGE),
    Parameter(
        "initTimeout",
        Type.NUMBER,
        "Timeout in seconds to abort the initialization.",
        "300",
        least=1,
    ),
    Parameter(
        "nodeSelector",
        Type.STRING,
        'Comma-delimited list of "key=value" pairs to select the worker nodes. e.g. '
        '"cloud.google.com/gke-accelerator=nvidia-tesla-k80"',
        NULL,
    ),
    Parameter(
        "s3Secret",
        Type.STRING,
        "Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; where it has AWS_ENDPOINT_URL, "
        "AWS_REGION or AWS_SESSION_TOKEN, they count too.",
        NULL,
    ),
    Parameter(
        "downloadDataFrom",
        Type.STRING,
        "S3 URI that every worker's data comes from before it is ready.",
        NULL,
    ),
    Parameter("downloadDataTo", Type.STRING, "Folder that the data is downloaded to.", NULL),
    Parameter(
        "uploadDataFrom",
        Type.STRING,
        "Folder that is uploaded from every worker when the master has ended.",
        NULL,
    ),
    Parameter(
        "uploadDataTo",
        Type.STRING,
        "S3 URI that it is uploaded to, below the namespace, the component and the worker.",
        NULL,
    ),
    Parameter("runAsUser", Type.STRING, "User id that the pods run as.", NULL),
    Parameter("runAsGroup", Type.STRING, "Group id of the pods, and of their volumes.", NULL),
    Parameter(
        "supplementalGroups", Type.STRING, "Comma-delimited list of further group ids.", NULL
    ),
    Parameter("volumes", Type.ARRAY, "Further volumes of the pods.", "[]"),
    Parameter("volumeMounts", Type.ARRAY, "Where all containers mount them.", "[]"),
    Parameter(
        "useHostNetwork", Type.STRING, "Whether workers are on their nodes' network.", "false"
    ),
)

#: As long as a host's name may be.
HOSTNAME_MAX = 63
_WHOLE = re.compile(r"[0-9]+")


class Transfer(Struct, frozen=True):
    """Data that goes from one place to another; an S3 URI on one side, a folder on the other."""

    source: str
    target: str


class Choices(Struct, frozen=True):
    """The parameters' meanings.

    Args:
        limits: Of a worker's container, by resource; None where nothing is said of it.
        security: The pods' security context, None where nothing is said of a field.

    """

    namespace: str
    name: str
    image: str
    secret: str
    workers: int
    init: str
    command: str
    pull_policy: str
    pull_secrets: tuple[str, ...]
    gpus: int
    limits: Mapping[str, Any]
    service_account: str | None
    scheduler: str
    controller_image: str
    timeout_s: int
    node_selector: Mapping[str, str]
    s3_secret: str | None
    download: Transfer | None
    upload: Transfer | None
    security: Mapping[str, Any]
    volumes: tuple[Manifest, ...]
    mounts: tuple[Manifest, ...]
    on_host_network: bool

    @property
    def slots(self) -> int:
        """How many ranks a worker takes: one a GPU, else one."""
        return max(self.gpus, 1)

    @property
    def account(self) -> str:
        """The service account of the pods: the one that was chosen, or the component's own."""
        return self.service_account or self.name

    @property
    def master(self) -> str:
        """The name of the master's pod."""
        return f"{self.name}-master"

    def worker(self, index: int) -> str:
        """Return the name of a worker's pod."""
        return f"{self.name}-worker-{index}"

    def host(self, pod: str) -> str:
        """Return the name by which a pod is reached."""
        return f"{pod}.{self.name}.{self.namespace}"


def choices(values: Values, namespace: str) -> Choices:
    """Return what the parameters mean.

    Raises:
        WrongParameters: A list, a number or a pair among them cannot be read, each with its reason.

    """
    reading = _Reading(values)
    user, group = reading.whole("runAsUser"), reading.whole("runAsGroup")
    read = Choices(
        namespace=namespace,
        name=values["name"],
        image=values["image"],
        secret=values["secret"],
        workers=values["workers"],
        init=values["init"] or f"{texts.ASSETS}/init.sh",
        command=values["exec"] or NOTHING,
        pull_policy=values["imagePullPolicy"],
        pull_secrets=tuple(_items(values["imagePullSecrets"])),
        gpus=values["gpu"],
        limits=_limits(values, reading.pairs("customResources")),
        service_account=values["serviceAccountName"],
        scheduler=values["schedulerName"],
        controller_image=values["controllerImage"],
        timeout_s=values["initTimeout"],
        node_selector=reading.pairs("nodeSelector"),
        s3_secret=values["s3Secret"],
        download=reading.transfer("downloadData", lambda source, _: source),
        upload=reading.transfer("uploadData", lambda _, target: target),
        security={
            "runAsUser": user,
            "runAsGroup": group,
            "fsGroup": group,
            "supplementalGroups": reading.wholes("supplementalGroups"),
        },
        volumes=tuple(values["volumes"]),
        mounts=tuple(values["volumeMounts"]),
        on_host_network=_is_true(values["useHostNetwork"]),
    )
    last = read.worker(read.workers - 1)
    if len(last) > HOSTNAME_MAX:
        what = f"the host name {last} would have more than {HOSTNAME_MAX} characters"
        reading.faults.append(Fault("name", what, "give a shorter one"))
    if reading.faults:
        raise WrongParameters(*reading.faults)
    return read


class _Reading:
    """Reads what stands in text, and gathers what is wrong with it."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self.faults: list[Fault] = []

    def pairs(self, parameter: str) -> dict[str, str]:
        """Return a list of KEY=VALUE; all after the first equals sign is the value."""
        found: dict[str, str] = {}
        for item in _items(self._values[parameter]):
            key, equals, value = item.partition("=")
            if key and equals:
                found[key] = value
            else:
                what, remedy = f"“{item}” has no key or no “=”", "write key=value,key=value"
                self.faults.append(Fault(parameter, what, remedy))
        return found

    def whole(self, parameter: str) -> int | None:
        """Return an id, None where none is given."""
        said = self._values[parameter]
        found = self._numbers(parameter, [] if said is None else [said])
        return found[0] if found else None

    def wholes(self, parameter: str) -> list[int]:
        """Return a list of ids."""
        return self._numbers(parameter, _items(self._values[parameter]))

    def transfer(self, stem: str, remote: Callable[[str, str], str]) -> Transfer | None:
        """Return where data comes from and goes to, None where neither is said."""
        names = (f"{stem}From", f"{stem}To")
        source, target = (self._values[name] for name in names)
        if source and target:
            uri = remote(source, target)
            if not re.fullmatch(r"s3://[^/]+(/.*)?", uri):
                what = f"“{uri}” is no S3 URI"
                name = names[0] if uri == source else names[1]
                self.faults.append(Fault(name, what, "write s3://BUCKET/FOLDER"))
            return Transfer(source, target)
        if source or target:
            given, missing = names if source else reversed(names)
            self.faults.append(
                Fault(missing, f"it is missing beside {given}", "give both, or neither")
            )
        return None

    def _numbers(self, parameter: str, items: Sequence[str]) -> list[int]:
        for item in items:
            if not _WHOLE.fullmatch(item):
                remedy = "give an id, such as 1000"
                self.faults.append(Fault(parameter, f"“{item}” is not a whole number", remedy))
        return [int(item) for item in items if _WHOLE.fullmatch(item)]


def _limits(values: Values, further: Mapping[str, str]) -> dict[str, Any]:
    gpus = {"nvidia.com/gpu": values["gpu"]} if values["gpu"] else {}
    return {**gpus, "cpu": values["cpu"], "memory": values["memory"], **further}


def _items(text: str | None) -> list[str]:
    stripped = (item.strip() for item in (text or "").split(","))
    return [item for item in stripped if item]


def _is_true(text: str | None) -> bool:
    said = (text or "").lower()
    return said == "true" or (said.isdigit() and int(said) != 0)
