"""The launcher's Job, and what of it a resume brings up to date."""

from copy import deepcopy

import pytest

from mpijob.core import build, options
from mpijob.core.config import Config
from mpijob.core.job import Flavour, RunPolicy
from mpijob.core.transport import Setup
from mpijob.core.transport.ssh_ports import host_port

# What an operator adds by default has tests of its own, in tests/core/policy.
CONFIG = Config(service_mesh=True, shared_memory=False)


def job_of(job, setup=Setup.IMAGE, config=CONFIG, *, suspended=False):
    return build.launcher(job, config, setup, suspended=suspended)["spec"]


def spec_of(job, setup=Setup.IMAGE, config=CONFIG):
    return job_of(job, setup, config)["template"]["spec"]


def env_of(job, setup=Setup.IMAGE):
    return {e["name"]: e.get("value") for e in spec_of(job, setup)["containers"][0]["env"]}


def test_a_launcher_of_a_job_that_says_nothing(a_job):
    """The first case of `TestNewLauncherAndWorker`, mpi-operator v0.8.2, without workers."""
    owner = {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "name": "pi",
        "uid": "job-uid",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    assert build.launcher(a_job(0), CONFIG, Setup.IMAGE, suspended=False) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "namespace": "default",
            "name": "pi-launcher",
            "labels": {"app": "pi", "mpijob.dev/child": "true"},
            "ownerReferences": [owner],
        },
        "spec": {
            "podReplacementPolicy": "Failed",
            "template": {
                "metadata": {
                    "labels": {
                        "training.kubeflow.org/operator-name": "mpi-operator",
                        "training.kubeflow.org/job-name": "pi",
                        "training.kubeflow.org/job-role": "launcher",
                        "group_name": "kubeflow.org",
                        "mpi_job_name": "pi",
                        "mpi_role_type": "launcher",
                        "group-name": "kubeflow.org",
                        "mpi-job-name": "pi",
                        "mpi-job-role": "launcher",
                    },
                    "ownerReferences": [owner],
                },
                "spec": {
                    "containers": [
                        {
                            "name": "mpi",
                            "image": "example/mpi:1",
                            "command": ["mpirun", "-n", "2", "hostname"],
                            "env": [
                                {"name": "K_MPI_JOB_ROLE", "value": "launcher"},
                                {"name": "OMPI_MCA_orte_keep_fqdn_hostnames", "value": "true"},
                                {
                                    "name": "OMPI_MCA_orte_default_hostfile",
                                    "value": "/etc/mpi/hostfile",
                                },
                                {
                                    "name": "OMPI_MCA_plm_rsh_args",
                                    "value": "-o ConnectionAttempts=10",
                                },
                                {"name": "OMPI_MCA_orte_set_default_slots", "value": "1"},
                                {"name": "PRTE_MCA_prte_keep_fqdn_hostnames", "value": "false"},
                                {
                                    "name": "PRTE_MCA_prte_default_hostfile",
                                    "value": "/etc/mpi/hostfile",
                                },
                                {"name": "PRTE_MCA_prte_set_default_slots", "value": "1"},
                                {"name": "PRTE_MCA_odls_base_max_threads", "value": "0"},
                                {"name": "NVIDIA_VISIBLE_DEVICES", "value": ""},
                                {"name": "NVIDIA_DRIVER_CAPABILITIES", "value": ""},
                            ],
                            "volumeMounts": [
                                {"name": "ssh-auth", "mountPath": "/root/.ssh"},
                                {"name": "mpi-job-config", "mountPath": "/etc/mpi"},
                            ],
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                        }
                    ],
                    "volumes": [
                        {
                            "name": "ssh-auth",
                            "secret": {
                                "secretName": "pi-ssh",
                                "items": [
                                    {"key": "ssh-privatekey", "path": "id_rsa"},
                                    {"key": "ssh-publickey", "path": "id_rsa.pub"},
                                    {"key": "ssh-publickey", "path": "authorized_keys"},
                                ],
                                "defaultMode": 0o600,
                            },
                        },
                        {
                            "name": "mpi-job-config",
                            "configMap": {
                                "name": "pi-config",
                                "items": [
                                    {"key": "hostfile", "path": "hostfile", "mode": 0o444},
                                    {
                                        "key": "discover_hosts.sh",
                                        "path": "discover_hosts.sh",
                                        "mode": 0o555,
                                    },
                                ],
                            },
                        },
                    ],
                    "hostname": "pi-launcher",
                    "subdomain": "pi",
                    "restartPolicy": "OnFailure",
                    "dnsConfig": {"searches": ["pi.default.svc.cluster.local"]},
                },
            },
        },
    }


def test_a_launcher_that_runs_ranks_has_a_number_and_the_gpus(a_job):
    """The second case of `TestNewLauncherAndWorker`, mpi-operator v0.8.2."""
    job = a_job(run_launcher_as_worker=True)
    labels = job_of(job)["template"]["metadata"]["labels"]
    gpus = env_of(job).keys() & {"NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"}
    assert (labels["training.kubeflow.org/replica-index"], gpus) == ("0", set())


def test_a_job_that_says_much(a_job):
    """The third case of `TestNewLauncherAndWorker`, mpi-operator v0.8.2."""
    job = a_job(
        flavour=Flavour.INTEL,
        slots_per_worker=5,
        ssh_auth_mount_path="/home/mpiuser/.ssh",
        run_policy=RunPolicy(ttl_s=1, active_deadline_s=2, backoff_limit=3),
        launcher={
            "env": [{"name": "FOO", "value": "bar"}],
            "volumeMounts": [{"name": "fool-vol", "mountPath": "/mnt/foo"}],
        },
    )
    job.launcher.template["spec"]["hostNetwork"] = True
    job.launcher.template["spec"]["volumes"] = [{"name": "fool-vol", "emptyDir": {}}]
    job.launcher.template["metadata"] = {"labels": {"mine": "l"}, "annotations": {"note": "l"}}
    spec = spec_of(job)
    container = spec["containers"][0]
    found = {
        "deadline and backoff": [job_of(job)[k] for k in ("activeDeadlineSeconds", "backoffLimit")],
        "variables": [entry["name"] for entry in container["env"]],
        "volumes": [volume["name"] for volume in spec["volumes"]],
        "mounts": [mount["mountPath"] for mount in container["volumeMounts"]],
        "mode": spec["volumes"][1]["secret"].get("defaultMode"),
        "dns": spec["dnsPolicy"],
        "labels": job_of(job)["template"]["metadata"]["labels"]["mine"],
        "annotations": job_of(job)["template"]["metadata"]["annotations"],
    }
    assert found == {
        "deadline and backoff": [2, 3],
        "variables": [
            "FOO",
            "K_MPI_JOB_ROLE",
            "I_MPI_HYDRA_HOST_FILE",
            "I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS",
            "I_MPI_PERHOST",
            "NVIDIA_VISIBLE_DEVICES",
            "NVIDIA_DRIVER_CAPABILITIES",
        ],
        "volumes": ["fool-vol", "ssh-auth", "mpijob-setup", "mpi-job-config"],
        "mounts": ["/mnt/foo", "/home/mpiuser/.ssh", "/etc/mpi"],
        "mode": None,
        "dns": "ClusterFirstWithHostNet",
        "labels": "l",
        "annotations": {"note": "l"},
    }


@pytest.mark.parametrize("suspended", [True, False])
def test_a_job_is_made_suspended_or_says_nothing_of_it(a_job, suspended):
    assert job_of(a_job(), suspended=suspended).get("suspend") == (True if suspended else None)


WAIT = [
    "/bin/sh",
    "/etc/mpijob/setup/wait_for_workers.sh",
    "/etc/mpi/hostfile",
    "pi-launcher",
]
PREPARE = [
    "/bin/sh",
    "/etc/mpijob/setup/prepare_ssh.sh",
    "/etc/mpijob/drawn",
    "/etc/mpijob/keys",
]
OURS = ["2222", "/etc/mpijob/keys/known_hosts", "-F", "/etc/mpijob/setup/ssh_config"]
WAITING = {
    "on the image's ssh": (Setup.IMAGE, "", 2, {"wait-for-workers": [*WAIT, "", ""]}),
    "on ours, once it is prepared": (
        Setup.OPERATOR,
        "",
        2,
        {"wait-for-workers": [*PREPARE, *WAIT, *OURS]},
    ),
    "not where the user says so": (Setup.IMAGE, "false", 2, {}),
    "not where the user says so, on ours": (Setup.OPERATOR, "false", 2, {"prepare-ssh": PREPARE}),
    "not without workers": (Setup.IMAGE, "", 0, {}),
    "not on one machine": (Setup.AGENT, "", 2, {}),
}


@pytest.mark.parametrize(("setup", "option", "workers", "made"), WAITING.values(), ids=WAITING)
def test_the_launcher_waits_for_its_workers_defect_2(a_job, setup, option, workers, made):
    """mpi-operator v0.8.2 starts it before any sshd listens, and burns its retries."""
    job = a_job(workers, annotations={options.WAIT_FOR_WORKERS: option} if option else {})
    found = spec_of(job, setup).get("initContainers", ())
    assert {container["name"]: container["command"] for container in found} == made


def on_host(a_job, **fields):
    job = a_job(**fields)
    job.launcher.template["spec"]["hostNetwork"] = True
    return job


#: A launcher that runs ranks needs a node without a worker: their addresses would be one.
DECLARED = {
    "a launcher alone": (False, None),
    "one that runs ranks": (True, [host_port("job-uid")]),
}


@pytest.mark.parametrize(("ranks", "ports"), DECLARED.values(), ids=DECLARED)
def test_a_launcher_on_the_nodes_network_declares_what_keeps_workers_away(a_job, ranks, ports):
    job = on_host(a_job, run_launcher_as_worker=ranks)
    found = spec_of(job, Setup.OPERATOR_ON_HOST)["containers"][0].get("ports")
    assert (found and [row["hostPort"] for row in found]) == ports


APART = "OMPI_MCA_if_base_do_not_resolve"


@pytest.mark.parametrize("setup", Setup)
def test_a_launcher_on_the_nodes_network_tells_workers_from_itself(a_job, setup):
    apart = setup is not Setup.AGENT
    found = (APART in env_of(on_host(a_job), setup), APART in env_of(a_job(), setup))
    assert found == (apart, False)


def test_who_waits_sees_the_hostfile_and_the_script(a_job):
    [wait] = spec_of(a_job())["initContainers"]
    assert [mount["mountPath"] for mount in wait["volumeMounts"]] == [
        "/root/.ssh",
        "/etc/mpi",
        "/etc/mpijob/setup",
    ]


def test_every_file_that_is_mounted_is_in_the_config_map(a_job):
    for setup in Setup:
        data = build.config(a_job(), (), CONFIG, setup)["data"].keys()
        pods = (spec_of(a_job(), setup), build.worker(a_job(), 0, CONFIG, setup)["spec"])
        volumes = [v["configMap"] for pod in pods for v in pod["volumes"] if "configMap" in v]
        assert {item["key"] for volume in volumes for item in volume["items"]} <= data


def test_the_launcher_knows_the_hosts_but_not_their_key(a_job):
    volumes = spec_of(a_job(), Setup.OPERATOR)["volumes"]
    [drawn] = [v["projected"] for v in volumes if v["name"] == "mpijob-drawn-keys"]
    items = [item["key"] for source in drawn["sources"] for item in source["secret"]["items"]]
    assert items == ["ssh-privatekey", "known_hosts"]


def test_the_launcher_finds_workers_and_itself_by_short_names_defect_6(a_job):
    """mpi-operator v0.8.2 gives workers alone the search domain; Hydra's launcher needs it too."""
    spec = spec_of(a_job(flavour=Flavour.MPICH))
    assert spec["dnsConfig"]["searches"] == ["pi.default.svc.cluster.local"]


def test_a_variable_of_the_users_is_never_overridden(a_job):
    own = [
        {"name": "OMPI_MCA_plm_rsh_args", "value": "-p 2022"},
        {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
        {
            "name": "PRTE_MCA_plm_ssh_agent",
            "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}},
        },
    ]
    env = spec_of(a_job(launcher={"env": own}), Setup.OPERATOR)["containers"][0]["env"]
    names = [entry["name"] for entry in env]
    assert (env[: len(own)], len(names)) == (own, len(set(names)))


def test_the_users_own_word_on_running_as_root_stands(a_job):
    assert [name for name in env_of(a_job(), Setup.OPERATOR) if "ALLOW_RUN_AS_ROOT" in name] == []


def test_a_resume_brings_the_directives_and_no_more(a_job):
    job = a_job()
    job.launcher.template["metadata"] = {"labels": {"mine": "l"}, "annotations": {"note": "l"}}
    job.launcher.template["spec"] |= {
        "nodeSelector": {"zone": "a"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "schedulingGates": [{"name": "wait"}],
        "priorityClassName": "high",
    }
    template = job_of(job)["template"]
    assert build.scheduling_directives(job, CONFIG, Setup.IMAGE) == {
        "metadata": {
            "labels": template["metadata"]["labels"],
            "annotations": {"note": "l"},
        },
        "spec": {
            "nodeSelector": {"zone": "a"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "schedulingGates": [{"name": "wait"}],
        },
    }


def test_directives_that_the_job_no_longer_has_go(a_job):
    made = build.scheduling_directives(a_job(), CONFIG, Setup.IMAGE, {"zone": "a"})
    assert made["spec"] == {"nodeSelector": None, "tolerations": None, "schedulingGates": None}


def test_a_node_label_that_the_job_no_longer_names_goes(a_job):
    job = a_job()
    job.launcher.template["spec"]["nodeSelector"] = {"zone": "a"}
    made = build.scheduling_directives(job, CONFIG, Setup.IMAGE, {"zone": "b", "disk": "ssd"})
    assert made["spec"]["nodeSelector"] == {"zone": "a", "disk": None}


@pytest.mark.parametrize("setup", Setup)
def test_building_changes_no_template(a_job, setup):
    job = a_job()
    before = deepcopy(job.launcher.template)
    job_of(job, setup)
    assert job.launcher.template == before
