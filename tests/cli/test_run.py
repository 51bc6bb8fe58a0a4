"""`mpijob run` with launchers that need no MPI, and `logs` of them."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
import yaml

from mpijob.api.new_job import NewJob, manifest
from mpijob.cli import exits, foreground, logs, run, watching
from mpijob.ports import NotFound

MODULES = (foreground, logs, run, watching)
MPIJOB = Path(sys.executable).with_name("mpijob")


def _job(script: str, workers: int = 0, **policy) -> dict:
    """Return a job whose launcher runs a shell script, with workers that do nothing."""
    job = manifest(NewJob(name="pi", command=(), worker_count=max(workers, 1)))
    replicas = job["spec"]["mpiReplicaSpecs"]
    if not workers:
        del replicas["Worker"]
    launcher = replicas["Launcher"]["template"]["spec"]["containers"][0]
    launcher["command"] = ["sh", "-c", script]
    job["spec"]["runPolicy"] |= policy
    return job


def _typed(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process of its own."""
    return subprocess.run([MPIJOB, *words], capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def file(tmp_path):
    """Return what writes a job file."""

    def write(script: str, workers: int = 0, **policy) -> str:
        path = tmp_path / "job.yaml"
        path.write_text(yaml.safe_dump(_job(script, workers, **policy)))
        return str(path)

    return write


def test_the_launchers_output_is_the_commands(mpijob, file):
    answer = mpijob("run", "--pods", "plain", file("printf 'a\\nb'"))
    assert (answer.code, answer.out, answer.err) == (0, "a\nb", "")


def test_the_launchers_code_is_the_commands(mpijob, file):
    answer = mpijob("run", "--pods", "plain", file("exit 7"))
    assert (answer.code, answer.err.splitlines()[0]) == (
        7,
        "error: pi is Failed (BackoffLimitExceeded/Error, exit code 7)",
    )


def test_a_launcher_that_has_used_up_its_retries_leaves_its_own_code(mpijob, tmp_path):
    job = _job("exit 5", backoffLimit=1)
    job["spec"]["mpiReplicaSpecs"]["Launcher"]["restartPolicy"] = "OnFailure"
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    assert mpijob("run", "--pods", "plain", str(tmp_path / "job.yaml")).code == 5


def test_a_launcher_that_cannot_be_started_is_told_of_at_once(home, tmp_path):
    job = _job("true", backoffLimit=6)
    launcher = job["spec"]["mpiReplicaSpecs"]["Launcher"]
    launcher["restartPolicy"] = "OnFailure"
    launcher["template"]["spec"]["containers"][0]["command"] = ["no-such-mpirun"]
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    command = [MPIJOB, "run", "--pods", "plain", str(tmp_path / "job.yaml")]
    with subprocess.Popen(command, stderr=PIPE, text=True) as running:
        # It is tried again and again, later each time, for minutes.
        first = running.stderr.readline()
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    assert re.match(r'note: pod pi-launcher-\w+ .*exec "no-such-mpirun": not found', first)


def test_a_job_starts_in_the_folder_of_its_file(mpijob, file, tmp_path):
    assert mpijob("run", "--pods", "plain", file("pwd")).out == f"{tmp_path}\n"


def test_python_in_a_job_is_the_one_that_mpijob_runs_in(mpijob, file):
    answer = mpijob("run", "--pods", "plain", file("python3 -c 'import sys; print(sys.prefix)'"))
    assert answer.out == f"{sys.prefix}\n"


def test_an_image_is_only_a_name_and_that_is_said(mpijob, tmp_path):
    job = _job("true")
    job["spec"]["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]["containers"][0]["image"] = (
        "pi:1"
    )
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    answer = mpijob("run", "--pods", "plain", str(tmp_path / "job.yaml"))
    assert answer.err == "note: pi:1 is not pulled: the commands run on this machine\n"


def test_quiet_says_nothing(mpijob, file):
    assert mpijob("run", "-q", "--pods", "plain", file("true")).err == ""


def test_a_deadline_is_told_by_its_own_code(mpijob, file):
    path = file("sleep 600", activeDeadlineSeconds=1)
    assert mpijob("run", "--pods", "plain", path).code == exits.TIMED_OUT


def test_what_does_not_fit_waits_and_says_why(mpijob, file, home, tmp_path):
    job = _job("true", workers=1)
    worker = job["spec"]["mpiReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]
    worker["resources"] = {"limits": {"memory": "64Ti"}}
    job["spec"]["runPolicy"]["activeDeadlineSeconds"] = 3
    job["spec"]["launcherCreationPolicy"] = "WaitForWorkersReady"
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    answer = mpijob("run", "--pods", "plain", str(tmp_path / "job.yaml"))
    assert "note: pod pi-worker-0 cannot be scheduled: 0/1 nodes are available" in answer.err


def test_oversubscribe_lets_it_run(mpijob, tmp_path):
    job = _job("true", workers=1)
    worker = job["spec"]["mpiReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]
    worker["resources"] = {"limits": {"memory": "64Ti"}}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    answer = mpijob("run", "--oversubscribe", "--pods", "plain", str(tmp_path / "job.yaml"))
    assert answer.code == exits.OK


def test_a_finished_namesake_makes_room(mpijob, file):
    path = file("true")
    codes = [mpijob("run", "--pods", "plain", path).code for _ in range(2)]
    assert (codes, mpijob("get", "-o", "name").out) == ([0, 0], "mpijob.kubeflow.org/pi\n")


def test_a_namesake_that_has_not_finished_is_in_the_way(mpijob, store, file):
    store.job("pi")
    answer = mpijob("run", "--pods", "plain", file("true"))
    assert (answer.code, answer.err) == (
        exits.CONFLICT,
        (
            "error: there is a job “pi” already, and it is Pending\n"
            "hint: mpijob delete pi, or run this one under another --name\n"
        ),
    )


def test_a_program_whose_name_is_taken_gets_a_number(mpijob, store):
    store.job("true")
    done = _typed("run", "--pods", "plain", "--detach", "--", "true")
    mpijob("delete", "true-2")
    assert done.stdout == "mpijob.kubeflow.org/true-2 created\n"


def test_a_dry_run_prints_the_job_and_makes_none(mpijob):
    words = ("run", "-n", "2", "--slots", "2", "--name", "hi", "--dry-run", "-o", "json")
    found = json.loads(mpijob(*words, "--", "python", "-c", "print()").out)
    assert (found["metadata"], mpijob("get", "-o", "name").out) == ({"name": "hi"}, "")


def test_a_dry_run_of_a_file_prints_the_file(mpijob, file):
    assert yaml.safe_load(mpijob("run", "--dry-run", file("true")).out) == _job("true")


def test_a_job_that_is_handed_on_ends_by_itself(mpijob, file):
    created = _typed("run", "--detach", "--pods", "plain", file("echo hi")).stdout
    waited = mpijob("wait", "pi", "--timeout", "60s").out
    assert (created, waited, mpijob("logs", "pi").out) == (
        "mpijob.kubeflow.org/pi created\n",
        "mpijob.kubeflow.org/pi Succeeded\n",
        "hi\n",
    )


def test_a_job_that_runs_can_be_followed_and_deleted(mpijob, store, file):
    _typed("run", "--detach", "--pods", "plain", file("echo hi; exec sleep 600"))
    mpijob("wait", "pi", "--for", "condition=Running", "--timeout", "60s")
    command = [MPIJOB, "logs", "-f", "pi"]
    with subprocess.Popen(command, stdout=PIPE, text=True) as following:
        line = following.stdout.readline()
        code = mpijob("delete", "pi").code
        rest, _ = following.communicate(timeout=60)
    with pytest.raises(NotFound):
        store.get("pi")
    assert (line, rest, following.returncode, code) == ("hi\n", "", 0, 0)


@pytest.fixture
def printed(mpijob, file):
    """A job whose launcher has printed lines, two of them tagged."""
    mpijob("run", "--pods", "plain", file("echo a; echo '[1,1]<stdout>:b'; echo '[1] c'"))


LOGS = {
    "all of it": ((), "a\n[1,1]<stdout>:b\n[1] c\n"),
    "the last lines": (("--tail", "1"), "[1] c\n"),
    "one rank's": (("--rank", "1"), "b\nc\n"),
    "of the launcher": (("--role", "launcher", "--tail", "1"), "[1] c\n"),
    "all of it, to its end": (("--follow",), "a\n[1,1]<stdout>:b\n[1] c\n"),
}


@pytest.mark.parametrize(("words", "want"), LOGS.values(), ids=LOGS)
def test_logs(mpijob, printed, words, want):
    answer = mpijob("logs", "pi", *words)
    assert (answer.code, answer.out) == (exits.OK, want)


NO_LOGS = {
    "a rank that has no tag": (("pi", "--rank", "7"), exits.FAILED),
    "a worker that was not": (("pi", "--index", "7"), exits.NOT_FOUND),
    "a run before the first": (("pi", "--previous"), exits.NOT_FOUND),
    "a job that is not there": (("tau",), exits.NOT_FOUND),
    "a rank of one worker": (("pi", "--rank", "1", "--index", "0"), exits.INVALID),
    "the host of a rank for which there is no slot": (
        ("pi", "--rank", "99", "--role", "worker"),
        exits.INVALID,
    ),
    "a launcher's index": (("pi", "--index", "1", "--role", "launcher"), exits.INVALID),
}


@pytest.mark.parametrize(("words", "code"), NO_LOGS.values(), ids=NO_LOGS)
def test_logs_that_are_not_there(mpijob, printed, words, code):
    assert mpijob("logs", *words).code == code


SIGNALS = {
    "Ctrl-C": (signal.SIGINT, exits.INTERRUPTED),
    "a request to end": (signal.SIGTERM, exits.TERMINATED),
}


@pytest.mark.parametrize(("number", "code"), SIGNALS.values(), ids=SIGNALS)
def test_a_signal_ends_the_job_with_its_processes(mpijob, file, number, code):
    command = [MPIJOB, "run", "--pods", "plain", file("echo $$$$; exec sleep 600")]
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True) as running:
        launcher = int(running.stdout.readline())
        running.send_signal(number)
        running.communicate(timeout=60)
    state = mpijob("get", "pi", "-o", "wide").out.split()
    gone = not os.path.exists(f"/proc/{launcher}")
    assert (running.returncode, gone, state[-1]) == (code, True, "Interrupted")


def test_a_reader_that_leaves_ends_the_job(mpijob, file):
    path = file("echo a; exec yes")
    line = f"{MPIJOB} run --pods plain {path} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.split() == ["a", "141"]


def test_a_killed_mpijob_is_told_of_by_the_next_command(mpijob, file):
    command = [MPIJOB, "run", "--pods", "plain", file("echo hi; exec sleep 600")]
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE) as running:
        running.stdout.readline()
        running.kill()
        running.communicate(timeout=60)
    assert mpijob("get", "pi", "-o", "wide").out.split()[-1] == "SupervisorLost"
