"""The script of the openmpi package's pods, tried in every shell that is here, among stand-ins.

With real ssh and real MPIs it is tried in test_hosts_for_real.
"""

import os
import shutil
import stat
import subprocess

import pytest

from mpijob.generate.openmpi import texts

SHELLS = {
    name: command
    for name, command in {"sh": ["sh"], "bash": ["bash"], "busybox": ["busybox", "sh"]}.items()
    if shutil.which(command[0])
}
ORDINARY = (
    *("cat", "chmod", "cp", "date", "env", "grep", "id", "mkdir", "rm", "sed", "sort", "tail"),
    *("touch",),
)
REFUSED = "ssh: connect to host: Connection refused"
# Gets through to the hosts in the file `up`.
SSH = """#!/bin/sh
echo "$*" >>"$WORLD/calls"
case $* in *"-G "*) echo "port ${SEEN_PORT-2022}"; exit 0 ;; esac
for word; do
    if grep -qx "$word" "$WORLD/up" 2>/dev/null; then exit 0; fi
done
echo "ssh: connect to host: Connection refused" >&2
exit 255
"""
# Time passes when a script sleeps: the world becomes what `next` makes of it.
SLEEP = """#!/bin/sh
[ -e "$WORLD/next" ] || exit 1
. "$WORLD/next"
"""
# As a daemon, it is there until it is ended; it keeps what it was told. Its shell is gone by then.
SSHD = """#!/bin/sh
echo "$*" >"$WORLD/sshd"
exec REAL_SLEEP 30
"""
KEYGEN = """#!/bin/sh
echo "$*" >"$WORLD/keygen"
"""
# A clock that goes on by 10 s whenever a script sleeps; a worker that joins after 60 s of it.
DATE = """#!/bin/sh
cat "$WORLD/clock"
"""
LATE = """read -r now <"$WORLD/clock"
now=$((now + 10))
echo $now >"$WORLD/clock"
[ $now -lt 1060 ] || echo b.x.ns >>"$WORLD/up"
"""
FILES = {
    "assets/hostfile": "a.x.ns slots=1\nb.x.ns slots=1\n",
    "assets/mca-params.conf": texts.MCA_PARAMS,
    "assets/ssh_config": texts.SSH_CONFIG,
    "assets/sshd_config": texts.SSHD_CONFIG,
    "secrets/id_rsa": "private\n",
    "secrets/id_rsa.pub": "public\n",
    "secrets/authorized_keys": "public\n",
}

#: What the pods' users find in the Secret that they name.
SECRET_KEYS = ("id_rsa", "id_rsa.pub", "authorized_keys")


class World:
    """A folder that is a pod's whole world: its PATH, its home, and what is mounted in it."""

    def __init__(self, folder, shell):
        self.folder = folder
        self.shell = [shutil.which(shell[0]), *shell[1:]]
        self.path, self.home = folder / "bin", folder / "home"
        self.signals = folder / "data/.openmpi-controller"
        self.path.mkdir()
        self.signals.mkdir(parents=True)
        for program in ("sh", *ORDINARY):
            (self.path / program).symlink_to(shutil.which(program))
        sshd = SSHD.replace("REAL_SLEEP", shutil.which("sleep"))
        self.has("sleep", SLEEP)
        self.has("ssh", SSH)
        self.has("sshd", sshd)
        self.has("ssh-keygen", KEYGEN)
        for name, text in FILES.items():
            self.file(name, text)

    def has(self, name, text):
        # What is called so may be a link to the machine's own program, which is to stay as it is.
        (self.path / name).unlink(missing_ok=True)
        path = self.file(f"bin/{name}", text)
        path.chmod(0o755)

    def file(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *arguments, **env):
        script = self.file("init.sh", texts.INIT.replace(texts.ROOT, str(self.folder)))
        return subprocess.run(
            [*self.shell, str(script), *map(str, arguments)],
            env={
                "PATH": str(self.path),
                "WORLD": str(self.folder),
                "HOME": str(self.home),
                **env,
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def master(self, command="echo done", timeout=300, **env):
        return self.run("master", 2, command, timeout, **env)

    def worker(self, timeout=300):
        return self.run("worker", 2, "unused", timeout)


@pytest.fixture(params=SHELLS.values(), ids=SHELLS)
def world(tmp_path, request):
    return World(tmp_path, request.param)


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_every_shell_can_read_it(shell):
    read = subprocess.run(
        [*shell, "-n"], input=texts.INIT, capture_output=True, text=True, check=False
    )
    assert (read.returncode, read.stderr) == (0, "")


@pytest.mark.parametrize("words", [(), ("master", 2, "echo"), ("master", 2, "echo", 9, "more")])
def test_it_takes_four_arguments_and_no_other_number_of_them(world, words):
    done = world.run(*words)
    assert (done.returncode, "illegal number of parameters" in done.stderr) == (1, True)


def test_the_keys_become_the_users_own(world):
    world.file("up", "a.x.ns\nb.x.ns\n")
    world.master()
    ssh = world.home / ".ssh"
    keys = {name: (ssh / name).read_text() for name in SECRET_KEYS}
    assert (keys, stat.S_IMODE(os.stat(ssh / "id_rsa").st_mode)) == (
        {"id_rsa": "private\n", "id_rsa.pub": "public\n", "authorized_keys": "public\n"},
        0o400,
    )


def test_a_pod_that_is_set_up_again_takes_the_keys_anew(world):
    world.file("up", "a.x.ns\nb.x.ns\n")
    world.master()
    assert world.master().returncode == 0


def test_open_mpi_and_ssh_find_their_settings_in_the_home(world):
    world.file("up", "a.x.ns\nb.x.ns\n")
    world.master()
    config = (world.home / ".ssh/config").read_text()
    settings = (world.home / ".openmpi/mca-params.conf").read_text()
    assert (config.startswith(texts.SSH_CONFIG), settings) == (True, texts.MCA_PARAMS)


def test_the_command_begins_when_the_last_worker_lets_the_master_in(world):
    world.file("up", "a.x.ns\n")
    world.file("next", 'echo "asked again" >>"$WORLD/calls"; echo b.x.ns >>"$WORLD/up"')
    done = world.master('echo "begun" >>"$WORLD/calls"')
    calls = (world.folder / "calls").read_text().splitlines()
    assert (done.returncode, calls.count("asked again"), calls[-1]) == (0, 1, "begun")


def test_a_worker_that_let_the_master_in_is_not_asked_again(world):
    world.file("up", "a.x.ns\n")
    world.file("next", 'echo b.x.ns >>"$WORLD/up"')
    world.master()
    calls = (world.folder / "calls").read_text().splitlines()
    assert sum("a.x.ns" in call for call in calls) == 1


def test_a_master_exits_as_its_command_does_and_says_no_more_than_that(world):
    world.file("up", "a.x.ns\nb.x.ns\n")
    done = world.master("echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_the_masters_shell_reads_the_command_and_nobody_before_it(world):
    world.file("up", "a.x.ns\nb.x.ns\n")
    command = """printf '%s|' "$WHAT" '$WHAT' \\$WHAT"""
    done = world.master(command, WHAT="it  is `this`")
    assert done.stdout == "it  is `this`|$WHAT|$WHAT|"


def test_a_master_gives_up_in_time_and_names_who_did_not_let_it_in(world):
    world.file("up", "b.x.ns\n")
    done = world.master(timeout=0)
    assert (done.returncode, done.stderr) == (
        124,
        f"init.sh: 1 of 2 workers did not let the master in: a.x.ns {REFUSED} within 0 s\n",
    )


NODES = {"it is waited for": (300, 0, "1060"), "unless the time is over": (50, 124, "1050")}


@pytest.mark.parametrize(("timeout", "code", "ended_at"), NODES.values(), ids=NODES)
def test_a_worker_whose_node_joins_after_a_minute(world, timeout, code, ended_at):
    world.has("date", DATE)
    world.file("clock", "1000\n")
    world.file("up", "a.x.ns\n")
    world.file("next", LATE)
    done = world.master(timeout=timeout)
    assert (done.returncode, (world.folder / "clock").read_text().strip()) == (code, ended_at)


def test_the_wait_for_workers_is_told_every_five_seconds_and_no_more_often(world):
    world.has("date", DATE)
    world.file("clock", "1000\n")
    world.file("up", "a.x.ns\n")
    world.file("next", LATE)
    told = [line for line in world.master().stderr.splitlines() if line.startswith("waiting for")]
    assert told == [f"waiting for 1 of 2 workers: b.x.ns {REFUSED}"] * 5


def test_where_ssh_looks_for_its_settings_elsewhere_mpi_is_told_where_they_are(world):
    world.file("up", "a.x.ns\nb.x.ns\n")
    command = 'echo "$OMPI_MCA_plm_rsh_agent, $PRTE_MCA_plm_ssh_agent"'
    done = world.master(command, SEEN_PORT="22")
    agent = f"ssh -F {world.home}/.ssh/config"
    assert done.stdout == f"{agent}, {agent}\n"


def test_what_the_image_says_to_open_mpi_5_counts_more_than_what_the_package_does(world):
    world.file("up", "a.x.ns\nb.x.ns\n")
    names = ("hwloc_default_binding_policy", "rmaps_default_mapping_policy")
    command = " ".join(["echo", *(f"$PRTE_MCA_{name}" for name in names)])
    done = world.master(command, PRTE_MCA_rmaps_default_mapping_policy="node")
    assert done.stdout == "none node\n"


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_secret_that_lacks_a_key_is_told_by_it(world, key):
    (world.folder / "secrets" / key).unlink()
    done = world.master()
    assert (done.returncode, f"the Secret has no key {key};" in done.stderr) == (1, True)


def test_a_home_that_is_not_the_users_is_told(world):
    world.file("home", "no folder")
    done = world.worker()
    assert (done.returncode, f"cannot write in HOME={world.home};" in done.stderr) == (1, True)


def test_a_worker_begins_when_it_may_and_ends_when_it_is_to(world):
    world.file(
        "next",
        '[ -e "$WORLD/data/.openmpi-controller/SIGCONT" ] && [ -e "$WORLD/sshd" ] &&\n'
        '    touch "$WORLD/data/.openmpi-controller/SIGTERM"\n'
        'touch "$WORLD/data/.openmpi-controller/SIGCONT"\n',
    )
    assert (world.worker().returncode, (world.folder / "sshd").exists()) == (0, True)


def test_a_worker_that_may_not_begin_ends_in_time_and_starts_no_sshd(world):
    done = world.worker(timeout=0)
    assert (done.returncode, done.stderr, (world.folder / "sshd").exists()) == (
        124,
        "init.sh: the controller did not let this worker begin within 0 s\n",
        False,
    )


def test_a_worker_whose_controller_failed_ends_at_once(world):
    (world.signals / "SIGTERM").touch()
    done = world.worker()
    assert (done.returncode, "the controller ended before" in done.stderr) == (1, True)


def test_a_worker_without_its_sshd_is_no_host_any_more(world):
    (world.signals / "SIGCONT").touch()
    world.has("sshd", "#!/bin/sh\necho 'Bad configuration option' >&2; exit 255\n")
    world.file("next", ":")
    done = world.worker()
    assert (done.returncode, "sshd has ended" in done.stderr) == (1, True)


def test_an_image_without_sshd_is_told_what_it_lacks(world):
    (world.signals / "SIGCONT").touch()
    (world.path / "sshd").unlink()
    if any(os.path.exists(f"{place}/sshd") for place in ("/usr/local/sbin", "/usr/sbin", "/sbin")):
        pytest.skip("this machine has an sshd where images have theirs")
    done = world.worker()
    assert (done.returncode, "install openssh-server" in done.stderr) == (1, True)


def test_sshd_has_a_key_of_its_own_and_keeps_the_environment(world):
    (world.signals / "SIGCONT").touch()
    world.file("next", '[ ! -e "$WORLD/sshd" ] || touch "$WORLD/data/.openmpi-controller/SIGTERM"')
    world.worker()
    settings = (world.home / ".sshd/sshd_config").read_text()
    assert (
        settings.removeprefix(texts.SSHD_CONFIG).splitlines(),
        f"WORLD='{world.folder}'"
        in (world.home / ".sshd/environment").read_text().replace('"', "'"),
    ) == (
        [
            f'HostKey "{world.home}/.sshd/ssh_host_key"',
            f'AuthorizedKeysFile "{world.home}/.ssh/authorized_keys"',
            f'ForceCommand /bin/sh "{world.home}/.sshd/session"',
        ],
        True,
    )


WRONG = {"a role that there is not": ("boss", 2, "echo", 9), "a limit": ("master", 2, "echo", "x")}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_arguments_that_mean_nothing_are_told(world, words):
    done = world.run(*words)
    assert (done.returncode, str(words[0] if words[0] == "boss" else "“x”") in done.stderr) == (
        1,
        True,
    )
