"""`mpijob operator`: look after the MPIJobs of a cluster."""

import asyncio
import json
import logging
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime

import click

from mpijob.cli import exits
from mpijob.cli.trouble import Trouble
from mpijob.core.allocation import GPU, UnitDefaults
from mpijob.core.config import Config, Gang, KeyType
from mpijob.generate.settings import KUBECTL_DELIVERY_IMAGE

#: klog's switches: mpi-operator's manifests pass them. What they choose, our log does not have.
_KLOG = (
    "alsologtostderr",
    "logtostderr",
    "stderrthreshold",
    "legacy_stderr_threshold_behavior",
    "log_backtrace_at",
    "log_dir",
    "log_file",
    "log_file_max_size",
    "one_output",
    "add_dir_header",
    "skip_headers",
    "skip_log_headers",
    "v",
    "vmodule",
)
_OWN = (
    "master",
    "kubeConfig",
    "namespace",
    "threadiness",
    "version",
    "monitoring-port",
    "gang-scheduling",
    "lock-namespace",
    "kube-api-qps",
    "kube-api-burst",
    "controller-queue-rate-limit",
    "controller-queue-burst",
    "cluster-domain",
    "kubectl-delivery-image",
    "gpus-per-node",
    "processing-units-per-node",
    "processing-resource-type",
)


class _GoFlags(click.Command):
    """A command whose long options may have one dash, as Go's flags do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `-flag`, `-flag=value` and klog's flags as well."""
        return super().parse_args(ctx, _understood(args))


def _understood(args: list[str]) -> list[str]:
    """Return the arguments with two dashes each, less the flags of klog and their values."""
    kept: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        name = word.lstrip("-").partition("=")[0]
        if word.startswith("-") and name in _KLOG:
            takes = name in ("stderrthreshold", "v", "vmodule", "log_dir", "log_file")
            if takes and "=" not in word and rest:
                rest.pop(0)
        elif word.startswith("-") and not word.startswith("--") and name in _OWN:
            kept.append(f"-{word}")
        else:
            kept.append(word)
    return kept


@click.command("operator", cls=_GoFlags)
@click.option("--master", default="", help="URL of the API server; overrides the kubeconfig's.")
@click.option("--kubeConfig", "kubeconfig", default="", help="Kubeconfig; $KUBECONFIG before it.")
@click.option(
    "--namespace",
    envvar="KUBEFLOW_NAMESPACE",
    default="",
    help="Look after this namespace alone ($KUBEFLOW_NAMESPACE); all where it is left out.",
)
@click.option(
    "--threadiness",
    default=16,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="How many jobs are looked at, at the same time.",
)
@click.option(
    "--monitoring-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Port of /metrics; 0 for none.",
)
@click.option(
    "--health-port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of /healthz and /readyz; 0 for none.",
)
@click.option(
    "--gang-scheduling",
    default="",
    help="“volcano”, or the name of a scheduler that has the scheduler-plugins' co-scheduling.",
)
@click.option(
    "--lock-namespace",
    default="mpi-operator",
    show_default=True,
    help="Namespace of the Lease by which operators agree on who acts.",
)
@click.option(
    "--kube-api-qps",
    default=0.0,
    type=click.FloatRange(0),
    help="Requests a second; 0 leaves it to the API server's own fairness.",
)
@click.option(
    "--kube-api-burst",
    default=64,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Requests that may be under way at the same time.",
)
@click.option("--controller-queue-rate-limit", type=int, help="Without effect: see the log.")
@click.option("--controller-queue-burst", type=int, help="Without effect: see the log.")
@click.option("--cluster-domain", default="", help="The cluster's DNS domain, for host files.")
@click.option(
    "--kubectl-delivery-image",
    default=KUBECTL_DELIVERY_IMAGE,
    show_default=True,
    help="Image with kubectl, for jobs whose ranks are started by exec; empty for ssh instead.",
)
@click.option(
    "--gpus-per-node",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="GPUs a worker of v1alpha1's jobs that say only how many they want.",
)
@click.option(
    "--processing-units-per-node",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="The same for processing units.",
)
@click.option(
    "--processing-resource-type",
    default=GPU,
    show_default=True,
    help="What v1alpha1's processing units are: “nvidia.com/gpu” or “cpu”.",
)
@click.option(
    "--ssh-key-type",
    type=click.Choice([kind.value for kind in KeyType]),
    default=KeyType.ED25519.value,
    show_default=True,
    help="Which ssh keys to draw.",
)
@click.option(
    "--service-mesh",
    is_flag=True,
    help="Let Istio and Linkerd put their proxies into the pods of jobs that do not say.",
)
@click.option(
    "--shared-memory/--no-shared-memory",
    default=True,
    show_default=True,
    help="Give pods that run ranks a /dev/shm as large as their memory, where jobs do not say.",
)
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option("--version", "wants_version", is_flag=True, help="Print the version and end.")
def command(**flags: object) -> None:
    """Look after the MPIJobs of a cluster, until told to stop.

    The flags are mpi-operator's, by their names; its logging flags are accepted and without
    effect.
    """
    if flags["wants_version"]:
        from mpijob.cli.version import command as version

        version.main([], standalone_mode=False)
        return
    _log_to_stderr(str(flags["log_format"]))
    for unused in ("controller_queue_rate_limit", "controller_queue_burst"):
        if flags[unused] is not None:
            told = unused.replace("_", "-")
            logging.getLogger(__name__).warning(
                "--%s has no effect: events are never slowed down here, only failures are", told
            )
    _wait_in_turn()
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        ended_well = runner.run(_run(flags))
    if not ended_well:
        sys.exit(exits.FAILED)


def _wait_in_turn() -> None:
    """Have whoever is at work when an answer comes finish first, where the kernel can do that.

    An operator is woken thousands of times a minute, for so little each time that to begin costs
    more than the work: what came meanwhile is taken in together (decision 0020).
    """
    if sys.platform == "linux":
        with suppress(OSError):  # Not allowed there: as before.
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's, where there is one: an operator is its requests and watches."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _run(flags: dict[str, object]) -> bool:
    from mpijob.kube import operator
    from mpijob.kube.config import connection
    from mpijob.kube.entries import ConfigError

    # As mpi-operator has it, the variable goes before the flag.
    kubeconfig = "" if os.environ.get("KUBECONFIG") else str(flags["kubeconfig"])
    try:
        found = connection(kubeconfig, server=str(flags["master"]))
    except ConfigError as missing:
        raise Trouble(str(missing)) from missing
    scheduler = str(flags["gang_scheduling"])
    gang = Gang.VOLCANO if scheduler == "volcano" else Gang.SCHEDULER_PLUGINS
    settings = operator.Settings(
        config=Config(
            cluster_domain=str(flags["cluster_domain"]),
            gang=gang if scheduler else None,
            scheduler_name=scheduler,
            key_type=KeyType(str(flags["ssh_key_type"])),
            service_mesh=bool(flags["service_mesh"]),
            shared_memory=bool(flags["shared_memory"]),
            kubectl_delivery_image=str(flags["kubectl_delivery_image"]),
            units=UnitDefaults(
                int(str(flags["gpus_per_node"])),
                int(str(flags["processing_units_per_node"])),
                str(flags["processing_resource_type"]),
            ),
        ),
        namespace=str(flags["namespace"]),
        lock_namespace=str(flags["lock_namespace"]),
        workers=int(str(flags["threadiness"])),
        requests_at_once=int(str(flags["kube_api_burst"])),
        requests_per_s=float(str(flags["kube_api_qps"])),
        health_port=int(str(flags["health_port"])),
        metrics_port=int(str(flags["monitoring_port"])),
    )
    return await operator.run(found, settings)


def _log_to_stderr(form: str) -> None:
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(_Json() if form == "json" else _Text())
    logging.basicConfig(level=logging.INFO, handlers=[out], force=True)


class _Text(logging.Formatter):
    """One line a record: time, level, job, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback follows it where there is one."""
        job = f" job={record.job}" if hasattr(record, "job") else ""
        line = f"{_time(record)} {record.levelname}{job} {record.getMessage()}"
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return line + trace


class _Json(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object as one line."""
        told = {"time": _time(record), "level": record.levelname, "message": record.getMessage()}
        if hasattr(record, "job"):
            told["job"] = str(record.job)
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
