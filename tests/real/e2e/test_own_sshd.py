"""A computing centre's manual for MPIJobs: an image that sets ssh up, and a manifest to fill in.

The manifest is examples/debian's as it stands, and so is one of the images; the others are made of
what such a manual has its users write, on three of Debian's releases. What the manifest asks of a
node, no node of a test has; that alone is made smaller.
"""

import subprocess
from pathlib import Path

import pytest
import yaml

from harness.recipes import TOP

pytestmark = [pytest.mark.slow, pytest.mark.root]  # Containers are made.

_TEMPLATE = (TOP / "examples" / "debian" / "template.yaml").read_text()
_SSHD = ["/usr/sbin/sshd", "-De"]
_LIMITS = {"cpu": "100m", "memory": "200Mi"}
_BLIND = "blind"

#: By image: whether the worker starts sshd itself, or leaves that to mpijob.
CASES = {
    f"{image}-{manner}": (image, command)
    for image in ("sshd-13", "manual-11", "manual-12", "manual-13")
    for manner, command in (("own", _SSHD), ("left", None))
}
_WAITS = "until [ -e /attempts/3 ]; do sleep 0.2; done; exec /usr/sbin/sshd -De"
_COUNTS = "mpirun -n 2 hostname || { touch /attempts/$(($(ls /attempts | wc -l) + 1)); exit 1; }"


def _filled(name, image, command=None):
    manifest = yaml.safe_load(_TEMPLATE.replace("IMAGE", image).replace("COMMAND", "hostname"))
    manifest["metadata"]["name"] = name
    for role in manifest["spec"]["mpiReplicaSpecs"].values():
        _container(role)["resources"] = {"limits": _LIMITS}
    if command:
        _container(manifest["spec"]["mpiReplicaSpecs"]["Worker"])["command"] = command
    return manifest


def _container(role):
    return role["template"]["spec"]["containers"][0]


def _blind(image, folder):
    """Return a job that waits for no worker, and whose sshd come once three launchers failed."""
    manifest = _filled(_BLIND, image, ["sh", "-c", _WAITS])
    manifest["metadata"]["annotations"] = {"mpijob.dev/wait-for-workers": "false"}
    roles = manifest["spec"]["mpiReplicaSpecs"]
    _container(roles["Launcher"]).update(command=["sh", "-c", _COUNTS], args=[])
    # Each failure is a pod, and so is counted.
    roles["Launcher"]["restartPolicy"] = "Never"
    for role in roles.values():
        volume = {"name": "attempts", "hostPath": {"path": str(folder)}}
        role["template"]["spec"]["volumes"] = [volume]
        mount = {"name": "attempts", "mountPath": "/attempts"}
        _container(role)["volumeMounts"] = [mount]
    return manifest


@pytest.fixture(scope="module")
def attempts(site, space):
    folder = Path(site.cluster.folder) / f"{space}-attempts"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture(scope="module")
def runs(site, images, space, attempts):
    filled = [_filled(name, images[image], command) for name, (image, command) in CASES.items()]
    return site.run(space, *filled, _blind(images["manual-12"], attempts))


@pytest.mark.parametrize("name", CASES)
def test_each_worker_runs_one_rank(runs, name):
    assert (runs[name].end, runs[name].hosts) == (
        "Succeeded",
        [f"{name}-worker-0", f"{name}-worker-1"],
    )


def test_the_keys_lie_where_the_manifest_says(runs):
    spec = runs["manual-12-own"].role("launcher")[0]["spec"]
    (mount,) = (row for row in spec["containers"][0]["volumeMounts"] if row["name"] == "ssh-auth")
    (volume,) = (row for row in spec["volumes"] if row["name"] == "ssh-auth")
    shown = sorted(item["path"] for item in volume["secret"]["items"])
    assert (mount["mountPath"], shown) == (
        "/home/user/.ssh",
        ["authorized_keys", "id_rsa", "id_rsa.pub"],
    )


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("name", CASES)
def test_no_worker_is_left_once_the_job_has_ended(site, space, name):
    with site.api() as api:
        pods = f"/api/v1/namespaces/{space}/pods"
        for index in range(2):
            api.until_gone(pods, f"{name}-worker-{index}")
        left = [pod["metadata"]["name"] for pod in api.read(pods)["items"]]
    assert not [pod for pod in left if pod.startswith(f"{name}-worker-")]


def test_launchers_that_fail_while_no_worker_is_there_do_no_harm(runs):
    run = runs[_BLIND]
    counted = run.job["status"]["replicaStatuses"]["Launcher"]
    assert (run.end, counted.get("failed"), counted.get("succeeded")) == ("Succeeded", 3, 1)


@pytest.mark.timeout(180, func_only=True)  # The manifest gives what is left a minute.
def test_a_minute_later_the_launcher_is_gone_and_the_job_is_there(site, space, runs):
    with site.api() as api:
        api.until_gone(f"/apis/batch/v1/namespaces/{space}/jobs", f"{next(iter(CASES))}-launcher")
    assert site.ended(space, next(iter(CASES))).end == "Succeeded"


def test_a_number_without_quotes_is_refused_by_field(site, space, tmp_path):
    file = tmp_path / "mpijob.yaml"
    file.write_text(_TEMPLATE.replace('"2"', "2"))
    kubectl = [site.cluster.binaries["kubectl"], f"--kubeconfig={site.cluster.kubeconfig}"]
    words = [*kubectl, "create", "-f", str(file), "-n", space]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert "Launcher.template.spec.containers[0].args[1]" in done.stderr
