"""A job runs on this machine as it would on a cluster: env, volumes, hosts, restarts, its end."""

import asyncio
import os

import pytest
from msgspec.structs import replace

from mpijob.core.plan import Kind, Ref


def test_a_launcher_that_ends_well_makes_its_job_succeed(place):
    assert place.ends(place.run(place.mpijob("true", 2))) == [("Succeeded", "MPIJobSucceeded")]


def test_a_launcher_that_fails_makes_its_job_fail_with_code_and_last_words(place):
    job = place.run(place.mpijob("echo no such file >&2; exit 3"))
    failure = job["status"]["failure"]
    assert (place.ends(job), failure["exitCode"], failure["message"]) == (
        [("Failed", "BackoffLimitExceeded/Error")],
        3,
        "no such file\n",
    )


def test_a_program_that_is_not_there_is_named(place):
    manifest = place.mpijob()
    launcher = manifest["spec"]["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]
    launcher["containers"][0]["command"] = ["no-such-program"]
    failure = place.run(manifest)["status"]["failure"]
    assert (failure["exitCode"], "no-such-program" in failure["message"]) == (127, True)


def test_a_launcher_without_a_command_fails_at_once_and_says_what_to_do(place):
    manifest = place.mpijob()
    launcher = manifest["spec"]["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]
    del launcher["containers"][0]["command"]
    rows = place.run(manifest)["status"]["conditions"]
    [message] = [row["message"] for row in rows if row["type"] == "Failed"]
    assert message == (
        'container "mpi" says neither command nor args, and its image is not looked into on this '
        "machine: write the command into the job file"
    )


def test_the_hostfile_is_where_the_launcher_looks_for_it(place):
    manifest = place.mpijob("cat $OMPI_MCA_orte_default_hostfile", 2, slotsPerWorker=3)
    assert place.output(manifest) == (
        "pi-worker-0.pi.default.svc slots=3\npi-worker-1.pi.default.svc slots=3\n"
    )


ENVIRONMENT = {
    "a value": ({"value": "plain"}, "plain"),
    "a value with a reference to another": (
        {"value": "$(OTHER)/$$(OTHER)/$(NONE)"},
        "o/$(OTHER)/$(NONE)",
    ),
    "the pod's namespace": (
        {"valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        "default",
    ),
    "a label": (
        {
            "valueFrom": {
                "fieldRef": {"fieldPath": "metadata.labels['training.kubeflow.org/job-role']"}
            }
        },
        "launcher",
    ),
    "the service account": (
        {"valueFrom": {"fieldRef": {"fieldPath": "spec.serviceAccountName"}}},
        "default",
    ),
    "the pod's address": ({"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}, "127.0.1.1"),
    "a limit, rounded up": (
        {"valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        "1",
    ),
    "a limit, in megabytes": (
        {"valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        "64",
    ),
    "an entry of a ConfigMap": (
        {"valueFrom": {"configMapKeyRef": {"name": "options", "key": "size"}}},
        "small",
    ),
    "an entry of a Secret": (
        {"valueFrom": {"secretKeyRef": {"name": "token", "key": "word"}}},
        "sesame",
    ),
    "an optional entry that is not there": (
        {"valueFrom": {"secretKeyRef": {"name": "nobody", "key": "word", "optional": True}}},
        "unset",
    ),
}


@pytest.fixture
def objects():
    """The ConfigMap and the Secret that the jobs here refer to."""
    metadata = {"namespace": "default"}
    return (
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {**metadata, "name": "options"},
            "data": {"size": "small", "colour": "red"},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**metadata, "name": "token"},
            "data": {"word": "c2VzYW1l"},
        },
    )


@pytest.fixture
def prepared(place, objects):
    """A place where these objects are there already."""

    async def scenario(local):
        for manifest in objects:
            await local.objects.create(manifest)

    place.play(scenario)
    return place


def test_environment_comes_from_everywhere_that_it_may(prepared):
    names = [f"V{index}" for index in range(len(ENVIRONMENT))]
    env = [{"name": "OTHER", "value": "o"}]
    env += [
        {"name": n, **source} for n, (source, _) in zip(names, ENVIRONMENT.values(), strict=True)
    ]
    script = "; ".join(f'printf "%s\\n" "${{{name}-unset}}"' for name in names)
    limits = {"limits": {"cpu": "500m", "memory": "64Mi"}}
    pod = {"containers": [prepared.container("mpi", script, env=env, resources=limits)]}
    lines = prepared.output(prepared.mpijob(pod=pod)).splitlines()
    assert dict(zip(ENVIRONMENT, lines, strict=True)) == {
        reason: want for reason, (_, want) in ENVIRONMENT.items()
    }


def test_whole_config_maps_and_secrets_become_environment_and_the_jobs_own_wins(prepared):
    sources = [
        {"configMapRef": {"name": "options"}},
        {"secretRef": {"name": "token"}, "prefix": "the_"},
        {"configMapRef": {"name": "nobody", "optional": True}},
    ]
    own = [{"name": "colour", "value": "blue"}]
    script = "echo $size $colour $the_word"
    pod = {"containers": [prepared.container("mpi", script, env=own, envFrom=sources)]}
    assert prepared.output(prepared.mpijob(pod=pod)) == "small blue sesame\n"


def test_command_and_arguments_know_the_environment(place):
    container = {
        "name": "mpi",
        "image": "example/none:1",
        "command": ["echo", "$(WHO)"],
        "args": ["$$(WHO)", "$(NOBODY)"],
        "env": [{"name": "WHO", "value": "ada"}],
    }
    assert place.output(place.mpijob(pod={"containers": [container]})) == "ada $(WHO) $(NOBODY)\n"


def test_volumes_are_seen_where_they_are_mounted(prepared, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_text("from the machine\n")
    volumes = {
        "scratch": {"emptyDir": {}},
        "options": {"configMap": {"name": "options", "items": [{"key": "size", "path": "a/b"}]}},
        "token": {"secret": {"secretName": "token", "defaultMode": 0o400}},
        "machine": {"hostPath": {"path": str(tmp_path / "here"), "type": "Directory"}},
        "self": {
            "downwardAPI": {
                "items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.labels"}}]
            }
        },
        "all": {
            "projected": {
                "sources": [{"configMap": {"name": "options"}}, {"secret": {"name": "token"}}]
            }
        },
    }
    mounts = [{"name": name, "mountPath": f"/mnt/{name}"} for name in volumes]
    mounts.append({"name": "options", "mountPath": "/mnt/one", "subPath": "a/b"})
    script = """
        echo kept > /mnt/scratch/file; cat /mnt/scratch/file
        cat /mnt/options/a/b; echo
        cat /mnt/token/word; stat -L -c " %a" /mnt/token/word
        cat /mnt/machine/file
        grep -c training.kubeflow.org/job-role /mnt/self/name
        ls /mnt/all | tr '\\n' ' '; echo
        cat /mnt/one; echo
    """
    pod = {
        "containers": [prepared.container("mpi", script, volumeMounts=mounts)],
        "volumes": [{"name": name, **source} for name, source in volumes.items()],
    }
    assert prepared.output(prepared.mpijob(pod=pod)).splitlines() == [
        "kept",
        "small",
        "sesame 400",
        "from the machine",
        "1",
        "colour size word ",
        "small",
    ]


def test_init_containers_prepare_what_the_launcher_finds(place):
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    pod = {
        "initContainers": [
            place.container("first", "echo one >> /shared/file", volumeMounts=mounts),
            place.container("second", "echo two >> /shared/file", volumeMounts=mounts),
        ],
        "containers": [place.container("mpi", "cat /shared/file", volumeMounts=mounts)],
        "volumes": [{"name": "shared", "emptyDir": {}}],
    }
    assert place.output(place.mpijob(pod=pod)) == "one\ntwo\n"


def test_a_container_that_fails_is_started_again_where_it_may_be(place):
    mounts = [{"name": "memory", "mountPath": "/memory"}]
    script = "echo try; test -e /memory/tried && exit 0; touch /memory/tried; exit 1"
    pod = {
        "containers": [place.container("mpi", script, volumeMounts=mounts)],
        "volumes": [{"name": "memory", "emptyDir": {}}],
    }

    async def scenario(local):
        manifest = place.mpijob(pod=pod, restart="OnFailure", runPolicy={"backoffLimit": 3})
        supervisor = local.create(manifest, place.settings())
        await supervisor.run()
        pod_now = await place.pod_until(local.objects, "launcher", bool)
        row = pod_now["status"]["containerStatuses"][0]
        logs = [await place.log_of(local, pod_now, previous=late) for late in (True, False)]
        return place.ends(supervisor.job)[0][0], row["restartCount"], logs

    assert place.play(scenario) == ("Succeeded", 1, ["try\n", "try\n"])


def test_a_pod_that_waits_for_a_config_map_says_so_and_starts_when_it_comes(place, objects):
    env = [{"name": "SIZE", "valueFrom": {"configMapKeyRef": {"name": "options", "key": "size"}}}]
    pod = {"containers": [place.container("mpi", "echo $SIZE", env=env)]}

    def waits(pod):
        rows = pod.get("status", {}).get("containerStatuses") or [{"state": {}}]
        return rows[0]["state"].get("waiting", {}).get("reason") == "CreateContainerConfigError"

    async def scenario(local):
        supervisor = local.create(place.mpijob(pod=pod), place.settings())
        running = asyncio.create_task(supervisor.run())
        seen = await place.pod_until(local.objects, "launcher", waits)
        await local.objects.create(objects[0])
        log = await place.log_of(local, seen, follow=True)
        await running
        return seen["status"]["containerStatuses"][0]["state"]["waiting"]["message"], log

    assert place.play(scenario) == ('configmap "options" not found', "small\n")


SETUP = 'MountVolume.SetUp failed for volume "v" : '
INSTEAD = "use emptyDir, hostPath, configMap or secret"
NOT_HAD = {
    "a claim": (
        {"persistentVolumeClaim": {"claimName": "data"}},
        f"this machine has no persistentVolumeClaim volumes; {INSTEAD}",
    ),
    "a folder that is not there": (
        {"hostPath": {"path": "/no/such/folder", "type": "Directory"}},
        "hostPath type check failed: /no/such/folder is not a directory",
    ),
    "an entry that is not there": (
        {"configMap": {"name": "pi-config", "items": [{"key": "nothing", "path": "x"}]}},
        "references non-existent config key: nothing",
    ),
}


@pytest.mark.parametrize(("volume", "want"), NOT_HAD.values(), ids=NOT_HAD)
def test_a_volume_that_cannot_be_had_is_told_in_an_event(plain_place, volume, want):
    mounts = [{"name": "v", "mountPath": "/v"}]
    pod = {
        "containers": [plain_place.container("mpi", "true", volumeMounts=mounts)],
        "volumes": [{"name": "v", **volume}],
    }

    async def scenario(local):
        supervisor = local.create(plain_place.mpijob(pod=pod), plain_place.settings())
        running = asyncio.create_task(supervisor.run())
        event = await plain_place.until(
            local.objects, Kind.EVENT, lambda event: event["reason"] == "FailedMount"
        )
        supervisor.interrupt("Interrupted", "enough")
        await running
        return event["message"]

    assert plain_place.play(scenario) == SETUP + want


def test_that_images_are_not_pulled_is_said_once(plain_place):
    async def scenario(local):
        await local.create(plain_place.mpijob("true", 3), plain_place.settings()).run()
        events = local.journal.store.list(Kind.EVENT)
        return [event["message"] for event in events if event["reason"] == "ImageNotPulled"]

    assert plain_place.play(scenario) == ["commands run on this machine, not in an image"]


def test_a_finished_jobs_hosts_are_kept_or_not_as_its_policy_says(plain_place):
    async def scenario(local):
        left = {}
        for policy in ("None", "Running", "All"):
            manifest = plain_place.mpijob(
                "true", 1, name=policy.lower(), runPolicy={"cleanPodPolicy": policy}
            )
            await local.create(manifest, plain_place.settings()).run()
            pod = local.journal.store.get(Ref(Kind.POD, "default", f"{policy.lower()}-worker-0"))
            left[policy] = pod and pod["status"]["phase"]
        return left

    assert plain_place.play(scenario) == {"None": "Succeeded", "Running": None, "All": None}


def test_what_a_job_writes_into_its_folder_or_home_is_kept(place, tmp_path):
    manifest = place.mpijob("echo new > result; echo new > $HOME/result", 1)
    spec = manifest["spec"]
    spec["sshAuthMountPath"] = f"{tmp_path}/.ssh"
    launcher = spec["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]["containers"][0]
    (tmp_path / "work").mkdir()
    launcher |= {
        "workingDir": f"{tmp_path}/work",
        "env": [{"name": "HOME", "value": str(tmp_path)}],
    }
    place.run(manifest)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert (kept, (tmp_path / "work" / "result").read_text()) == (
        ["home", "result", "work"],
        "new\n",
    )


def test_the_keys_are_where_the_job_says(place):
    manifest = place.mpijob("ls /srv/keys", sshAuthMountPath="/srv/keys")
    assert place.output(manifest) == "authorized_keys\nid_rsa\nid_rsa.pub\n"


def test_a_dead_worker_is_replaced_and_the_launcher_started_anew(place, tmp_path):
    once = f"test -e {tmp_path}/$0 || {{ touch {tmp_path}/$0; exit 5; }}"
    host = place.container("mpi", f"{once}; sleep 1000")
    host["command"].append("worker")
    launcher = place.container("mpi", f"test -e {tmp_path}/again || exec sleep 1000")
    manifest = place.mpijob(
        "true",
        1,
        pod={"containers": [launcher]},
        worker={"containers": [host]},
        runPolicy={"backoffLimit": 2},
    )

    async def scenario(local):
        supervisor = local.create(manifest, place.settings())
        running = asyncio.create_task(supervisor.run())
        await place.until(
            local.objects, Kind.MPI_JOB, lambda job: job.get("status", {}).get("restarts")
        )
        (tmp_path / "again").touch()
        await running
        status = supervisor.job["status"]
        return place.ends(supervisor.job), status["restarts"], status["failure"]["exitCode"]

    assert place.play(scenario) == ([("Succeeded", "MPIJobSucceeded")], 1, 5)


def test_where_no_pod_can_be_run_the_job_fails_and_says_why(plain_place, monkeypatch):
    place = plain_place

    async def scenario(local):
        settings = place.settings()
        supervisor = local.create(place.mpijob(), replace(settings, pods="nonsense"))
        await supervisor.run()
        return place.ends(supervisor.job)

    assert place.play(scenario) == [("Failed", "CannotRun")]


@pytest.mark.root  # Only root can run a container as somebody else.
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
def test_a_container_that_runs_as_another_user_reaches_its_volumes(place):
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]
    script = "id -u; echo mine > /scratch/file; cat /scratch/file; cat /etc/mpi/hostfile"
    container = place.container("mpi", script, volumeMounts=mounts, workingDir="/")
    pod = {
        "containers": [container],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
        "securityContext": {"runAsUser": 1, "runAsGroup": 1},
    }
    assert place.output(place.mpijob(pod=pod)) == "1\nmine\n"
