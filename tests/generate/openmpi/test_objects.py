"""What the openmpi package is made of: from parameters to objects."""

import pytest

from mpijob.generate.openmpi import texts
from mpijob.generate.openmpi.choices import CONTROLLER_IMAGE
from mpijob.generate.openmpi.objects import PROTOTYPE
from mpijob.generate.parameters import WrongParameters
from mpijob.generate.prototype import Setting, described

LEAST = {"name": "openmpi", "image": "mine", "secret": "openmpi-secret"}
EXEC = (
    "mpiexec -n 4 --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root --display-map "
    "--tag-output --timestamp-output sh -c 'LD_LIBRARY_PATH=$LD_LIBRARY_PATH:/stubs echo hello'"
)


def made(**given):
    return PROTOTYPE.manifests({**LEAST, **given}, Setting("kubeflow"))


def pods(**given):
    return {m["metadata"]["name"]: m["spec"] for m in made(**given) if m["kind"] == "Pod"}


def job(pod):
    return pod["containers"][0]


def option(pod, name):
    """Return what the controller of a worker's pod is told by an option, None where nothing."""
    words = pod["containers"][1]["command"]
    return words[words.index(name) + 1] if name in words else None


WORKER, MASTER = "openmpi-worker-0", "openmpi-master"


def test_the_lines_that_the_document_quotes_are_printed_to_the_character():
    quoted = """
  --gpu=<gpu>                               Number of GPUs per worker. [default: 0, type: number]
  --cpu=<cpu>                               CPU limits per worker. [default: null, type: string]
  --memory=<memory>                         Memory limits per worker. [default: null, type: string]
  --nodeSelector=<nodeSelector>             Comma-delimited list of "key=value" pairs \
to select the worker nodes. e.g. "cloud.google.com/gke-accelerator=nvidia-tesla-k80" \
[default: null, type: string]
  --initTimeout=<initTimeout>               Timeout in seconds to abort the initialization. \
[default: 300, type: number]
"""
    said = described(PROTOTYPE).splitlines()
    assert [line for line in quoted.splitlines() if line not in said] == []


def test_there_are_28_parameters_of_which_3_must_be_given():
    needed = [one.name for one in PROTOTYPE.parameters if one.required]
    assert (len(PROTOTYPE.parameters), needed) == (28, ["name", "image", "secret"])


def test_the_objects_come_in_the_order_of_the_package():
    assert [(m["kind"], m["metadata"]["name"]) for m in made()] == [
        ("ConfigMap", "openmpi-assets"),
        ("Service", "openmpi"),
        ("ServiceAccount", "openmpi"),
        ("ClusterRoleBinding", "openmpi"),
        ("Pod", "openmpi-master"),
        *(("Pod", f"openmpi-worker-{index}") for index in range(4)),
    ]


def test_pods_begin_with_the_role_the_workers_the_command_and_the_time_limit():
    init = ["sh", "/kubeflow/openmpi/assets/init.sh"]
    assert [job(pods()[name])["command"] for name in (MASTER, WORKER)] == [
        [*init, "master", "4", "sleep infinity", "300"],
        [*init, "worker", "4", "sleep infinity", "300"],
    ]


@pytest.mark.parametrize("command", [EXEC, EXEC.replace("$", "\\$"), 'a "b" `c` \\ %s\n#'])
def test_the_command_reaches_the_master_as_it_was_given(command):
    assert job(pods(exec=command)[MASTER])["command"][4] == command


def test_another_script_can_be_run_in_place_of_the_packages_own():
    assert job(pods(init="/mine.sh")[WORKER])["command"][:2] == ["sh", "/mine.sh"]


SLOTS = {"none": (0, 1), "one": (1, 1), "four": (4, 4)}


@pytest.mark.parametrize(("gpus", "slots"), SLOTS.values(), ids=SLOTS)
def test_a_worker_takes_a_rank_a_gpu_and_at_least_one(gpus, slots):
    [assets] = [m for m in made(gpu=gpus) if m["kind"] == "ConfigMap"]
    assert assets["data"]["hostfile"] == "".join(
        f"openmpi-worker-{index}.openmpi.kubeflow slots={slots}\n" for index in range(4)
    )


LIMITS = {"gpu": 2, "cpu": "3", "memory": "4Gi", "customResources": "a.b/c=1,cpu=2"}


def test_workers_have_limits_and_custom_ones_go_first():
    assert job(pods(**LIMITS)[WORKER])["resources"] == {
        "limits": {"nvidia.com/gpu": 2, "cpu": "2", "memory": "4Gi", "a.b/c": "1"}
    }


ON_WORKERS = {**LIMITS, "nodeSelector": "a=b,c=d=e", "useHostNetwork": "True"}


def test_what_workers_have_of_nodes_the_master_has_not():
    assert pods(**ON_WORKERS)[MASTER] == pods()[MASTER]


def test_a_selector_ends_its_key_at_the_first_equals_sign():
    assert pods(**ON_WORKERS)[WORKER]["nodeSelector"] == {"a": "b", "c": "d=e"}


NETWORKS = {"true": True, "TRUE": True, True: True, "1": True, 0: False, "no": False}


@pytest.mark.parametrize(("said", "on_host"), NETWORKS.items())
def test_workers_are_on_their_nodes_network_where_that_is_said(said, on_host):
    assert pods(useHostNetwork=said)[WORKER]["hostNetwork"] is on_host


def test_who_names_an_account_gets_neither_one_nor_its_rights():
    found = made(serviceAccountName="x")
    kinds = {m["kind"] for m in found}
    accounts = {m["spec"]["serviceAccountName"] for m in found if m["kind"] == "Pod"}
    assert (kinds, accounts) == ({"ConfigMap", "Service", "Pod"}, {"x"})


def test_the_accounts_rights_are_to_look_and_no_more():
    [binding] = [m for m in made() if m["kind"] == "ClusterRoleBinding"]
    assert (binding["roleRef"]["name"], binding["subjects"]) == (
        "view",
        [{"kind": "ServiceAccount", "name": "openmpi", "namespace": "kubeflow"}],
    )


def test_the_secret_lies_where_only_its_owner_may_read_it():
    assert {
        "name": "openmpi-secrets",
        "secret": {"secretName": "openmpi-secret", "defaultMode": 256},
    } in pods()[MASTER]["volumes"]


def test_the_script_can_be_run_and_the_other_assets_can_be_read():
    [volume] = [v for v in pods()[MASTER]["volumes"] if v["name"] == "openmpi-assets"]
    modes = {item["key"]: item.get("mode", 420) for item in volume["configMap"]["items"]}
    assert modes == {
        "init.sh": 365,
        "mca-params.conf": 420,
        "ssh_config": 420,
        "sshd_config": 420,
        "hostfile": 420,
    }


def test_what_is_empty_is_left_out_wherever_it_stands():
    volumes = pods(volumes='[{"name": "mine", "emptyDir": {}, "csi": null}]')[WORKER]["volumes"]
    assert [v for v in volumes if len(v) == 1] == [{"name": "openmpi-data"}, {"name": "mine"}]


def test_volumes_are_mounted_by_every_container_after_the_packages_own():
    mounts = '[{"name": "mine", "mountPath": "/mine"}]'
    found = pods(volumes='[{"name": "mine", "hostPath": {"path": "/x"}}]', volumeMounts=mounts)
    assert [
        [mount["mountPath"].rpartition("/")[2] for mount in container["volumeMounts"]]
        for pod in (found[MASTER], found[WORKER])
        for container in pod["containers"]
    ] == [
        ["data", "assets", "secrets", "mine"],
        ["data", "assets", "secrets", "mine"],
        ["data", "mine"],
    ]


def test_ids_are_numbers_however_they_are_given_and_the_groups_volumes_are_its_own():
    security = pods(runAsUser="1000", runAsGroup=2000, supplementalGroups="3,4")[MASTER]
    assert security["securityContext"] == {
        "runAsUser": 1000,
        "runAsGroup": 2000,
        "fsGroup": 2000,
        "supplementalGroups": [3, 4],
    }


def test_pods_are_placed_and_pulled_as_was_said():
    found = pods(
        schedulerName="s", imagePullSecrets="a, b", imagePullPolicy="Never", controllerImage="c"
    )[WORKER]
    assert (
        found["schedulerName"],
        found["imagePullSecrets"],
        [(c["image"], c["imagePullPolicy"]) for c in found["containers"]],
    ) == ("s", [{"name": "a"}, {"name": "b"}], [("mine", "Never"), ("c", "Always")])


def test_the_controller_is_ours_unless_another_is_named():
    assert pods()[WORKER]["containers"][1]["image"] == CONTROLLER_IMAGE


def test_every_pod_has_the_name_that_the_hostfile_calls_it_by():
    found = pods()
    assert {(name, pod["hostname"], pod["subdomain"]) for name, pod in found.items()} == {
        (name, name, "openmpi") for name in found
    }


def test_the_controller_is_told_whom_to_watch_and_how_long_to_wait():
    assert pods(gpu=2)[WORKER]["containers"][1]["command"] == [
        "python",
        "/kubeflow/openmpi/openmpi-controller/controller/main.py",
        *("--namespace", "kubeflow", "--master", "openmpi-master"),
        *("--num-gpus", "2", "--timeout-secs", "300"),
    ]


DATA = {
    "downloadDataFrom": "s3://in/a",
    "downloadDataTo": "a",
    "uploadDataFrom": "out",
    "uploadDataTo": "s3://out/b/",
    "s3Secret": "s3",
}


def test_every_worker_uploads_to_a_place_of_its_own():
    found = pods(**DATA)
    assert [option(found[f"openmpi-worker-{n}"], "--upload-data-to") for n in (0, 3)] == [
        "s3://out/b/kubeflow/openmpi/openmpi-worker-0",
        "s3://out/b/kubeflow/openmpi/openmpi-worker-3",
    ]


def test_every_worker_downloads_the_same():
    found = pods(**DATA)[WORKER]
    names = ("--download-data-from", "--download-data-to", "--upload-data-from")
    assert [option(found, name) for name in names] == ["s3://in/a", "a", "out"]


def test_the_keys_of_s3_come_from_the_secret_and_those_that_it_may_lack_are_optional():
    env = pods(**DATA)[WORKER]["containers"][1]["env"]
    sources = {e["name"]: e["valueFrom"]["secretKeyRef"] for e in env}
    assert {name: (key["key"], key.get("optional", False)) for name, key in sources.items()} == {
        "AWS_ACCESS_KEY_ID": ("AWS_ACCESS_KEY_ID", False),
        "AWS_SECRET_ACCESS_KEY": ("AWS_SECRET_ACCESS_KEY", False),
        "AWS_SESSION_TOKEN": ("AWS_SESSION_TOKEN", True),
        "AWS_REGION": ("AWS_REGION", True),
        "AWS_ENDPOINT_URL": ("AWS_ENDPOINT_URL", True),
    }


FAULTS = {
    "a number that is none": ({"workers": "many"}, "workers"),
    "no workers at all": ({"workers": "0"}, "workers"),
    "an id that is a name": ({"runAsUser": "me"}, "runAsUser"),
    "a group that is a name": ({"supplementalGroups": "1,me"}, "supplementalGroups"),
    "a selector without a value": ({"nodeSelector": "a=b,c"}, "nodeSelector"),
    "a resource without an amount": ({"customResources": "=1"}, "customResources"),
    "data from somewhere to nowhere": ({"downloadDataFrom": "s3://a"}, "downloadDataTo"),
    "data from nowhere to somewhere": ({"uploadDataTo": "s3://a"}, "uploadDataFrom"),
    "data that is not in S3": (
        {"downloadDataFrom": "http://a", "downloadDataTo": "b"},
        "downloadDataFrom",
    ),
    "results that go to a folder": (
        {"uploadDataFrom": "a", "uploadDataTo": "/b"},
        "uploadDataTo",
    ),
    "volumes that are no list": ({"volumes": "{}"}, "volumes"),
    "a name that leaves no room for the workers' own": ({"name": "a" * 60}, "name"),
    "no name for an object": ({"name": "YOUR_NAME_HERE"}, "name"),
    "no image": ({"image": ""}, "image"),
    "what there is not": ({"wokers": "4"}, "wokers"),
}


@pytest.mark.parametrize(("given", "where"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_used_is_told_by_its_parameter(given, where):
    with pytest.raises(WrongParameters) as told:
        made(**given)
    assert [fault.parameter for fault in told.value.faults] == [where]


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(WrongParameters) as told:
        made(runAsUser="me", nodeSelector="a", uploadDataFrom="b")
    assert [fault.parameter for fault in told.value.faults] == [
        "runAsUser",
        "nodeSelector",
        "uploadDataTo",
    ]


def test_the_texts_speak_of_the_places_that_the_pods_mount():
    assert [text in texts.INIT for text in (texts.ASSETS, texts.DATA, texts.SECRETS)] == [True] * 3
