"""The hostfile, discover_hosts.sh, and who is on record as setting up ssh."""

import pytest
from msgspec.structs import replace

from mpijob.core import build, names, options
from mpijob.core.config import Config, Transport
from mpijob.core.job import Flavour
from mpijob.core.transport import Setup
from mpijob.core.version import Version

# Each case of `TestNewConfigMap`, mpi-operator v0.8.2 (pkg/controller/mpi_job_controller_test.go).
HOSTFILES = {
    "Open MPI, the launcher is a worker": (
        {"workers": 2, "run_launcher_as_worker": True},
        "",
        [
            "pi-launcher.pi.default.svc slots=1",
            "pi-worker-0.pi.default.svc slots=1",
            "pi-worker-1.pi.default.svc slots=1",
        ],
    ),
    "Open MPI, no workers, the launcher is one": (
        {"workers": 0, "run_launcher_as_worker": True},
        "",
        ["pi-launcher.pi.default.svc slots=1"],
    ),
    "Open MPI, no workers": ({"workers": 0}, "", []),
    "Open MPI, slots": (
        {"workers": 1, "slots_per_worker": 10},
        "",
        ["pi-worker-0.pi.default.svc slots=10"],
    ),
    "Open MPI, a cluster domain": (
        {"workers": 1},
        "example.org",
        ["pi-worker-0.pi.default.svc.example.org slots=1"],
    ),
    "Open MPI, a cluster domain, the launcher is a worker": (
        {"workers": 1, "run_launcher_as_worker": True},
        "example.org",
        [
            "pi-launcher.pi.default.svc.example.org slots=1",
            "pi-worker-0.pi.default.svc.example.org slots=1",
        ],
    ),
    "Intel, slots": (
        {"workers": 1, "slots_per_worker": 10, "flavour": Flavour.INTEL},
        "",
        ["pi-worker-0.pi.default.svc:10"],
    ),
    "Intel, a cluster domain": (
        {"workers": 1, "flavour": Flavour.INTEL},
        "example.org",
        ["pi-worker-0.pi.default.svc.example.org:1"],
    ),
    "MPICH, slots": (
        {"workers": 1, "slots_per_worker": 10, "flavour": Flavour.MPICH},
        "",
        ["pi-worker-0.pi.default.svc:10"],
    ),
    "MPICH, a cluster domain": (
        {"workers": 1, "flavour": Flavour.MPICH},
        "example.org",
        ["pi-worker-0.pi.default.svc.example.org:1"],
    ),
}


@pytest.mark.parametrize(("fields", "domain", "lines"), HOSTFILES.values(), ids=HOSTFILES)
def test_the_hostfile_names_every_wanted_host(a_job, fields, domain, lines):
    made = build.config(a_job(**fields), (), Config(cluster_domain=domain), Setup.IMAGE)
    assert made["data"]["hostfile"] == "".join(f"{line}\n" for line in lines)


# Each case of `TestUpdateDiscoverHostsInConfigMap`, likewise.
DISCOVERED = {
    "nobody runs": ({}, "", [], []),
    "nobody runs, a cluster domain": ({}, "example.org", [], []),
    "some run": ({}, "", ["pi-worker-0"], ["pi-worker-0.pi.default.svc"]),
    "some run, a cluster domain": (
        {},
        "example.org",
        ["pi-worker-0"],
        ["pi-worker-0.pi.default.svc.example.org"],
    ),
    "some run, the launcher is a worker": (
        {"run_launcher_as_worker": True},
        "",
        ["pi-worker-0"],
        ["pi-launcher.pi.default.svc", "pi-worker-0.pi.default.svc"],
    ),
    "some run, a cluster domain, the launcher is a worker": (
        {"run_launcher_as_worker": True},
        "example.org",
        ["pi-worker-0"],
        ["pi-launcher.pi.default.svc.example.org", "pi-worker-0.pi.default.svc.example.org"],
    ),
    "sorted as text": (
        {},
        "",
        ["pi-worker-2", "pi-worker-10", "pi-worker-0"],
        [
            "pi-worker-0.pi.default.svc",
            "pi-worker-10.pi.default.svc",
            "pi-worker-2.pi.default.svc",
        ],
    ),
}


@pytest.mark.parametrize(
    ("fields", "domain", "running", "hosts"), DISCOVERED.values(), ids=DISCOVERED
)
def test_discover_hosts_names_those_that_run(a_job, fields, domain, running, hosts):
    made = build.config(a_job(**fields), running, Config(cluster_domain=domain), Setup.IMAGE)
    text = "#!/bin/sh\n" + "".join(f"echo {host}\n" for host in hosts)
    assert made["data"]["discover_hosts.sh"] == text


def test_a_v1_jobs_running_workers_are_named_with_their_slots(a_job):
    made = a_job(workers=3, slots_per_worker=2)
    v1 = replace(made, identity=replace(made.identity, written_in=Version.V1))
    running = ["pi-worker-1", "pi-worker-0"]
    text = build.config(v1, running, Config(), Setup.EXEC)["data"]["discover_hosts.sh"]
    assert text == "#!/bin/sh\necho pi-worker-0:2\necho pi-worker-1:2\n"


SETUPS = {
    "ours": (
        Setup.OPERATOR,
        {
            names.WAIT_FOR_WORKERS,
            "prepare_ssh.sh",
            "ssh_config",
            "sshd_config",
            "start_sshd.sh",
            "ssh_with_environment.sh",
            "with_environment.sh",
            "handed_on",
        },
    ),
    "the image's": (Setup.IMAGE, {names.WAIT_FOR_WORKERS}),
    "none": (Setup.AGENT, set()),
}


@pytest.mark.parametrize(("setup", "files"), SETUPS.values(), ids=SETUPS)
def test_a_set_up_brings_its_files(a_job, setup, files):
    data = build.config(a_job(), (), Config(), setup)["data"]
    assert data.keys() - {names.HOSTFILE, names.DISCOVER_HOSTS} == files


def test_a_pod_finds_its_script_again_though_nobody_waits_any_more(a_job):
    job = a_job(annotations={options.WAIT_FOR_WORKERS: "false"})
    assert names.WAIT_FOR_WORKERS in build.config(job, (), Config(), Setup.IMAGE)["data"]


@pytest.mark.parametrize("setup", Setup)
def test_the_set_up_is_on_record(a_job, setup):
    metadata = build.config(a_job(), (), Config(transport=Transport.SSH), setup)["metadata"]
    assert metadata["annotations"] == {"mpijob.dev/ssh-setup": setup.value}


def test_hosts_are_known_by_whatever_name_they_are_called(a_job):
    """One key for all hosts of a job: `known_hosts` has it under *.pi.default.svc."""
    data = build.config(a_job(), (), Config(), Setup.OPERATOR)["data"]
    assert "    HostKeyAlias any.pi.default.svc\n" in data["ssh_config"]


def test_no_slots_are_no_slots_defect_23(a_job):
    """Kept from mpi-operator v0.8.2: what does not fit is for `lint` to say."""
    made = build.config(a_job(1, slots_per_worker=0), (), Config(), Setup.IMAGE)
    assert made["data"]["hostfile"] == "pi-worker-0.pi.default.svc slots=0\n"
