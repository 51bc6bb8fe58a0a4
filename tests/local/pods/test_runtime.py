"""Pods as processes: what a container is told, what is told of it, and that nothing outlives it."""

import os
import signal

import pytest

from mpijob.local.runtime import Container, Executed, Exited, Gone, RuntimeFailed, Started

ENDS = {
    "a container that ends well": ("exit 0", (0, 0)),
    "a container that ends badly": ("exit 3", (3, 0)),
    "a container that a signal ends": ("kill -9 $$", (137, 9)),
}


@pytest.mark.parametrize(("script", "want"), ENDS.values(), ids=ENDS)
def test_the_end_is_told_of(script, want, play):
    async def scenario(stage):
        stage.start(stage.pod(stage.shell(script)))
        exited = await stage.until(Exited)
        return exited.code, exited.signal

    assert play(scenario) == want


def test_output_and_errors_go_into_one_log_in_order(play):
    async def scenario(stage):
        stage.start(stage.pod(stage.shell("echo one; echo two >&2; echo three")))
        await stage.until(Exited)
        return stage.log()

    assert play(scenario) == "one\ntwo\nthree\n"


def test_a_container_has_its_own_environment_and_nothing_of_the_callers(play, monkeypatch):
    monkeypatch.setenv("CALLERS", "own")

    async def scenario(stage):
        stage.start(stage.pod(stage.shell("env", env={"PATH": os.defpath, "MINE": "a\nb"})))
        await stage.until(Exited)
        names = {line.partition("=")[0] for line in stage.log().splitlines() if "=" in line}
        shells = {"PWD", "SHLVL", "_", "OLDPWD"}
        in_plain_mode = {"LD_PRELOAD", *(name for name in names if "backing" in name)}
        return names - shells - in_plain_mode

    assert play(scenario) == {
        "HOSTNAME", "MINE", "MPIJOB_CONTAINER", "MPIJOB_HOST", "MPIJOB_POD_UID",
        "MPIJOB_RSH_FOLDER", "MPIJOB_RUNTIME", "PATH", "TMPDIR",
    }  # fmt: skip


def test_a_launcher_is_not_told_what_its_mpirun_would_hand_on_to_other_hosts(play):
    async def scenario(stage):
        script = "echo ${MPIJOB_HOST-none} ${OMPI_MCA_btl_sm_backing_directory-none}"
        stage.start(stage.pod(stage.shell(script), launcher=True))
        await stage.until(Exited)
        return stage.log()

    assert play(scenario) == "none none\n"


def test_a_containers_own_preloads_stand_beside_ours(play):
    async def scenario(stage):
        # Libraries that are not there: the loader says so, and goes on.
        env = {"PATH": os.defpath, "LD_PRELOAD": "/own.so", "MPIJOB_PRELOAD": "/mpi.so"}
        stage.start(stage.pod(stage.shell("echo $LD_PRELOAD 2>/dev/null", env=env)))
        await stage.until(Exited)
        return stage.log().splitlines()[-1].split(":")[:2]

    assert play(scenario) == ["/own.so", "/mpi.so"]


def test_a_container_runs_in_its_folder_and_with_the_default_signals(play):
    async def scenario(stage):
        ignored = "grep SigIgn /proc/self/status"
        stage.start(stage.pod(stage.shell(f"pwd; {ignored}", folder="/usr")))
        await stage.until(Exited)
        folder, _, mask = stage.log().split()
        # Of the C library's own signals (32 and on) a process keeps what it was started with.
        return folder, int(mask, 16) & 0x7FFFFFFF

    assert play(scenario) == ("/usr", 0)


def test_init_containers_run_in_order_before_the_others(play):
    async def scenario(stage):
        names = ("first", "second")
        init = tuple(stage.shell(f"echo {name} >> ../order", name=name) for name in names)
        stage.start(stage.pod(stage.shell("echo main >> ../order"), init=init))
        await stage.until(Exited, container="main")
        return (stage.folder / "w-0" / "order").read_text().split()

    assert play(scenario) == ["first", "second", "main"]


def test_a_failed_init_container_holds_the_pod_until_it_is_run_again_and_succeeds(play):
    async def scenario(stage):
        script = "test -e ../done || { touch ../done; exit 1; }"
        stage.start(stage.pod(stage.shell("true"), init=(stage.shell(script, name="setup"),)))
        first = await stage.until(Exited, container="setup")
        stage.runtime.run("uid-w-0", "setup", log=str(stage.folder / "w-0" / "again"))
        await stage.until(Exited, container="main")
        started = [e.container for e in stage.told if isinstance(e, Started)]
        return first.code, started

    assert play(scenario) == (1, ["setup", "setup", "main"])


FAILURES = {
    "a program that is not there": (("no-such-program",), "", 127, 'exec "no-such-program"'),
    "a file that may not be run": (("/etc/passwd",), "", 126, "Permission denied"),
    "a working directory that is not there": (("true",), "/no/such", 127, '"/no/such"'),
}


@pytest.mark.parametrize(("argv", "folder", "code", "words"), FAILURES.values(), ids=FAILURES)
def test_what_cannot_start_says_why(argv, folder, code, words, play):
    async def scenario(stage):
        container = Container("main", argv, {"PATH": os.defpath}, folder or "/")
        stage.start(stage.pod(container))
        return await stage.until(Exited)

    exited = play(scenario)
    assert (exited.code, words in exited.message) == (code, True)


def test_a_container_without_a_program_runs_until_it_is_stopped(play):
    async def scenario(stage):
        stage.start(stage.pod(Container("main", ())))
        await stage.until(Started)
        stage.runtime.stop("uid-w-0", grace_s=30.0)
        await stage.until(Gone)
        return [type(event).__name__ for event in stage.told]

    assert play(scenario) == ["Created", "Started", "Exited", "Gone"]


def test_a_stopped_container_may_clean_up(play):
    async def scenario(stage):
        script = "trap 'echo cleaned; exit 5' TERM; echo > ready; while :; do read x < never; done"
        stage.start(stage.pod(stage.shell(script)))
        await stage.word("ready")
        stage.runtime.stop("uid-w-0", grace_s=60.0)
        return (await stage.until(Exited)).code, stage.log().splitlines()[-1]

    assert play(scenario) == (5, "cleaned")


def test_a_container_that_ignores_sigterm_is_killed_after_its_grace(play):
    async def scenario(stage):
        script = "trap '' TERM; echo > ready; while :; do read x < never; done"
        stage.start(stage.pod(stage.shell(script)))
        await stage.word("ready")
        stage.runtime.stop("uid-w-0", grace_s=0.2)
        exited = await stage.until(Exited)
        await stage.until(Gone)
        return exited.signal

    assert play(scenario) == signal.SIGKILL


def test_what_a_container_left_running_is_gone_when_its_end_is_told(play):
    async def scenario(stage):
        # A daemon of the thorough kind: a session of its own, and nothing of its environment.
        script = f"setsid env -i sleep {stage.unique} & setsid sleep {stage.unique} &"
        wait = f"while test $(pgrep -cfx 'sleep {stage.unique}') -lt 2; do :; done"
        stage.start(stage.pod(stage.shell(f"{script} {wait}")))
        await stage.until(Exited)
        return stage.sleepers()

    assert play(scenario) == 0


def test_a_command_beside_the_containers_has_their_environment_and_its_end_is_told(play):
    async def scenario(stage):
        stage.start(stage.pod(Container("main", (), {"PATH": os.defpath, "MINE": "yes"})))
        await stage.until(Started)
        log = str(stage.folder / "w-0" / "probe")
        argv = ("sh", "-c", "echo $MINE; exit 4")
        stage.runtime.execute("uid-w-0", argv, name="probe-1", log=log)
        executed = await stage.until(Executed)
        return executed.name, executed.code, stage.log("probe")

    assert play(scenario) == ("probe-1", 4, "yes\n")


def test_two_pods_live_their_own_lives(play):
    async def scenario(stage):
        stage.start(stage.pod(stage.shell("exit 1"), name="w-0"))
        stage.start(stage.pod(Container("main", ()), name="w-1"))
        await stage.until(Exited, uid="uid-w-0")
        stage.runtime.stop("uid-w-1", grace_s=1.0)
        await stage.until(Gone, uid="uid-w-1")
        return [e.uid for e in stage.told if isinstance(e, Gone)]

    assert play(scenario) == ["uid-w-1"]


def test_closing_ends_every_process_of_every_pod(play):
    async def scenario(stage):
        for name in ("w-0", "w-1"):
            script = f"sleep {stage.unique} & exec sleep {stage.unique}"
            stage.start(stage.pod(stage.shell(script), name=name))
            await stage.until(Started, uid=f"uid-{name}")
        await stage.runtime.close()
        return stage.sleepers()

    assert play(scenario) == 0


def test_closing_leaves_no_folder_of_the_runtime(play):
    async def scenario(stage):
        stage.start(stage.pod(Container("main", ())))
        await stage.until(Started)
        await stage.runtime.close()
        return stage.runtime.run_folder, stage.runtime.shm_folder

    assert [folder for folder in play(scenario) if os.path.exists(folder)] == []


@pytest.mark.root
def test_a_container_runs_as_the_user_it_names(play):
    if os.geteuid() != 0:
        pytest.skip("only root may run a container as another user")

    async def scenario(stage):
        container = stage.shell("id -u; id -g; id -G", uid=1234, gid=2345, groups=(2345, 77))
        stage.start(stage.pod(container))
        await stage.until(Exited)
        return stage.log().split()

    assert play(scenario) == ["1234", "2345", "2345", "77"]


def test_an_unknown_way_to_run_pods_is_refused_by_name(launched):
    with pytest.raises(RuntimeFailed, match='"vm" is no way to run pods'):
        launched(mode="vm")
