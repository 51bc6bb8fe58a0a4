"""The rsh agent: what mpirun runs instead of ssh, seen from inside a pod."""

import asyncio
import os

import pytest

from mpijob.local.rsh import host_and_command
from mpijob.local.runtime import Container, Executed, Exited, Gone, Started

CALLS = {
    "a host and a command": (["w-0", "hostname"], ("w-0", "hostname")),
    "the command's words are joined by blanks": (["w-0", "a", "b c"], ("w-0", "a b c")),
    "MPICH's option": (["-x", "w-0", "proxy"], ("w-0", "proxy")),
    "Intel's options": (["-q", "-x", "w-0", "proxy"], ("w-0", "proxy")),
    "options with a value": (
        ["-o", "BatchMode=yes", "-p", "2222", "-l", "me", "-F", "/c", "w-0", "x"],
        ("w-0", "x"),
    ),
    "a value that sticks to its option": (["-oBatchMode=yes", "-p22", "w-0", "x"], ("w-0", "x")),
    "options in one word": (["-qxp", "22", "w-0", "x"], ("w-0", "x")),
    "a user": (["me@w-0", "x"], ("w-0", "x")),
    "the end of options": (["--", "w-0", "-x"], ("w-0", "-x")),
    "options after the host are the command's": (["w-0", "-x", "y"], ("w-0", "-x y")),
    "no command": (["w-0"], ("w-0", "")),
    "nothing": ([], ("", "")),
}


@pytest.mark.parametrize(("arguments", "want"), CALLS.values(), ids=CALLS)
def test_an_ssh_call_is_read(arguments, want):
    assert host_and_command(arguments) == want


async def two_hosts(stage, script, **hosts):
    """Start a worker w-1 with nothing to do, and a launcher that runs `script` with $RSH."""
    worker = Container("main", (), {"PATH": os.environ["PATH"], "MINE": "worker's"}, "")
    stage.start(stage.pod(worker, name="w-1"))
    env = {"PATH": os.environ["PATH"], "RSH": stage.runtime.agent, "MINE": "launcher's"}
    stage.start(stage.pod(stage.shell(script, env=env), name="launcher", launcher=True, **hosts))


async def said_by(stage, script):
    """Return what a launcher's script prints, and its exit code."""
    await two_hosts(stage, script)
    exited = await stage.until(Exited, uid="uid-launcher")
    return stage.log(name="launcher"), exited.code


SCRIPTS = {
    "the host's own name and environment": (
        "$RSH w-1 'echo $MPIJOB_HOST $HOSTNAME $MINE'",
        ("w-1 w-1 worker's\n", 0),
    ),
    "a host by its full name": ("$RSH w-1.pi.default.svc 'echo $MPIJOB_HOST'", ("w-1\n", 0)),
    "the folder of the host's container": (
        '$RSH w-1 pwd | grep -o "w-1/work"',
        ("w-1/work\n", 0),
    ),
    "the command's exit code": ("$RSH w-1 exit 7", ("", 7)),
    "the exit code of a command that a signal ended": ("$RSH w-1 'kill -9 $$'", ("", 137)),
    "what is piped in": ("printf 'a\\nb\\n' | $RSH w-1 'tr a-z A-Z'", ("A\nB\n", 0)),
    "errors beside output": ("$RSH w-1 'echo out; echo err >&2' 2>/dev/null", ("out\n", 0)),
    "the shell's syntax": ("$RSH w-1 'A=1;export A; (sh -c \"echo \\$A\")'", ("1\n", 0)),
    "itself as a host": ("$RSH launcher 'echo $MPIJOB_HOST'", ("launcher\n", 0)),
    "closed streams": ("$RSH w-1 'cat; exit 3' <&- 2>&-", ("", 3)),
}


@pytest.mark.parametrize(("script", "want"), SCRIPTS.values(), ids=SCRIPTS)
def test_an_agent_brings(script, want, play):
    assert play(lambda stage: said_by(stage, script)) == want


def test_a_host_that_the_job_does_not_have_is_named(play):
    said, code = play(lambda stage: said_by(stage, "$RSH w-9 true"), unknown_wait_s=0.0)
    assert (said, code) == ('mpijob: host "w-9" is not there: this job has no such host\n', 255)


def test_a_host_whose_pod_does_not_come_is_named(play):
    async def scenario(stage):
        stage.runtime.expect(["w-9"])
        return await said_by(stage, "$RSH w-9 true")

    said, code = play(scenario, rsh_wait_s=0.0)
    assert (said, code) == ('mpijob: host "w-9" is not there: its pod has not started\n', 255)


def test_a_call_without_a_command_says_what_it_wants(play):
    said, code = play(lambda stage: said_by(stage, "$RSH w-1"))
    assert (said.startswith("mpijob: rsh: no host or no command"), code) == (True, 255)


def test_a_host_that_comes_later_is_waited_for(play):
    async def scenario(stage):
        stage.runtime.expect(["w-2"])
        await two_hosts(stage, "echo > ready; $RSH w-2 'echo $MPIJOB_HOST'")
        await stage.word("ready", name="launcher")
        stage.start(stage.pod(Container("main", (), {"PATH": os.defpath}), name="w-2"))
        await stage.until(Exited, uid="uid-launcher")
        return stage.log(name="launcher")

    assert play(scenario) == "w-2\n"


def test_a_host_is_not_there_before_its_init_containers_are_done(play):
    async def scenario(stage):
        init = (stage.shell("cat never; echo done > ../init", name="setup"),)
        worker = Container("main", (), {"PATH": os.defpath}, "")
        stage.start(stage.pod(worker, name="w-2", init=init))
        await two_hosts(stage, "echo > ready; $RSH w-2 'cat ../init'")
        await stage.word("ready", name="launcher")
        await asyncio.to_thread((stage.folder / "w-2" / "work" / "never").write_text, "")
        await stage.until(Exited, uid="uid-launcher")
        return stage.log(name="launcher")

    assert play(scenario) == "done\n"


def test_when_an_agent_dies_its_command_dies_with_all_it_started(play):
    async def scenario(stage):
        sleep = f"sleep {stage.unique}"
        both = f'until [ "$(pgrep -fxc "{sleep}")" = 2 ]; do :; done'
        remote = f"setsid {sleep} & {sleep} & {both}; echo > ready; wait"
        await two_hosts(stage, f"$RSH w-1 '{remote}' & read x < never; kill -9 $!; read x < never")
        await stage.word("ready", name="w-1")
        never = stage.folder / "launcher" / "work" / "never"
        await asyncio.to_thread(never.write_text, "\n")
        gone = f"while pgrep -fx '{sleep}' > /dev/null; do :; done"
        stage.runtime.execute("uid-w-1", ("sh", "-c", gone), name="look")
        await stage.until(Executed)
        return stage.sleepers()

    assert play(scenario) == 0


def test_a_command_ends_with_its_hosts_pod(play):
    async def scenario(stage):
        sleep = f"sleep {stage.unique}"
        await two_hosts(stage, f"$RSH w-1 'echo > ready; {sleep}'; echo ended $?")
        await stage.word("ready", name="w-1")
        stage.runtime.stop("uid-w-1", grace_s=0.0)
        await stage.until(Gone, uid="uid-w-1")
        left = stage.sleepers()
        await stage.until(Exited, uid="uid-launcher")
        return left, stage.log(name="launcher").splitlines()[-1].split()[0]

    assert play(scenario) == (0, "ended")


def test_sixty_four_agents_at_once_are_all_served(play):
    async def scenario(stage):
        each = "for i in $(seq 64); do $RSH w-1 'echo x; cat > /dev/null' < /dev/null & done; wait"
        said, code = await said_by(stage, each)
        return said.count("x\n"), code

    assert play(scenario) == (64, 0)


def test_an_agent_outside_of_a_job_says_so(play):
    async def scenario(stage):
        env = {"PATH": os.environ["PATH"], "RSH": stage.runtime.agent, "MPIJOB_RSH_FOLDER": ""}
        stage.start(stage.pod(stage.shell("$RSH w-1 true", env=env)))
        await stage.until(Started)
        await stage.until(Exited)
        return stage.log()

    assert "works inside a job's pods only" in play(scenario)
