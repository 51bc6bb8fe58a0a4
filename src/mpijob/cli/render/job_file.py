"""A commented job file: what `mpijob init` writes for somebody to go on from."""

import json
import re
from collections.abc import Sequence

from mpijob.api.new_job import NewJob, launch_command

#: What YAML reads as text though it stands there without quotes, if it is none of the words below.
_BARE = re.compile(r"^-{0,2}[A-Za-z/.][-A-Za-z0-9_./+]*$")
_RESERVED = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))

_FILE = """\
# An MPI job.
#   on this machine:  mpijob run {file}
#   on a cluster:     kubectl create -f {file}
# `mpijob lint {file}` explains what is wrong or odd in it, `mpijob plan {file}` what it makes.
apiVersion: kubeflow.org/v2beta1
kind: MPIJob
metadata:
  # Pods are named after the job: {name}-launcher, {name}-worker-0, … Letters, digits and dashes.
  name: {name}
spec:
  # How many ranks a worker takes. Workers × slots is the number after `mpirun -n` below.
  slotsPerWorker: {slots}
  # OpenMPI (4 and 5), MPICH or Intel.
  mpiImplementation: {flavour}
  runPolicy:
    # Which worker pods go when the job has finished: None, Running or All.
    cleanPodPolicy: Running
    # Fail the job when it has run for so many seconds.
    # activeDeadlineSeconds: 3600
    # How often the launcher may fail, and be started again, before the job has failed.
    backoffLimit: 0
    # So many seconds after its end, remove all but the job itself.
    # ttlSecondsAfterFinished: 86400
    # Create the job, but start nothing before `mpijob resume {name}`.
    # suspend: true
  # "WaitForWorkersReady" starts the launcher's pod when every worker is ready. Usually there is no
  # need: the launcher waits for its workers by itself.
  # launcherCreationPolicy: AtStartup
  mpiReplicaSpecs:
    Launcher:
      replicas: 1
      # With "OnFailure" its pod stays, and its program is started again.
      restartPolicy: Never
      template:
        spec:
          containers:
          - name: launcher
            # On this machine no image is pulled: the command runs as it is found here.
{image}
            # Relative paths count from the folder of this file, on a cluster from the image's own.
            # Numbers are quoted: the words of a command are text.
            command: {command}
{env}\
    Worker:
      # Each worker is a host of its own for mpirun.
      replicas: {workers}
      template:
        spec:
          containers:
          - name: worker
            # The same image as the launcher's. No command: the operator sets up what ranks need.
{image}
{resources}
"""

_NO_RESOURCES = """\
            # What each worker needs, for the scheduler:
            # resources:
            #   limits:
            #     cpu: "2"
            #     memory: 4Gi
            #     nvidia.com/gpu: 1"""


def job_file(new: NewJob, file: str) -> str:
    """Return the job file of `new`, with a comment at every field; `file` is what it is called."""
    image = f"image: {_word(new.image)}" if new.image else "# image: registry.example.com/me/pi:1"
    return _FILE.format(
        file=file,
        name=new.name,
        slots=new.slots,
        flavour=new.flavour,
        image=f"            {image}",
        command=_words(launch_command(new)),
        env=_env(new),
        workers=new.worker_count,
        resources=_resources(new),
    )


def _resources(new: NewJob) -> str:
    """Return the lines of a worker's limits, or a comment that shows how they are written."""
    limits: dict[str, str | int] = {}
    if new.cpus:
        limits["cpu"] = _word(new.cpus)
    if new.memory:
        limits["memory"] = _word(new.memory)
    if new.gpus:
        limits["nvidia.com/gpu"] = new.gpus
    if not limits:
        return _NO_RESOURCES
    lines = ["resources:", "  limits:", *(f"    {name}: {limits[name]}" for name in limits)]
    return "\n".join(f"            {line}" for line in lines)


def _env(new: NewJob) -> str:
    """Return the lines of the launcher's variables; "" where there are none."""
    lines = ["env:"] if new.env else []
    for name, value in new.env.items():
        lines += [f"- name: {_word(name)}", f"  value: {json.dumps(value, ensure_ascii=False)}"]
    return "".join(f"            {line}\n" for line in lines)


def _words(words: Sequence[str]) -> str:
    """Return a command as a YAML list on one line."""
    return f"[{', '.join(_word(word) for word in words)}]"


def _word(text: str) -> str:
    """Return a text as YAML: bare where it can only be text, else as JSON, which YAML reads too."""
    bare = _BARE.match(text) and re.search("[A-Za-z]", text) and text.lower() not in _RESERVED
    return text if bare else json.dumps(text, ensure_ascii=False)
