"""Nodes for the tests of ssh: run pods as they are written, each with a network of its own.

Pods with `hostNetwork` share the network and the name of the node that `nodeName` names.

Run in namespaces of its own, as `unshare --mount --net python node.py POD…`, so that all it mounts
and connects is gone with it. Reads a cluster from standard input, as JSON:

- `pods`: manifests; the first is the launcher's, whose output and exit status are this program's;
- `objects`: the data of ConfigMaps and Secrets, by `<kind>/<name>`;
- `uid`: whom the image has for its user;
- `path`: where the image has its programs.

A pod's `securityContext` may name another user, and the group of its volumes.

The image is this machine's own file system, but for `/etc/passwd`, which knows sshd's user,
and `/etc/shadow`, which locks root as some images do.
"""

import ctypes
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Thread

BRIDGE = "br0"
#: A pod's own, as its /tmp would be: this machine's may hold what the tests run.
TEMPORARY = Path("/run/tmp")
#: The user whom the image has beside root.
SOMEONE = 4322
HOME = Path("/run/someone")
ROOT = Path(__file__).parents[3]


def main() -> int:
    if sys.argv[1:2] == ["pod"]:
        return _pod(json.load(sys.stdin))
    return _cluster(json.load(sys.stdin))


def _cluster(cluster) -> int:
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "link", "set", BRIDGE, "up")
    work = Path("/mnt")
    _run("mount", "-t", "tmpfs", "tmpfs", str(work))
    networks = list(dict.fromkeys(map(_network, cluster["pods"])))
    domain = cluster["domain"]
    hosts = "127.0.0.1 localhost\n" + "".join(
        f"10.9.0.{number} {pod['hostname']}.{domain} {pod['hostname']} {network}\n"
        for pod in cluster["pods"]
        for number, network in enumerate(networks, 1)
        if network == _network(pod)
    )
    started: list[subprocess.Popen[str]] = []
    holders: dict[str, int] = {}
    for pod in cluster["pods"]:
        network = _network(pod)
        place = (network, networks.index(network) + 1, holders.get(network))
        started.append(_start(cluster, pod, place, work / pod["hostname"], hosts))
        holders.setdefault(network, started[-1].pid)
    try:
        return started[0].wait()
    finally:
        for process in started[1:]:
            process.kill()
            process.wait()


def _network(pod):
    """Return the name of the network that a pod is on: its node's, or its own."""
    return pod["nodeName"] if pod.get("hostNetwork") else pod["hostname"]


def _start(cluster, pod, place, folder, hosts):
    """Start a pod on a network: a new one, or that of the process `holder`."""
    network, number, holder = place
    folder.mkdir()
    own = ["unshare", "--mount", "--net", "--uts"]
    shared = ["nsenter", "--net", "--uts", f"--target={holder}", "unshare", "--mount"]
    process = subprocess.Popen(
        [*(own if holder is None else shared), sys.executable, __file__, "pod"],
        stdin=subprocess.PIPE,
        text=True,
        # What the workers say is for whoever looks into a test that failed.
        stdout=None if pod is cluster["pods"][0] else sys.stderr,
    )
    told = {
        **{key: cluster[key] for key in ("objects", "uid", "path")},
        "pod": pod,
        "folder": str(folder),
        "hosts": hosts,
        "network": network,
        "address": f"10.9.0.{number}/16" if holder is None else "",
    }
    assert process.stdin is not None
    if holder is None:
        _until_unshared(process.pid)
        peer = ["type", "veth", "peer", "name", "eth0", "netns", str(process.pid)]
        _run("ip", "link", "add", f"pod{number}", *peer)
        _run("ip", "link", "set", f"pod{number}", "master", BRIDGE, "up")
    process.stdin.write(json.dumps(told))
    process.stdin.close()
    return process


def _until_unshared(pid):
    """Wait until the process has become Python, after `unshare` did its work."""
    ours = os.readlink("/proc/self/ns/net")
    while os.readlink(f"/proc/{pid}/ns/net") == ours:
        os.sched_yield()


def _pod(told) -> int:
    # The kernel ends this pod with the node.
    ctypes.CDLL(None).prctl(1, 9)
    folder, pod = Path(told["folder"]), told["pod"]
    if told["address"]:
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "address", "add", told["address"], "dev", "eth0")
        _run("ip", "link", "set", "eth0", "up")
        _run("hostname", told["network"])
    checkout = os.open(ROOT, os.O_PATH)
    _image(folder, told["hosts"])
    _show(checkout)
    security = pod.get("securityContext") or {}
    told["uid"] = security.get("runAsUser", told["uid"])
    volumes = {v["name"]: _volume(v, folder, told["objects"]) for v in pod["volumes"]}
    if "fsGroup" in security:
        _share(volumes.values(), security["fsGroup"])
    for container in pod.get("initContainers", ()):
        status = _container(container, volumes, told)
        if status:
            return status
    first, *others = pod["containers"]
    for container in others:
        Thread(target=_container, args=(container, volumes, told), daemon=True).start()
    return _container(first, volumes, told)


def _image(folder, hosts):
    """Make what the image has, and what a container's runtime puts there."""
    etc = folder / "etc"
    shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
    (etc / "hosts").write_text(hosts)
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
    with (etc / "passwd").open("a") as passwd:
        passwd.write("sshd:x:998:998::/run/sshd:/usr/sbin/nologin\n")
        passwd.write(f"someone:x:{SOMEONE}:{SOMEONE}::{HOME}:/bin/sh\n")
    shadow = (etc / "shadow").read_text().splitlines(keepends=True)
    others = [line for line in shadow if not line.startswith("root:")]
    (etc / "shadow").write_text("".join(["root:!locked::0:99999:7:::\n", *others]))
    _run("mount", "--bind", str(etc), "/etc")
    for path in ("/run", "/root"):
        _run("mount", "-t", "tmpfs", "tmpfs", path)
    TEMPORARY.mkdir()
    TEMPORARY.chmod(0o1777)
    HOME.mkdir()
    os.chown(HOME, SOMEONE, SOMEONE)


def _show(checkout):
    """Let whoever runs in the pod see the checkout, which has the MPIs, wherever it lies.

    A folder above it may be root's alone, or gone behind the image's own.
    """
    folders = [folder for folder in ROOT.parents if folder.exists()]
    closed = [folder for folder in folders if not folder.stat().st_mode & 0o001]
    if closed:
        _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(closed[-1]))
    if not ROOT.exists():
        ROOT.mkdir(parents=True)
        bind = ["mount", "-c", "--bind", f"/proc/self/fd/{checkout}", str(ROOT)]
        subprocess.run(bind, check=True, pass_fds=[checkout])


def _volume(volume, folder, objects):
    """Make the files of a volume, and return where they are."""
    where = folder / volume["name"]
    where.mkdir(mode=0o777)
    where.chmod(0o777)
    match volume:
        case {"configMap": source}:
            _project(where, objects[f"ConfigMap/{source['name']}"], source, 0o644)
        case {"secret": source}:
            _project(where, objects[f"Secret/{source['secretName']}"], source, 0o644)
        case {"projected": {"sources": sources, "defaultMode": mode}}:
            for each in sources:
                source = each["secret"]
                _project(where, objects[f"Secret/{source['name']}"], source, mode)
        case _:  # An emptyDir, which is also what a volume is that says nothing.
            _run("mount", "-t", "tmpfs", "tmpfs", str(where))
            where.chmod(0o777)
    return where


def _share(folders, group):
    """Give the files of volumes to a group, as a kubelet does for `fsGroup`."""
    for path in (path for folder in folders for path in (folder, *folder.iterdir())):
        os.chown(path, -1, group)
        path.chmod(path.stat().st_mode | (path.stat().st_mode & 0o700) >> 3)


def _project(where, data, source, mode):
    for item in source.get("items") or ({"key": key, "path": key} for key in data):
        path = where / item["path"]
        path.write_text(data[item["key"]])
        path.chmod(item.get("mode", source.get("defaultMode", mode)))


def _container(container, volumes, told) -> int:
    """Run a container to its end, with mounts that no other container of the pod has."""
    mounts = []
    for mount in container["volumeMounts"]:
        source = volumes[mount["name"]] / mount.get("subPath", "")
        target = Path(mount["mountPath"])
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        mounts.append(f"mount --bind {source} {target}\n")
    uid = str(told["uid"])
    who = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--pdeathsig=KILL"]
    env = {
        "PATH": told["path"],
        "HOME": {"0": "/root", str(SOMEONE): str(HOME)}.get(uid, "/"),
        "TMPDIR": str(TEMPORARY),
        **{entry["name"]: entry["value"] for entry in container.get("env") or ()},
    }
    command = [*who, "--", *container["command"], *container.get("args", ())]
    folder = shlex.quote(container.get("workingDir") or "/")
    script = f'set -e\n{"".join(mounts)}cd {folder}\nexec "$@"\n'
    return subprocess.run(
        ["unshare", "--mount", "/bin/sh", "-c", script, "sh", *command],
        env=env,
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode


def _run(*command):
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
