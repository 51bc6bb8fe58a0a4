"""`mpijob migrate`, as far as it asks no cluster; tests/real/test_migrate.py asks one."""

from mpijob.cli import exits
from mpijob.cli.migrate import told

POD = {"spec": {"containers": [{"name": "c", "image": "i", "command": ["mpirun", "x"]}]}}
ROLES = {"Launcher": {"template": POD}, "Worker": {"replicas": 1, "template": POD}}


def job(name, version, spec, *, written_in=""):
    noted = {"annotations": {"mpijob.dev/written-in": written_in}} if written_in else {}
    metadata = {"name": name, "namespace": "team", **noted}
    return {"apiVersion": f"kubeflow.org/{version}", "metadata": metadata, "spec": spec}


def _cells(*jobs):
    return [list(row.values()) for row in told(jobs)]


EXEC = "how ranks are started: kubectl exec, where v2beta1 has ssh"
ALWAYS = "when workers start again: Always, where v2beta1 has OnFailure"


def test_jobs_of_v2beta1_are_not_listed():
    assert _cells(job("pi", "v2beta1", {"mpiReplicaSpecs": ROLES})) == []


def test_a_job_is_listed_by_the_version_that_it_was_written_in():
    read = job("pi", "v2beta1", {"mpiReplicaSpecs": ROLES}, written_in="v1alpha2")
    assert _cells(read) == [
        ["team", "pi", "v1alpha2", "Pending", ALWAYS],
        ["", "", "", "", EXEC],
    ]


def test_a_job_that_cannot_be_read_says_why():
    [row] = _cells(job("pi", "v1alpha1", {"gpus": 3, "template": POD}))
    assert row[4] == "spec.gpus: Invalid value: 3: must be 1, 2, 4 or a multiple of 8"


def test_without_a_kubeconfig_it_says_what_it_looked_for(mpijob):
    answer = mpijob("migrate", "--kubeconfig", "/nowhere/config")
    assert (answer.code, "/nowhere/config is not there" in answer.err) == (exits.FAILED, True)
