"""The scripts that run in users' pods, tried in every shell that is here, among small stand-ins."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from mpijob.core.transport import environment, ssh_texts

SCRIPTS = {
    "wait_for_workers.sh": ssh_texts.WAIT_FOR_WORKERS,
    "prepare_ssh.sh": ssh_texts.PREPARE_SSH,
    "start_sshd.sh": ssh_texts.START_SSHD,
    "ssh_with_environment.sh": environment.SSH_WITH_ENVIRONMENT,
    "with_environment.sh": environment.WITH_ENVIRONMENT,
}
SHELLS = {
    name: command
    for name, command in {
        "sh": ["sh"],
        "bash": ["bash"],
        "busybox": ["busybox", "sh"],
    }.items()
    if shutil.which(command[0])
}
# What the scripts may use of an image beside ssh.
ORDINARY = (
    "cat",
    "chmod",
    "date",
    "grep",
    "id",
    "sed",
    "sort",
    "tail",
    "tr",
    "uniq",
    "env",
    "mkdir",
)

KEYSCAN = """#!/bin/sh
# Answers for the hosts in the file `up`, in the way of ssh-keyscan for ports other than 22.
echo "ssh-keyscan $*" >>"$WORLD/calls"
while read -r host; do
    if grep -qx "$host" "$WORLD/up"; then echo "[$host]:2222 ssh-ed25519 AAAA"; fi
done
echo "connect to the others: Connection refused" >&2
"""
SSH = """#!/bin/sh
# Gets through to the hosts in the file `up`; its `-G` says port 2022.
echo "ssh $*" >>"$WORLD/calls"
case " $* " in *" -G "*) echo "user me"; echo "port 2022"; exit 0 ;; esac
for word; do
    if grep -qx "$word" "$WORLD/up"; then exit 0; fi
done
echo "ssh: connect to host: Connection refused" >&2
exit 255
"""
# Time passes in the tests when a script sleeps: the world becomes what `next` makes of it.
SLEEP = """#!/bin/sh
[ -e "$WORLD/next" ] || exit 1
. "$WORLD/next"
"""


class World:
    """A folder that is a script's whole PATH, and the files by which its programs agree."""

    def __init__(self, folder: Path, shell: list[str]):
        self.folder = folder
        self.path = folder / "bin"
        self.path.mkdir()
        for program in ("sh", *ORDINARY):
            (self.path / program).symlink_to(shutil.which(program))
        self.shell = [shutil.which(shell[0]), *shell[1:]]
        self.has(sleep=SLEEP)

    def has(self, **programs: str) -> None:
        for name, text in programs.items():
            path = self.path / name.replace("_", "-")
            path.unlink(missing_ok=True)
            path.write_text(text)
            path.chmod(0o755)

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def run(self, script: str, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
        path = self.file(script, SCRIPTS[script])
        return subprocess.run(
            [*self.shell, str(path), *map(str, arguments)],
            env={"PATH": str(self.path), "WORLD": str(self.folder), "HOME": "/home/me", **env},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture(params=SHELLS.values(), ids=SHELLS)
def world(tmp_path, request):
    return World(tmp_path, request.param)


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
def test_every_shell_can_read_it(shell, text):
    read = subprocess.run([*shell, "-n"], input=text, capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")


HOSTS = "a.pi.ns.svc slots=2\nb.pi.ns.svc slots=2\n"


def waited(world, hostfile=HOSTS, launcher="pi-launcher", port="2222", known="", *options):
    hosts = world.file("hostfile", hostfile)
    done = world.run("wait_for_workers.sh", hosts, launcher, port, known, *options)
    return done.returncode, re.sub(r"after \d+ s", "after … s", done.stdout), done.stderr


def test_it_ends_when_all_workers_answer(world):
    world.has(ssh_keyscan=KEYSCAN)
    world.file("up", "a.pi.ns.svc\nb.pi.ns.svc\n")
    assert waited(world) == (0, "all 2 workers answer, after … s\n", "")


def test_it_names_those_it_still_waits_for(world):
    world.has(ssh_keyscan=KEYSCAN)
    world.file("up", "a.pi.ns.svc\n")
    world.file("next", 'echo b.pi.ns.svc >>"$WORLD/up"')
    said = "waiting for 1 of 2 workers: b \nall 2 workers answer, after … s\n"
    assert waited(world) == (0, said, "")


# Five seconds pass from one look at the clock to the next.
CLOCK = """#!/bin/sh
echo tick >>"$WORLD/clock"
echo $(($(grep -c . "$WORLD/clock") * 5))
"""
# The second time that a script sleeps, whoever it waits for is up.
SECOND = """
if [ -e "$WORLD/slept" ]; then echo b.pi.ns.svc >>"$WORLD/up"; else : >"$WORLD/slept"; fi
"""
REASONS = {
    "ssh-keyscan and ssh": (
        {"ssh_keyscan": KEYSCAN, "ssh": SSH},
        "  ssh: connect to host: Connection refused\n",
    ),
    "ssh alone": ({"ssh": SSH}, "  ssh: connect to host: Connection refused\n"),
    "ssh-keyscan alone": ({"ssh_keyscan": KEYSCAN}, ""),
}


@pytest.mark.parametrize(("programs", "reason"), REASONS.values(), ids=REASONS)
def test_it_says_why_it_goes_on_waiting(world, programs, reason):
    world.has(**programs, date=CLOCK)
    world.file("up", "a.pi.ns.svc\n")
    world.file("next", SECOND)
    line = "waiting for 1 of 2 workers: b \n"
    said = f"{line}{reason}" * 2 + "all 2 workers answer, after … s\n"
    assert waited(world) == (0, said, "")


def test_it_names_a_few_of_many(world):
    world.has(ssh_keyscan=KEYSCAN)
    hosts = [f"w{index}.pi.ns.svc" for index in range(9)]
    world.file("up", "")
    world.file("next", 'sed "s/ .*//" "$WORLD/hostfile" >"$WORLD/up"')
    hostfile = "".join(f"{host} slots=1\n" for host in hosts)
    said = "waiting for 9 of 9 workers: w0 w1 w2 w3 w4 ... \nall 9 workers answer, after … s\n"
    assert waited(world, hostfile) == (0, said, "")


def test_it_does_not_wait_for_the_launcher_itself(world):
    world.has(ssh_keyscan=KEYSCAN)
    world.file("up", "a.pi.ns.svc\nb.pi.ns.svc\n")
    own = "pi-launcher.pi.ns.svc slots=2\n" + HOSTS
    assert waited(world, own) == (0, "all 2 workers answer, after … s\n", "")


def test_it_reads_hydras_hostfile(world):
    world.has(ssh_keyscan=KEYSCAN)
    world.file("up", "a.pi.ns.svc\nb.pi.ns.svc\n")
    assert waited(world, HOSTS.replace(" slots=", ":")) == (
        0,
        "all 2 workers answer, after … s\n",
        "",
    )


def test_it_waits_for_nobody_who_is_no_longer_wanted(world):
    world.has(ssh_keyscan=KEYSCAN)
    world.file("up", "a.pi.ns.svc\n")
    world.file("next", 'echo "a.pi.ns.svc slots=2" >"$WORLD/hostfile"')
    said = "waiting for 1 of 2 workers: b \nall 1 workers answer, after … s\n"
    assert waited(world) == (0, said, "")


def test_it_asks_every_host_in_one_process(world):
    world.has(ssh_keyscan=KEYSCAN)
    world.file("up", "a.pi.ns.svc\nb.pi.ns.svc\n")
    waited(world)
    assert world.calls() == ["ssh-keyscan -T 2 -p 2222 -f -"]


KINDS = {
    "Ed25519": ("*.pi.ns.svc ssh-ed25519 AAAA\n", "ed25519"),
    "ECDSA": ("*.pi.ns.svc ecdsa-sha2-nistp256 AAAA\n", "ecdsa"),
}


@pytest.mark.parametrize(("line", "kind"), KINDS.values(), ids=KINDS)
def test_it_asks_for_the_kind_of_key_that_the_hosts_have(world, line, kind):
    world.has(ssh_keyscan=KEYSCAN)
    world.file("up", "a.pi.ns.svc\nb.pi.ns.svc\n")
    waited(world, HOSTS, "pi-launcher", "2222", world.file("known_hosts", line))
    assert world.calls() == [f"ssh-keyscan -T 2 -p 2222 -t {kind} -f -"]


def test_ssh_says_which_port_it_would_use(world):
    world.has(ssh_keyscan=KEYSCAN, ssh=SSH)
    world.file("up", "a.pi.ns.svc\nb.pi.ns.svc\n")
    waited(world, HOSTS, "pi-launcher", "", "", "-F", "mine")
    assert world.calls() == [
        "ssh -G -F mine a.pi.ns.svc",
        "ssh-keyscan -T 2 -p 2022 -f -",
    ]


def test_without_ssh_the_port_is_the_usual_one(world):
    world.has(ssh_keyscan=KEYSCAN)
    world.file("up", "a.pi.ns.svc\nb.pi.ns.svc\n")
    waited(world, HOSTS, "pi-launcher", "")
    assert world.calls() == ["ssh-keyscan -T 2 -p 22 -f -"]


def test_without_keyscan_ssh_itself_is_tried(world):
    world.has(ssh=SSH)
    world.file("up", "a.pi.ns.svc\n")
    world.file("next", 'echo b.pi.ns.svc >>"$WORLD/up"')
    said = "waiting for 1 of 2 workers: b \nall 2 workers answer, after … s\n"
    assert waited(world, HOSTS, "pi-launcher", "2222", "", "-F", "mine") == (0, said, "")


ANSWERS = ("Permission denied (publickey).", "Host key verification failed.")


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_sshd_that_turns_us_away_is_there(world, answer):
    world.has(ssh=f'#!/bin/sh\necho "{answer}" >&2\nexit 255\n')
    assert waited(world) == (0, "all 2 workers answer, after … s\n", "")


def test_where_nothing_can_be_asked_the_launcher_goes_on(world):
    said = "cannot wait for the workers: this image has neither ssh-keyscan nor ssh\n"
    assert waited(world) == (0, said, "")


def test_an_ssh_that_does_not_know_its_user_cannot_be_asked(world):
    world.has(ssh='#!/bin/sh\necho "No user exists for uid 4321" >&2\nexit 255\n')
    world.has(id="#!/bin/sh\necho 4321\n")
    said = "cannot wait: this image has no ssh-keyscan, and ssh knows no uid 4321\n"
    assert waited(world) == (0, said, "")


def test_it_ends_when_it_is_told_to(world):
    world.has(ssh_keyscan=KEYSCAN)
    world.file("up", "")
    world.file("next", "kill -TERM $PPID")
    assert waited(world) == (143, "waiting for 2 of 2 workers: a b \n", "")


@pytest.fixture
def drawn(world):
    folder = world.folder / "drawn"
    folder.mkdir()
    (folder / "id").write_text("the private key\n")
    (folder / "authorized_keys").write_text("the public key\n")
    (world.folder / "keys").mkdir()
    return folder


def prepared(world, drawn, *command):
    return world.run("prepare_ssh.sh", drawn, world.folder / "keys", *command)


def test_keys_belong_to_who_runs_and_to_no_other(world, drawn):
    prepared(world, drawn)
    made = world.folder / "keys" / "id"
    found = made.stat()
    assert (made.read_text(), stat.S_IMODE(found.st_mode), found.st_uid) == (
        "the private key\n",
        0o600,
        os.getuid(),
    )


KNOWN = "#!/bin/sh\necho me:x:4321:4321::/home/me:/bin/sh\n"
UNKNOWN = "#!/bin/sh\nexit 2\n"
LINE = "mpijob:x:4321:4321:MPI job:/home/me:/bin/sh\n"
NAMES = {
    "a user that the image knows": (KNOWN, ""),
    "a user that it does not know": (UNKNOWN, LINE),
    "nobody who could tell": (None, LINE),
}


@pytest.mark.parametrize(("getent", "line"), NAMES.values(), ids=NAMES)
def test_the_passwd_knows_the_user(world, drawn, getent, line):
    world.has(id="#!/bin/sh\necho 4321\n", **({"getent": getent} if getent else {}))
    prepared(world, drawn)
    passwd = world.folder / "keys" / "passwd"
    found = (passwd.read_text(), stat.S_IMODE(passwd.stat().st_mode))
    assert found == (Path("/etc/passwd").read_text() + line, 0o644)


def test_it_is_done_twice_without_harm(world, drawn):
    world.has(id="#!/bin/sh\necho 4321\n")
    prepared(world, drawn)
    prepared(world, drawn)
    text = (world.folder / "keys" / "passwd").read_text()
    assert text == Path("/etc/passwd").read_text() + LINE


def test_it_then_becomes_the_command(world, drawn):
    done = prepared(world, drawn, "cat", world.folder / "keys" / "id")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the private key\n", "")


def test_without_its_keys_it_fails(world, drawn):
    (drawn / "id").chmod(0)
    (drawn / "id").unlink()
    (drawn / "id").symlink_to("nowhere")
    assert prepared(world, drawn, "sh").returncode != 0


SSHD = """#!/bin/sh
echo "sshd $*" >>"$WORLD/calls"
"""


@pytest.fixture
def sshd(world):
    """Start sshd, as a user; return what was said, and what a session then has of these names."""
    world.has(id="#!/bin/sh\necho 1000\n", sshd=SSHD)
    world.has(printenv=f'#!/bin/sh\nexec {shutil.which("printenv")} -0 "$@"\n')

    def start(**env):
        kept = world.folder / "environment"
        world.file("with_environment.sh", SCRIPTS["with_environment.sh"])
        done = world.run("start_sshd.sh", "config", kept, **env)
        asked = {"SSH_ORIGINAL_COMMAND": f"printenv {' '.join(env)}", "SHELL": world.path / "sh"}
        session = world.run("with_environment.sh", kept, **{k: str(v) for k, v in asked.items()})
        return done.stderr + session.stderr, session.stdout.split("\0")[:-1]

    return start


def test_a_pod_that_shows_no_script_for_sessions_has_plain_ones(world):
    world.has(id="#!/bin/sh\necho 1000\n", sshd=SSHD)
    world.run("start_sshd.sh", "config", world.folder / "environment")
    assert world.calls() == ["sshd -De -f config -o ForceCommand=none"]


def test_it_becomes_sshd_with_our_configuration(world, sshd):
    sshd(MODEL="big")
    assert world.calls() == ["sshd -De -f config"]


def test_nobody_else_reads_what_is_in_the_environment(world, sshd):
    sshd(TOKEN="secret")
    assert stat.S_IMODE((world.folder / "environment").stat().st_mode) == 0o600


ODD = {
    "a word": "big",
    "blanks, quotes and dollars": 'it\'s "$5" `id` $(id) #1 \\ \\n !x',
    "lines": "one\nTWO=2\n\nexport THREE=3\n",
    "an empty one": "",
    "other letters": "schön ⇒ 雪",
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_ranks_get_the_workers_environment(sshd, value):
    assert sshd(MODEL=value) == ("", [value])


def test_a_login_has_its_own_user(sshd):
    assert sshd(USER="another", SSH_TTY="x", MODEL="m")[1] == ["m"]


@pytest.fixture
def handed_on(world):
    """Call ssh as MPI does; return what a session has that gets what ssh took along."""
    world.has(ssh='#!/bin/sh\nprintf %s "$MPIJOB_ENVIRONMENT" >"$WORLD/taken"\n')
    world.has(env=f'#!/bin/sh\nexec {shutil.which("env")} "$@"\n')

    def call(told, own="", **env):
        world.file("handed_on", told)
        assert world.run("ssh_with_environment.sh", "host", "true", **env).stderr == ""
        session = world.run(
            "with_environment.sh",
            world.file("environment", own),
            MPIJOB_ENVIRONMENT=(world.folder / "taken").read_text(),
            SSH_ORIGINAL_COMMAND="env -0",
            SHELL=str(world.path / "sh"),
        )
        rows = dict(row.split("=", 1) for row in session.stdout.split("\0")[:-1])
        return {name: rows[name] for name in env if name in rows}

    return call


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_ranks_get_the_launchers_environment(handed_on, value):
    assert handed_on("all", MODEL=value) == {"MODEL": value}


FEW = {"MODEL": "m", "TOKEN": "t"}
TOLD = {
    "all": ("all", FEW),
    "none": ("none", {}),
    "those that are named": ("TOKEN", {"TOKEN": "t"}),
    "all but those of the pod's own": ("all -TOKEN", {"MODEL": "m"}),
    "one that is named and the pod's own": ("TOKEN MODEL -TOKEN", {"MODEL": "m"}),
}


@pytest.mark.parametrize(("told", "want"), TOLD.values(), ids=TOLD)
def test_a_job_says_what_is_handed_on(handed_on, told, want):
    assert handed_on(told, **FEW) == want


PODS_OWN = (
    *("HOSTNAME", "POD_IP", "MY_POD_NAME", "K_MPI_JOB_ROLE", "NVIDIA_VISIBLE_DEVICES", "USER"),
    *("KUBERNETES_PORT", "REDIS_SERVICE_HOST", "REDIS_PORT_6379_TCP_ADDR", "OMPI_MCA_btl"),
    *("PMIX_RANK", "SSH_TTY"),
)


@pytest.mark.parametrize("name", PODS_OWN)
def test_what_is_each_pods_own_is_not_handed_on(handed_on, name):
    assert handed_on("all", **{name: "launcher's"}) == {}


def test_what_a_worker_says_itself_goes_first(handed_on):
    own = "export MODEL='mine'\n"
    assert handed_on("all", own, MODEL="the launcher's", SIZE="9") == {"MODEL": "mine", "SIZE": "9"}


def test_an_environment_that_is_too_large_is_told_of(world):
    world.has(ssh='#!/bin/sh\necho "took ${#MPIJOB_ENVIRONMENT}"\n')
    world.file("handed_on", "all")
    done = world.run("ssh_with_environment.sh", "host", LARGE="x" * 101_000)
    told = "the environment is too large to be handed on to ranks: … characters\n"
    assert (done.stdout, re.sub(r"\d+", "…", done.stderr)) == ("took 0\n", told)


def test_an_image_without_sshd_is_told_so(world):
    world.has(id="#!/bin/sh\necho 1000\n")
    done = world.run("start_sshd.sh", "config", "copy", PATH=str(world.path))
    here = any(
        Path(folder, "sshd").exists() for folder in ("/usr/sbin", "/usr/local/sbin", "/sbin")
    )
    want = "This image has no sshd. Install openssh-server in it, or give the worker a command.\n"
    assert here or (done.returncode, done.stderr) == (127, want)
