"""A pod's own view of the machine: volumes where its manifest wants them, the rest as it was.

All of it needs namespaces, and says so where there are none.
"""

import os
import pwd
import stat
from pathlib import Path

import pytest

from mpijob.local.runtime import Container, Exited, Gone, Mount, Refused

HOME = pwd.getpwuid(os.geteuid()).pw_dir


@pytest.fixture
def show(refusal, stage_of):
    """Return what a script prints in a pod with mounts; volumes are folders of these files."""
    if refusal:
        pytest.skip(f"pods cannot have mounts of their own here: {refusal}")

    def shown(script, mounts=(), volumes=None, **fields):
        async def scenario(stage):
            for name, text in (volumes or {"volume/file": "content\n"}).items():
                path = stage.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            placed = tuple(
                Mount(
                    mount.target,
                    mount.source and str(stage.folder / mount.source),
                    mount.tmpfs,
                    mount.read_only,
                    mount.private,
                    mount.size_bytes,
                )
                for mount in mounts
            )
            stage.start(stage.pod(stage.shell(script), mounts=placed, **fields))
            ended = await stage.until((Exited, Refused))
            return ended.message if isinstance(ended, Refused) else stage.log()

        return stage_of(scenario, mode="namespaces")

    return shown


TARGETS = {
    "right below the root": "/no-such-folder",
    "deep below the root": "/no-such-folder/a/b",
    "in /etc": "/etc/no-such-mpi",
    "in the home of root": "/root/.no-such-ssh",
    "in the home of a user that is not there": "/home/no-such-user/.ssh",
    "in this user's home": f"{HOME}/.no-such-ssh",
    "over a folder of the machine": "/mnt",
    "below a link": "/var/run/no-such-folder",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_volume_is_at_its_path_and_the_machine_is_as_it_was(target, show):
    parent = next(path for path in Path(target).parents if os.access(path, os.X_OK))
    before = sorted(os.listdir(parent))
    said = show(f"cat {target}/file", (Mount(target, "volume"),))
    assert (said, sorted(os.listdir(parent))) == ("content\n", before)


def test_what_was_there_stays_beside_a_volume_that_is_new(show):
    # Programs, links and files of /etc, and all of the root but what is fresh.
    script = "cat /etc/passwd; ls -d /bin /usr /etc /tmp"
    beside = (Mount("/etc/no-such-mpi", "volume"), Mount("/no-such-folder", "volume"))
    want = Path("/etc/passwd").read_text() + "/bin\n/etc\n/tmp\n/usr\n"
    assert show(script, beside) == want


def test_what_a_program_writes_to_a_folder_of_the_machine_is_there(show, tmp_path):
    tmp_path.joinpath("results").mkdir()
    script = f"echo 42 > {tmp_path}/results/answer"
    show(script, (Mount(f"{tmp_path}/no-such-folder", "volume"), Mount("/no-such", "volume")))
    assert tmp_path.joinpath("results", "answer").read_text() == "42\n"


def test_a_file_alone_can_be_mounted(show):
    mounts = (Mount("/etc/no-such-mpi/hostfile", "volume/file"),)
    assert show("cat /etc/no-such-mpi/hostfile", mounts) == "content\n"


def test_a_file_can_be_mounted_over_a_file(show):
    assert show("cat /etc/passwd", (Mount("/etc/passwd", "volume/file"),)) == "content\n"


def test_a_volume_can_lie_in_a_volume(show):
    mounts = (
        Mount("/no-such-folder/inner", "other"),
        Mount("/no-such-folder", "volume", private=True),
    )
    volumes = {"volume/file": "outer\n", "other/file": "inner\n"}
    script = "cat /no-such-folder/file /no-such-folder/inner/file"
    assert show(script, mounts, volumes) == "outer\ninner\n"


def test_a_volume_in_a_folder_of_the_machine_leaves_no_trace_in_it(show, tmp_path):
    # A hostPath is not the pod's own: no mount point may be made in it.
    mounts = (
        Mount("/no-such-folder", str(tmp_path)),
        Mount("/no-such-folder/inner", "volume"),
    )
    said = show("cat /no-such-folder/inner/file", mounts)
    assert (said, os.listdir(tmp_path)) == ("content\n", [])


def test_a_volume_for_reading_cannot_be_written_to(show):
    script = "echo x > /no-such-folder/file && echo written || echo refused"
    mounts = (Mount("/no-such-folder", "volume", read_only=True),)
    assert show(f"({script}) 2>/dev/null", mounts) == "refused\n"


def test_a_volume_in_memory_has_its_size(show):
    mounts = (Mount("/no-such-folder", tmpfs=True, size_bytes=4 << 20),)
    assert show("stat -f -c '%T %b %S' /no-such-folder", mounts) == "tmpfs 1024 4096\n"


def test_what_the_job_needs_stays_visible_whatever_is_mounted_above_it(show, tmp_path):
    tmp_path.joinpath("kept").write_text("kept\n")
    mounts = (Mount("/tmp", "volume", private=True),)
    script = f"cat {tmp_path}/kept; ls $MPIJOB_RSH_FOLDER | grep -c rsh"
    assert show(script, mounts, keep=(str(tmp_path),)) == "kept\n2\n"


REFUSALS = {
    "a folder over a file": (Mount("/etc/passwd", "volume"), "/etc/passwd: what is there already"),
    "a file over a folder": (Mount("/usr", "volume/file"), "/usr: what is there already"),
    "a folder below a file": (Mount("/etc/passwd/x", "volume"), "/etc/passwd: a file is in the"),
    "a source that is not there": (Mount("/x", "nothing"), "the volume's source is not there"),
}


@pytest.mark.parametrize(("mount", "words"), REFUSALS.values(), ids=REFUSALS)
def test_a_mount_that_cannot_be_is_refused_with_its_path(mount, words, show):
    assert words in show("true", (mount,))


def test_a_refused_pod_is_gone(stage_of, refusal):
    if refusal:
        pytest.skip(f"pods cannot have mounts of their own here: {refusal}")

    async def scenario(stage):
        pod = stage.pod(Container("main", ()), mounts=(Mount("/x", "/no/such/source"),))
        stage.start(pod)
        await stage.until(Gone)
        return [type(event).__name__ for event in stage.told]

    assert stage_of(scenario, mode="namespaces") == ["Refused", "Gone"]


FACTS = {
    "its host name": ("hostname; cat /proc/sys/kernel/hostname", "w-0\nw-0\n"),
    "its processes": ("ls -d /proc/[0-9]* | grep -cE '^/proc/(1|2)$'", "2\n"),
    "empty shared memory": ("ls -A /dev/shm; stat -f -c %T /dev/shm", "tmpfs\n"),
    "its hosts": ("getent hosts pi-worker-9", "127.0.1.9       pi-worker-9\n"),
}


@pytest.mark.parametrize(("script", "want"), FACTS.values(), ids=FACTS)
def test_a_pod_has_of_its_own(script, want, show):
    assert show(script, hosts="127.0.1.9 pi-worker-9\n") == want


def test_a_program_is_the_user_who_started_the_job(show):
    want = f"{os.geteuid()} {os.getegid()}\n"
    assert show("echo $(id -u) $(id -g)") == want


def test_the_skeleton_of_a_folder_has_its_mode(show):
    mode = f"{stat.S_IMODE(os.stat('/tmp').st_mode):o}\n"
    assert show("stat -c %a /tmp", (Mount("/tmp/no-such-folder", "volume"),)) == mode
