"""Every MPI, whoever runs it: one rank on each worker, and none anywhere else."""

import pytest

from harness.manifests import AS_ROOT, HOSTNAME, job, user

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

MPICH = ("mpirun", "-n", "2", "hostname")
#: Ranks that meet before they say where they are: Intel's own benchmark comes with its MPI.
INTEL = ("mpirun", "-n", "2", "sh", "-c", "IMB-MPI1 -npmin 2 Barrier > /tmp/said && hostname")

IMPLEMENTATIONS = {"mpich": "MPICH", "intel": "Intel"}

#: What is run, by what is special about it: the image, the command, and who runs it.
CASES = {
    "openmpi-4-as-root": ("openmpi-4", AS_ROOT, {}),
    "openmpi-4-as-uid-1000": ("openmpi-4", HOSTNAME, user(1000)),
    "openmpi-4-as-any-uid": ("openmpi-4", HOSTNAME, user(4321)),
    "openmpi-5-as-root": ("openmpi-5", AS_ROOT, {}),
    "openmpi-5-as-uid-1000": ("openmpi-5", HOSTNAME, user(1000)),
    "openmpi-5-as-any-uid": ("openmpi-5", HOSTNAME, user(4321)),
    "mpich-as-root": ("mpich", MPICH, {}),
    "mpich-as-uid-1000": ("mpich", MPICH, user(1000)),
    "mpich-as-any-uid": ("mpich", MPICH, user(4321)),
    "intel-as-root": ("intel", INTEL, {}),
    "intel-as-uid-1000": ("intel", INTEL, user(1000)),
    "intel-as-any-uid": ("intel", INTEL, user(4321)),
    "user-of-the-image": ("user", HOSTNAME, {}),
    "root-without-a-password": ("locked-root", AS_ROOT, {}),
    "two-packages-as-root": ("two-packages", AS_ROOT, {}),
    "two-packages-as-any-uid": ("two-packages", HOSTNAME, user(4321)),
}


@pytest.fixture(scope="module")
def runs(site, images, space):
    jobs = [
        job(
            name,
            images[image],
            *command,
            launcher=fields,
            worker=fields,
            mpiImplementation=IMPLEMENTATIONS.get(image, "OpenMPI"),
        )
        for name, (image, command, fields) in CASES.items()
    ]
    return site.run(space, *jobs)


@pytest.mark.parametrize("name", CASES)
def test_each_worker_runs_one_rank(runs, name):
    assert runs[name].hosts == [f"{name}-worker-0", f"{name}-worker-1"]


@pytest.mark.parametrize("name", CASES)
def test_the_job_succeeds_without_a_failed_launcher(runs, name):
    failed = [pod for pod in runs[name].role("launcher") if pod["status"]["phase"] == "Failed"]
    assert (runs[name].end, failed) == ("Succeeded", [])
