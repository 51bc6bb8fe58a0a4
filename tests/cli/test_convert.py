"""`mpijob convert`."""

import yaml

from mpijob.cli import exits

OLD = """\
apiVersion: kubeflow.org/v1alpha1
kind: MPIJob
metadata: {name: pi}
spec:
  gpus: 2
  gpusPerNode: 2
  template:
    spec:
      containers: [{name: c, image: i, command: [mpirun, x]}]
"""


def test_an_old_job_is_printed_in_the_version_of_today(mpijob):
    made = yaml.safe_load(mpijob("convert", "-f", "-", given=OLD).out)
    worker = made["spec"]["mpiReplicaSpecs"]["Worker"]
    assert (made["apiVersion"], made["spec"]["slotsPerWorker"], worker["replicas"]) == (
        "kubeflow.org/v2beta1",
        2,
        1,
    )


def test_what_becomes_otherwise_is_told(mpijob):
    assert "how ranks are started: kubectl exec" in mpijob("convert", "-", given=OLD).err


def test_an_unsound_job_is_refused_by_its_field(mpijob):
    done = mpijob("convert", "-", given=OLD.replace("gpus: 2", "gpus: 3"))
    assert (done.code, "spec.gpus" in done.err) == (exits.INVALID, True)
