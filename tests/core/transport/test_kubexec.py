"""Ranks started by `kubectl exec`: what pods get for it, and mpiruns with a kubectl of ours."""

import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from mpijob.core import build, mpi, transport
from mpijob.core.config import Config, Transport
from mpijob.core.job import Flavour
from mpijob.core.transport import Setup, kubexec, kubexec_texts
from mpijob.core.transport import setup as chosen_setup
from mpijob.core.version import Version
from mpijob.testing import worlds

CONFIG = Config(kubectl_delivery_image="example/kubectl:1", service_mesh=True, shared_memory=False)


def job(version=Version.V1ALPHA2, **changes):
    made = worlds.job(**changes)
    return replace(made, identity=replace(made.identity, written_in=version))


def launcher_spec(of):
    made = build.launcher(of, CONFIG, Setup.EXEC, suspended=False)
    return made["spec"]["template"]["spec"]


def worker_spec(of):
    return build.worker(of, 0, CONFIG, Setup.EXEC)["spec"]


EXEC = {"mpijob.dev/transport": "exec"}
SSH = {"mpijob.dev/transport": "ssh"}
SETUPS = {
    "an older version": (job(), CONFIG, None, Setup.EXEC),
    "an older version that chooses ssh": (job(annotations=SSH), CONFIG, None, Setup.OPERATOR),
    "v2beta1": (job(Version.V2BETA1), CONFIG, None, Setup.OPERATOR),
    "v2beta1 that chooses exec": (
        job(Version.V2BETA1, annotations=EXEC),
        CONFIG,
        None,
        Setup.EXEC,
    ),
    "a word that is neither": (
        job(annotations={"mpijob.dev/transport": "mail"}),
        CONFIG,
        None,
        Setup.EXEC,
    ),
    "an operator that cannot bring kubectl": (job(), Config(), None, Setup.OPERATOR),
    "one machine": (job(), Config(transport=Transport.RSH), None, Setup.AGENT),
    "what was chosen stays": (job(annotations=SSH), CONFIG, "exec", Setup.EXEC),
    "a job that its old operator began": (job(), CONFIG, "", Setup.EXEC),
}


@pytest.mark.parametrize(("of", "config", "recorded", "want"), SETUPS.values(), ids=SETUPS)
def test_who_is_reached_by_exec(of, config, recorded, want):
    assert chosen_setup(of, config, recorded) is want


def test_the_launcher_is_brought_kubectl_and_waits():
    spec = launcher_spec(job())
    [delivery] = spec["initContainers"]
    assert (delivery["name"], delivery["image"], delivery["command"][1:]) == (
        "kubectl-delivery",
        "example/kubectl:1",
        ["/etc/mpi/deliver_kubectl.sh", "/opt/kube", "/etc/mpi/hostfile", "pi-launcher"],
    )


def test_a_launcher_that_need_not_wait_is_brought_kubectl_all_the_same():
    hasty = job(annotations={"mpijob.dev/wait-for-workers": "false"})
    [delivery] = launcher_spec(hasty)["initContainers"]
    assert delivery["command"][2:] == ["/opt/kube"]


def test_the_scripts_stand_beside_the_hostfile():
    [volume] = [v for v in launcher_spec(job())["volumes"] if v["name"] == "mpi-job-config"]
    assert {item["key"]: oct(item["mode"]) for item in volume["configMap"]["items"]} == {
        "hostfile": "0o444",
        "discover_hosts.sh": "0o555",
        "kubexec.sh": "0o555",
        "deliver_kubectl.sh": "0o555",
    }


def test_only_the_launcher_has_a_token():
    worker, launcher = worker_spec(job()), launcher_spec(job())
    account = ("serviceAccountName", "automountServiceAccountToken")
    assert ([worker.get(key) for key in account], [launcher[key] for key in account]) == (
        [None, None],
        ["pi-launcher", True],
    )


def test_an_account_of_the_users_is_kept_and_bound():
    made = job()
    made.launcher.template["spec"]["serviceAccountName"] = "mine"
    bound = build.role_binding(made)["subjects"]
    assert (launcher_spec(made)["serviceAccountName"], bound[0]["name"]) == ("mine", "mine")


def test_a_worker_idles_and_has_the_agent_and_no_keys():
    spec = worker_spec(job())
    container = spec["containers"][0]
    assert (
        container["command"],
        [mount["mountPath"] for mount in container["volumeMounts"]],
        [item["key"] for item in spec["volumes"][0]["configMap"]["items"]],
        spec.get("initContainers"),
    ) == (list(kubexec.IDLE), ["/etc/mpi"], ["kubexec.sh"], None)


def test_hosts_are_listed_by_their_pods_names():
    data = build.config(job(), ["pi-worker-0"], CONFIG, Setup.EXEC)["data"]
    assert (data["hostfile"], data["discover_hosts.sh"]) == (
        "pi-worker-0 slots=1\npi-worker-1 slots=1\n",
        "#!/bin/sh\necho pi-worker-0:1\n",
    )


def test_a_launcher_may_execute_in_its_own_jobs_workers_alone():
    rules = build.role(job())["rules"]
    assert [(rule["resources"], rule["verbs"], rule["resourceNames"]) for rule in rules] == [
        (["pods"], ["get"], ["pi-worker-0", "pi-worker-1"]),
        (["pods/exec"], ["create", "get"], ["pi-worker-0", "pi-worker-1"]),
    ]


def test_without_workers_it_may_do_nothing():
    """A rule that names nobody would mean everybody."""
    assert build.role(job(workers=0))["rules"] == []


# Real scripts, and real mpiruns. A kubectl of ours "executes" on a host of another name, in the
# environment of a container there, as a kubelet would, and refuses whoever is not the launcher.
KUBECTL = r"""#!/bin/sh
[ "$(hostname)" = pi-launcher ] || { echo "Error: forbidden to $(hostname)" >&2; exit 1; }
echo "$*" >>"LOG"
[ "$1" = exec ] || exit 2
pod=$2
shift 2
while [ "$1" != -- ]; do shift; done
shift
exec env -i unshare --uts sh -c 'hostname "$0"; . "LOG.environment"; exec "$@"' "$pod" "$@"
"""
ROOT = Path(__file__).parents[3]
MPI = {
    "Open MPI 5": (ROOT / ".venv/bin", Flavour.OPEN_MPI),
    "Open MPI 4": (ROOT / ".mpi/openmpi4/bin", Flavour.OPEN_MPI),
    "MPICH": (ROOT / ".mpi/mpich/bin", Flavour.MPICH),
}
#: A host starts two others at most, as happens of itself beyond 64 hosts.
RADIX_2 = {"OMPI_MCA_routed_radix": "2", "PRTE_MCA_prte_routed_radix": "2"}
RUNS = {
    "Open MPI 5": ("Open MPI 5", 2, {}),
    "Open MPI 4": ("Open MPI 4", 2, {}),
    "MPICH": ("MPICH", 2, {}),
    "Open MPI 5, more hosts than one starts": ("Open MPI 5", 5, RADIX_2),
    "Open MPI 4, more hosts than one starts": ("Open MPI 4", 5, RADIX_2),
}


def installed(folder, container=""):
    """The scripts, with kubectl and they themselves in one folder; return the agent's path."""
    kubectl, agent = folder / "kubectl", folder / "kubexec.sh"
    kubectl.write_text(KUBECTL.replace("LOG", str(folder / "asked")))
    agent.write_text(kubexec_texts.kubexec(str(folder), container))
    kubectl.chmod(0o755)
    agent.chmod(0o755)
    return agent


def run(tmp_path, which, workers, env, command, worker_env=(), slots=1):
    """Run a launcher's command and return what came of it; workers have an environment as well."""
    prefix, flavour = MPI[which]
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("hosts of other names need root and unshare")
    if not (prefix / "mpirun").exists():
        pytest.skip(f"there is no {which} here: `make mpi` says why")
    agent = installed(tmp_path)
    made = job(workers=workers, flavour=flavour, slots_per_worker=slots)
    hostfile = tmp_path / "hostfile"
    hostfile.write_text(build.config(made, [], CONFIG, Setup.EXEC)["data"]["hostfile"])
    dialect = mpi.dialect(flavour)
    told = {**dialect.env(slots, transport.ssh_options(Setup.EXEC)), **dialect.exec_env(str(agent))}
    told = {name: text.replace("/etc/mpi/hostfile", str(hostfile)) for name, text in told.items()}
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    image = {"PATH": f"{prefix}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    rows = {**image, **dict(worker_env)}.items()
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in rows)
    (tmp_path / "asked.environment").write_text(exports)
    # Hydra's daemons call the launcher by its name, which the job's Service makes known.
    (tmp_path / "hosts").write_text("127.0.0.1 localhost pi-launcher\n")
    begin = 'hostname pi-launcher; mount --bind "$0" /etc/hosts; exec "$@"'
    return subprocess.run(
        ["unshare", "--uts", "--mount", "sh", "-c", begin, tmp_path / "hosts", *command],
        env={**told, **root, **env, **image},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.mpi
@pytest.mark.root
@pytest.mark.parametrize(("which", "workers", "env"), RUNS.values(), ids=RUNS)
def test_every_worker_runs_its_rank(tmp_path, which, workers, env):
    done = run(tmp_path, which, workers, env, ["mpirun", "-n", str(workers), "hostname"])
    want = [f"pi-worker-{index}" for index in range(workers)]
    assert sorted(done.stdout.split()) == want, done.stderr


@pytest.mark.mpi
@pytest.mark.root
@pytest.mark.parametrize("which", MPI)
def test_four_ranks_fill_two_workers_of_two_slots(tmp_path, which):
    done = run(tmp_path, which, 2, {}, ["mpirun", "-n", "4", "hostname"], slots=2)
    assert sorted(done.stdout.split()) == ["pi-worker-0"] * 2 + ["pi-worker-1"] * 2, done.stderr


@pytest.mark.mpi
@pytest.mark.root
@pytest.mark.parametrize("which", MPI)
def test_300_variables_of_a_workers_container_are_its_ranks(tmp_path, many, which):
    command = ["mpirun", "-n", "2", *many.told]
    done = run(tmp_path, which, 2, {}, command, worker_env=many.variables)
    assert done.stdout.split() == [many.digest] * 2, done.stderr


def test_options_of_ssh_are_not_handed_on(tmp_path):
    agent = installed(tmp_path, container="main")
    (tmp_path / "kubectl").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    done = subprocess.run(
        [agent, "-x", "-q", "pi-worker-0.pi", "echo", "a b;", "exit"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "exec|pi-worker-0|--container|main|--|/bin/sh|-c|echo a b; exit|"


WAITING = r"""#!/bin/sh
# Each question finds one worker more that is ready.
asked=$(cat "FOLDER/asked" 2>/dev/null || echo 0)
echo $((asked + 1)) >"FOLDER/asked"
[ "$1 $2" = "get pod" ] || exit 2
shift 2
for pod in "$@"; do
    case $pod in
    pi-worker-*) [ "${pod##*-}" -lt "$asked" ] && echo "$pod   True" || echo "$pod   False" ;;
    esac
done
"""


def test_the_delivery_ends_when_every_worker_is_ready(tmp_path):
    source = tmp_path / "image"
    source.mkdir()
    (source / "kubectl").write_text(WAITING.replace("FOLDER", str(tmp_path)))
    (source / "kubectl").chmod(0o755)
    (tmp_path / "hostfile").write_text("pi-launcher slots=1\npi-worker-0 slots=1\npi-worker-1:2\n")
    (tmp_path / "to").mkdir()
    script = tmp_path / "deliver.sh"
    script.write_text(kubexec_texts.DELIVER_KUBECTL)
    done = subprocess.run(
        ["/bin/sh", script, tmp_path / "to", tmp_path / "hostfile", "pi-launcher"],
        env={"PATH": f"{source}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout.splitlines()[-1], (tmp_path / "to/kubectl").exists()) == (
        "all 2 workers are ready",
        True,
    )


def test_an_image_without_kubectl_says_so(tmp_path):
    script = tmp_path / "deliver.sh"
    script.write_text(kubexec_texts.DELIVER_KUBECTL.replace("/usr/local/bin:/usr/bin:/bin:", ""))
    done = subprocess.run(
        ["/bin/sh", script, tmp_path],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "no kubectl" in done.stderr) == (1, True)


@pytest.mark.root
def test_an_idle_worker_ends_at_once_when_it_is_told_to():
    """As the first process of a pod: `unshare --pid` makes it one."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a first process needs root and unshare")
    shell, option, script = kubexec.IDLE
    told = script.replace("wait", "echo idle; wait")
    pod = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", shell, option, told],
        stdout=subprocess.PIPE,
        text=True,
    )
    with pod:
        pod.stdout.readline()
        first = Path(f"/proc/{pod.pid}/task/{pod.pid}/children").read_text().split()[0]
        os.kill(int(first), signal.SIGTERM)
        assert pod.wait(timeout=60) == 0
