"""What is left of a job on real nodes once it has ended, however it ended."""

import pytest

from harness.manifests import job, user

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

_PODS = "/api/v1/namespaces/{}/pods"
_JOBS = "/apis/kubeflow.org/v2beta1/namespaces/{}/mpijobs"
_LAUNCHERS = "/apis/batch/v1/namespaces/{}/jobs"
_JOB, _ROLE = "training.kubeflow.org/job-name", "training.kubeflow.org/job-role"
_PERSON = user(1000)
_ELSEWHERE = "kueue.x-k8s.io/multikueue"

#: What the launcher ends with, by the outcome of its job.
OUTCOMES = {"Succeeded": ("sh", "-c", "hostname"), "Failed": ("sh", "-c", "hostname; exit 3")}
#: How many of a job's two workers are left, by its policy.
LEFT = {"All": 0, "Running": 0, "None": 2}
CASES = {
    f"{policy}-{outcome}".lower(): (policy, outcome) for policy in LEFT for outcome in OUTCOMES
}

#: Worker 1 ends well while the job runs; the launcher ends once it is told to.
_ENDS = 'case $(hostname) in *-1) exit 0;; esac; trap "exit 0" TERM; sleep 600 & wait'
_TOLD = "until [ -e /told/to-end ]; do sleep 0.2; done"
_EVER = ("sh", "-c", "trap 'exit 1' TERM; sleep 600 & wait")


def _ending(name, image, command, *, launcher=_PERSON, **policy):
    manifest = job(
        name,
        image,
        *command,
        launcher=launcher,
        worker=_PERSON,
        runPolicy={"backoffLimit": 0, **policy},
    )
    manifest["spec"]["mpiReplicaSpecs"]["Launcher"]["restartPolicy"] = "Never"
    return manifest


def _one_worker_ended(image, sees_told):
    """Return a job that waits for no worker: one of them ends at once, and starts no sshd."""
    manifest = _ending(
        "ended", image, ("sh", "-c", _TOLD), launcher=sees_told, cleanPodPolicy="Running"
    )
    manifest["metadata"]["annotations"] = {"mpijob.dev/wait-for-workers": "false"}
    worker = manifest["spec"]["mpiReplicaSpecs"]["Worker"]["template"]["spec"]
    worker["containers"][0]["command"] = ["sh", "-c", _ENDS]
    return manifest


def _conditions(found):
    rows = found.get("status", {}).get("conditions", ())
    return {row["type"]: row["reason"] for row in rows if row["status"] == "True"}


def _finished(found):
    return bool({"Succeeded", "Failed"} & _conditions(found).keys())


def _has_succeeded(pod):
    return pod["status"].get("phase") == "Succeeded"


def _pods(api, space, name):
    """Return how many pods a job has, by their role."""
    found = api.read(_PODS.format(space), labelSelector=f"{_JOB}={name}")["items"]
    roles = [pod["metadata"]["labels"][_ROLE] for pod in found]
    return {role: roles.count(role) for role in sorted({*roles})}


@pytest.fixture(scope="module")
def ends(site, images, space, told, sees_told):
    """How each job ended, by its name, where that is a matter of the launcher alone."""
    five = images["openmpi-5"]
    site.submit(
        space,
        *(
            _ending(name, five, OUTCOMES[outcome], cleanPodPolicy=policy)
            for name, (policy, outcome) in CASES.items()
        ),
        _one_worker_ended(five, sees_told),
        _ending("late", five, _EVER, activeDeadlineSeconds=5, cleanPodPolicy="All"),
        _ending("brief", five, OUTCOMES["Succeeded"], ttlSecondsAfterFinished=2),
        _ending("ours", five, OUTCOMES["Succeeded"], managedBy="kubeflow.org/mpi-operator"),
        _ending("theirs", five, OUTCOMES["Succeeded"], managedBy=_ELSEWHERE),
    )
    with site.api() as api:
        path = _PODS.format(space)
        named = {"fieldSelector": "metadata.name=ended-worker-1"}
        api.until(path, _has_succeeded, limit_s=300, **named)
        (told / "to-end").touch()
        names = [*CASES, "ended", "late", "brief", "ours"]
        return {
            name: _conditions(
                api.until(
                    _JOBS.format(space),
                    _finished,
                    limit_s=300,
                    fieldSelector=f"metadata.name={name}",
                )
            )
            for name in names
        }


@pytest.mark.parametrize("name", CASES)
def test_a_job_ends_as_its_launcher_does(ends, name):
    (_, outcome) = CASES[name]
    assert outcome in ends[name]


@pytest.mark.usefixtures("ends")
@pytest.mark.parametrize("name", CASES)
def test_the_launcher_is_left_and_of_the_workers_what_the_policy_says(site, space, name):
    left = LEFT[CASES[name][0]]
    with site.api() as api:
        for index in range(left, 2):
            api.until_gone(_PODS.format(space), f"{name}-worker-{index}")
        found = _pods(api, space, name)
    assert found == ({"launcher": 1, "worker": left} if left else {"launcher": 1})


@pytest.mark.usefixtures("ends")
def test_where_those_that_run_go_one_that_has_ended_stays(site, space):
    with site.api() as api:
        api.until_gone(_PODS.format(space), "ended-worker-0")
        found = api.read(_PODS.format(space), labelSelector=f"{_JOB}=ended,{_ROLE}=worker")["items"]
    assert [pod["metadata"]["name"] for pod in found] == ["ended-worker-1"]


def test_a_deadline_fails_the_job_and_says_so(ends):
    assert ends["late"].get("Failed") == "DeadlineExceeded"


@pytest.mark.usefixtures("ends")
def test_nothing_of_a_job_runs_past_its_deadline(site, space):
    with site.api() as api:
        for pod in api.read(_PODS.format(space), labelSelector=f"{_JOB}=late")["items"]:
            api.until_gone(_PODS.format(space), pod["metadata"]["name"])
        assert _pods(api, space, "late") == {}


def test_what_is_left_has_its_time_and_the_job_is_still_there(site, space, ends):
    with site.api() as api:
        api.until_gone(_LAUNCHERS.format(space), "brief-launcher")
        found = api.read(f"{_JOBS.format(space)}/brief")
    assert _conditions(found) == ends["brief"]


def test_a_job_that_names_who_manages_it_runs_where_that_is_us(ends):
    assert "Succeeded" in ends["ours"]


@pytest.mark.usefixtures("ends")
def test_of_a_job_that_somebody_else_manages_nothing_is_made(site, space):
    with site.api() as api:
        made = [
            item["metadata"]["name"]
            for kind in ("pods", "services", "configmaps", "secrets")
            for item in api.read(f"/api/v1/namespaces/{space}/{kind}")["items"]
        ]
    assert [name for name in made if name.startswith("theirs")] == []
