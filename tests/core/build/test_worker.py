"""A worker's pod."""

from copy import deepcopy

import pytest
from msgspec.structs import replace

from mpijob.core import build, names
from mpijob.core.config import Config, Gang
from mpijob.core.job import RestartPolicy
from mpijob.core.transport import Setup
from mpijob.core.transport.ssh_ports import host_port

# What an operator adds by default has tests of its own, in tests/core/policy.
CONFIG = Config(service_mesh=True, shared_memory=False)
PORT = host_port("job-uid")
KEYS = {
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
}


def spec_of(job, setup=Setup.IMAGE, config=CONFIG, index=0):
    return build.worker(job, index, config, setup)["spec"]


def container_of(job, setup=Setup.IMAGE):
    return spec_of(job, setup)["containers"][0]


def test_a_worker_of_a_job_that_says_nothing(a_job):
    """The first case of `TestNewLauncherAndWorker`, mpi-operator v0.8.2."""
    assert build.worker(a_job(), 0, CONFIG, Setup.IMAGE) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "default",
            "name": "pi-worker-0",
            "ownerReferences": [
                {
                    "apiVersion": "kubeflow.org/v2beta1",
                    "kind": "MPIJob",
                    "name": "pi",
                    "uid": "job-uid",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
            "labels": {
                "training.kubeflow.org/operator-name": "mpi-operator",
                "training.kubeflow.org/job-name": "pi",
                "training.kubeflow.org/job-role": "worker",
                "group_name": "kubeflow.org",
                "mpi_job_name": "pi",
                "mpi_role_type": "worker",
                "group-name": "kubeflow.org",
                "mpi-job-name": "pi",
                "mpi-job-role": "worker",
                "training.kubeflow.org/replica-index": "0",
            },
        },
        "spec": {
            "containers": [
                {
                    "name": "mpi",
                    "image": "example/mpi:1",
                    "command": ["/usr/sbin/sshd", "-De"],
                    "env": [{"name": "K_MPI_JOB_ROLE", "value": "worker"}],
                    "volumeMounts": [{"name": "ssh-auth", "mountPath": "/root/.ssh"}],
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                }
            ],
            "volumes": [KEYS],
            "hostname": "pi-worker-0",
            "subdomain": "pi",
            "restartPolicy": "Never",
            "dnsConfig": {"searches": ["pi.default.svc.cluster.local"]},
        },
    }


def test_a_launcher_that_runs_ranks_is_number_0(a_job):
    labels = build.worker(a_job(run_launcher_as_worker=True), 0, CONFIG, Setup.IMAGE)["metadata"]
    assert labels["labels"]["training.kubeflow.org/replica-index"] == "1"


def test_a_name_tells_the_index_whatever_the_label_says_defect_7(a_job):
    """mpi-operator v0.8.2 compares the label with the number of workers, and removes one too many.

    The label is one more than the index where the launcher runs ranks.
    """
    job = a_job(3, run_launcher_as_worker=True)
    pods = [build.worker(job, index, CONFIG, Setup.IMAGE)["metadata"]["name"] for index in range(3)]
    assert [names.worker_index(pod) for pod in pods] == [0, 1, 2]


@pytest.mark.parametrize("said", [{"command": ["sh"]}, {"args": ["-c", "true"]}])
@pytest.mark.parametrize("setup", Setup)
def test_a_command_of_the_users_is_left_alone(a_job, said, setup):
    container = container_of(a_job(worker=said), setup)
    assert {k: container[k] for k in ("command", "args") if k in container} == said


def test_on_one_machine_a_worker_without_a_command_just_stays_there(a_job):
    spec = spec_of(a_job(), Setup.AGENT)
    assert ("command" in spec["containers"][0], "initContainers" in spec) == (False, False)


def test_the_sshd_of_ours_has_keys_of_its_own(a_job):
    container = container_of(a_job(), Setup.OPERATOR)
    assert (container["command"], container["volumeMounts"]) == (
        [
            "/bin/sh",
            "/etc/mpijob/setup/start_sshd.sh",
            "/etc/mpijob/setup/sshd_config",
            "/etc/mpijob/keys/environment",
        ],
        [
            {"name": "ssh-auth", "mountPath": "/root/.ssh"},
            {"name": "mpijob-setup", "mountPath": "/etc/mpijob/setup", "readOnly": True},
            {"name": "mpijob-keys", "mountPath": "/etc/mpijob/keys"},
            {"name": "mpijob-keys", "mountPath": "/etc/passwd", "subPath": "passwd"},
        ],
    )


def test_the_hosts_keys_are_seen_by_the_preparation_alone(a_job):
    spec = spec_of(a_job(), Setup.OPERATOR)
    seen = {
        container["name"]: "mpijob-drawn-keys" in [m["name"] for m in container["volumeMounts"]]
        for container in (*spec["initContainers"], *spec["containers"])
    }
    assert seen == {"prepare-ssh": True, "mpi": False}


def test_the_keys_are_copied_into_memory(a_job):
    [volume] = [
        v for v in spec_of(a_job(), Setup.OPERATOR)["volumes"] if v["name"] == "mpijob-keys"
    ]
    assert volume["emptyDir"]["medium"] == "Memory"


def test_whoever_runs_the_pod_can_read_the_drawn_keys(a_job):
    volumes = spec_of(a_job(), Setup.OPERATOR)["volumes"]
    [volume] = [v for v in volumes if v["name"] == "mpijob-drawn-keys"]
    assert volume["projected"] == {
        "sources": [
            {
                "secret": {
                    "name": "pi-ssh",
                    "items": [
                        {"key": "ssh-privatekey", "path": "id"},
                        {"key": "ssh-publickey", "path": "authorized_keys"},
                    ],
                }
            },
            {
                "secret": {
                    "name": "pi-ssh-host",
                    "items": [
                        {"key": "ssh_host_key", "path": "ssh_host_key"},
                        {"key": "known_hosts", "path": "known_hosts"},
                    ],
                }
            },
        ],
        "defaultMode": 0o444,
    }


def test_the_preparation_runs_as_the_worker_would(a_job):
    said = {
        "imagePullPolicy": "Always",
        "securityContext": {"runAsUser": 1000},
        "resources": {"limits": {"cpu": "2"}},
        "envFrom": [{"configMapRef": {"name": "mine"}}],
        "workingDir": "/work",
    }
    [preparation] = spec_of(a_job(worker=said), Setup.OPERATOR)["initContainers"]
    kept = ("image", "imagePullPolicy", "securityContext", "resources", "envFrom", "workingDir")
    assert {key: preparation.get(key) for key in kept} == {
        **said,
        "image": "example/mpi:1",
        "workingDir": None,
    }


def test_a_passwd_that_the_user_mounts_stays(a_job):
    own = {"name": "mine", "mountPath": "/etc/passwd", "subPath": "passwd"}
    mounts = container_of(a_job(worker={"volumeMounts": [own]}), Setup.OPERATOR)["volumeMounts"]
    assert [mount for mount in mounts if mount["mountPath"] == "/etc/passwd"] == [own]


PATHS = {"/root/.ssh": 0o600, "/home/mpiuser/.ssh": None}


@pytest.mark.parametrize(("path", "mode"), PATHS.items(), ids=PATHS)
def test_only_roots_own_folder_has_a_mode(a_job, path, mode):
    [volume] = spec_of(a_job(ssh_auth_mount_path=path))["volumes"]
    assert volume["secret"].get("defaultMode") == mode


def test_the_templates_restart_policy_gives_way(a_job):
    job = a_job()
    job.worker.template["spec"]["restartPolicy"] = "Always"
    assert spec_of(job)["restartPolicy"] == RestartPolicy.NEVER.value


def test_a_pod_on_the_hosts_network_still_asks_the_cluster_for_names(a_job):
    job = a_job()
    job.worker.template["spec"]["hostNetwork"] = True
    assert spec_of(job)["dnsPolicy"] == "ClusterFirstWithHostNet"


def on_host(a_job, ports=(), beside=()):
    """A job whose workers are on their nodes' network, with the ports that they declare."""
    job = a_job(worker={"ports": list(ports)} if ports else {})
    job.worker.template["spec"] |= {"hostNetwork": True}
    job.worker.template["spec"]["containers"] += beside
    return job


SSHD = {"containerPort": PORT, "hostPort": PORT, "protocol": "TCP"}
WEB = {"containerPort": 80, "hostPort": 80}
SIDECAR = {"name": "sidecar", "image": "x", "ports": [SSHD]}
DECLARED = {
    "that of our sshd": ((), (), [SSHD]),
    "beside those of the user": ([WEB], (), [WEB, SSHD]),
    "but once": ([SSHD], (), [SSHD]),
    "nor where another container of the pod has it": ((), [SIDECAR], None),
}


@pytest.mark.parametrize(("given", "beside", "want"), DECLARED.values(), ids=DECLARED)
def test_a_worker_on_the_nodes_network_declares_its_port(a_job, given, beside, want):
    job = on_host(a_job, given, beside)
    assert container_of(job, Setup.OPERATOR_ON_HOST).get("ports") == want


@pytest.mark.parametrize("setup", [Setup.IMAGE, Setup.AGENT])
def test_a_port_that_is_not_ours_is_not_declared(a_job, setup):
    assert "ports" not in container_of(on_host(a_job), setup)


def test_a_worker_with_a_network_of_its_own_declares_nothing(a_job):
    assert "ports" not in container_of(a_job(), Setup.OPERATOR)


def test_names_are_searched_for_in_the_clusters_own_domain_defect_19(a_job):
    """mpi-operator v0.8.2 searches svc.cluster.local, whatever the cluster's domain is."""
    spec = spec_of(a_job(), config=Config(cluster_domain="example.org"))
    assert spec["dnsConfig"] == {"searches": ["pi.default.svc.example.org"]}


def test_a_dns_set_up_of_the_users_is_kept(a_job):
    job = a_job()
    job.worker.template["spec"]["dnsConfig"] = {"searches": ["mine"], "nameservers": ["10.0.0.1"]}
    assert spec_of(job)["dnsConfig"] == {
        "searches": ["mine", "pi.default.svc.cluster.local"],
        "nameservers": ["10.0.0.1"],
    }


def test_a_variable_of_the_users_is_the_users(a_job):
    own = {"name": "K_MPI_JOB_ROLE", "value": "mine"}
    assert container_of(a_job(worker={"env": [own]}))["env"] == [own]


def test_a_termination_message_policy_of_the_users_is_kept(a_job):
    said = {"terminationMessagePolicy": "File"}
    assert container_of(a_job(worker=said))["terminationMessagePolicy"] == "File"


def test_other_containers_are_left_alone(a_job):
    job = a_job()
    sidecar = {"name": "sidecar", "image": "example/sidecar:1"}
    job.worker.template["spec"]["containers"].append(sidecar)
    assert spec_of(job, Setup.OPERATOR)["containers"][1:] == [sidecar]


def test_the_users_init_containers_come_first(a_job):
    job = a_job()
    job.worker.template["spec"]["initContainers"] = [{"name": "fetch", "image": "example/fetch:1"}]
    names = [container["name"] for container in spec_of(job, Setup.OPERATOR)["initContainers"]]
    assert names == ["fetch", "prepare-ssh"]


def test_a_name_that_the_user_took_is_not_taken_twice(a_job):
    job = a_job()
    job.worker.template["spec"]["initContainers"] = [{"name": "prepare-ssh"}]
    names = [container["name"] for container in spec_of(job, Setup.OPERATOR)["initContainers"]]
    assert names == ["prepare-ssh", "prepare-ssh-2"]


GANGS = {
    "Volcano": (
        replace(CONFIG, gang=Gang.VOLCANO, scheduler_name="volcano"),
        ("volcano", {"scheduling.k8s.io/group-name": "pi"}, None),
    ),
    "scheduler-plugins": (
        replace(CONFIG, gang=Gang.SCHEDULER_PLUGINS, scheduler_name="plugins"),
        ("plugins", None, "pi"),
    ),
    "none": (CONFIG, (None, None, None)),
}


@pytest.mark.parametrize(("config", "marks"), GANGS.values(), ids=GANGS)
def test_a_gang_scheduler_knows_its_pods(a_job, config, marks):
    """`TestDecoratePodTemplateSpec`, mpi-operator v0.8.2 (pkg/controller/podgroup_test.go)."""
    pod = build.worker(a_job(), 0, config, Setup.IMAGE)
    found = (
        pod["spec"].get("schedulerName"),
        pod["metadata"].get("annotations"),
        pod["metadata"]["labels"].get("scheduling.x-k8s.io/pod-group"),
    )
    assert found == marks


@pytest.mark.parametrize("setup", Setup)
def test_building_changes_no_template(a_job, setup):
    job = a_job()
    before = deepcopy(job.worker.template)
    build.worker(job, 0, CONFIG, setup)
    assert job.worker.template == before


def test_nobody_may_ask_for_a_worker_of_a_job_without(a_job):
    with pytest.raises(ValueError, match="default/pi has no workers"):
        build.worker(a_job(0), 0, CONFIG, Setup.IMAGE)


@pytest.mark.parametrize("runs_ranks", [False, True])
@pytest.mark.parametrize("setup", Setup)
def test_workers_made_together_are_those_made_one_by_one(a_job, setup, runs_ranks):
    job = replace(a_job(), run_launcher_as_worker=runs_ranks)
    config = Config(gang=Gang.VOLCANO)
    alone = [build.worker(job, index, config, setup) for index in (0, 2, 11)]
    assert list(build.workers(job, (0, 2, 11), config, setup)) == alone
