"""A pod's volumes are folders of this machine, kept as their sources say."""

import os
import stat

import pytest

from mpijob.core.plan import Kind, Ref
from mpijob.local.environment import Place
from mpijob.local.runtime import Mount
from mpijob.local.volumes import MountFailed, Volumes

OPTIONS = Ref(Kind.CONFIG_MAP, "team", "options")


class Shelf:
    """The volumes of a pod, and the objects that they are made of."""

    def __init__(self, folder):
        self.folder = folder
        self.objects = {OPTIONS: {"data": {"size": "small", "colour": "red"}}}

    def place(self, volumes, mounts=()):
        container = {"name": "mpi", "volumeMounts": list(mounts)}
        metadata = {"name": "pi", "namespace": "team", "uid": "1"}
        spec = {"containers": [container], "volumes": volumes}
        return Place({"metadata": metadata, "spec": spec}, self.objects.get)

    def prepared(self, volume, mounts=(), *, namespaced=True):
        place = self.place([{"name": "v", **volume}], mounts)
        volumes = Volumes(self.folder, place, namespaced=namespaced)
        volumes.prepare()
        return volumes

    def mounted(self, volume, namespaced=True, **mount):
        entry = {"name": "v", "mountPath": "/v", **mount}
        volumes = self.prepared(volume, [entry], namespaced=namespaced)
        [(_, found)] = volumes.mounts({"name": "mpi", "volumeMounts": [entry]}, {"WHO": "ada"})
        return found

    def texts(self):
        folder = self.folder / "v"
        names = sorted(name for name in os.listdir(folder) if not name.startswith(".."))
        return {name: (folder / name).read_text() for name in names}


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


def test_a_volume_of_a_config_map_follows_it_all_at_one_moment(shelf):
    volumes = shelf.prepared({"configMap": {"name": "options"}})
    before, link = shelf.texts(), os.readlink(shelf.folder / "v" / "..data")
    shelf.objects[OPTIONS] = {"data": {"size": "large", "shape": "round"}}
    volumes.refresh(shelf.place([]))
    after = shelf.texts()
    left = [name for name in os.listdir(shelf.folder / "v") if name == link]
    assert (before, after, left) == (
        {"colour": "red", "size": "small"},
        {"shape": "round", "size": "large"},
        [],
    )


def test_a_refresh_that_brings_nothing_new_touches_nothing(shelf):
    volumes = shelf.prepared({"configMap": {"name": "options"}})
    before = os.stat(shelf.folder / "v" / "..data")
    volumes.refresh(shelf.place([]))
    assert os.stat(shelf.folder / "v" / "..data") == before


def test_a_config_map_that_is_gone_leaves_the_volume_as_it_was(shelf):
    volumes = shelf.prepared({"configMap": {"name": "options"}})
    del shelf.objects[OPTIONS]
    volumes.refresh(shelf.place([]))
    assert shelf.texts() == {"colour": "red", "size": "small"}


def test_files_have_the_modes_that_the_volume_says(shelf):
    item = {"key": "size", "path": "run.sh", "mode": 0o555}
    shelf.prepared({"configMap": {"name": "options", "items": [item]}})
    assert stat.S_IMODE((shelf.folder / "v" / "run.sh").stat().st_mode) == 0o555


def test_everybody_may_write_to_an_empty_folder(shelf):
    shelf.prepared({"emptyDir": {}})
    assert stat.S_IMODE((shelf.folder / "v").stat().st_mode) == 0o777


MOUNTS = {
    "an empty folder": ({"emptyDir": {}}, {}, Mount("/v", "{v}", private=True)),
    "an empty folder, read only": (
        {"emptyDir": {}},
        {"readOnly": True},
        Mount("/v", "{v}", read_only=True, private=True),
    ),
    "a folder in it": (
        {"emptyDir": {}},
        {"subPath": "a/b"},
        Mount("/v", "{v}/a/b", private=True),
    ),
    "a folder in it, named by a variable": (
        {"emptyDir": {}},
        {"subPathExpr": "of-$(WHO)"},
        Mount("/v", "{v}/of-ada", private=True),
    ),
    "memory": (
        {"emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
        {},
        Mount("/v", tmpfs=True, private=True, size_bytes=64 << 20),
    ),
    "files are for reading": (
        {"configMap": {"name": "options"}},
        {},
        Mount("/v", "{v}", read_only=True, private=True),
    ),
    "a path of the machine": ({"hostPath": {"path": "{tmp}"}}, {}, Mount("/v", "{tmp}")),
}


@pytest.mark.parametrize(("volume", "entry", "want"), MOUNTS.values(), ids=MOUNTS)
def test_a_volume_is_mounted(shelf, volume, entry, want):
    if "hostPath" in volume:
        volume = {"hostPath": {"path": str(shelf.folder)}}
    found = shelf.mounted(volume, **entry)
    source = want.source.replace("{v}", f"{shelf.folder}/v").replace("{tmp}", str(shelf.folder))
    assert found == Mount(
        want.target, source, want.tmpfs, want.read_only, want.private, want.size_bytes
    )


def test_without_mounts_memory_is_a_folder(shelf):
    found = shelf.mounted({"emptyDir": {"medium": "Memory"}}, namespaced=False)
    assert found == Mount("/v", f"{shelf.folder}/v", private=True)


@pytest.mark.parametrize("way_out", ["..", "a/../../..", "/etc"])
def test_no_sub_path_leads_out_of_its_volume(shelf, way_out):
    with pytest.raises(MountFailed, match="leads out of its volume"):
        shelf.mounted({"emptyDir": {}}, subPath=way_out)


def test_a_mount_of_no_volume_is_named(shelf):
    volumes = shelf.prepared({"emptyDir": {}})
    entry = {"name": "w", "mountPath": "/w"}
    with pytest.raises(MountFailed, match='there is no volume "w" for the mount at /w'):
        volumes.mounts({"name": "mpi", "volumeMounts": [entry]}, {})


HOST_PATHS = {
    "a folder where one should be": ("folder", "Directory", ""),
    "a file where one should be": ("file", "File", ""),
    "anything where nothing is said": ("file", "", ""),
    "a folder that is made": ("new", "DirectoryOrCreate", ""),
    "a file that is made": ("new", "FileOrCreate", ""),
    "a file where a folder should be": ("file", "Directory", "is not a directory"),
    "a folder where a file should be": ("folder", "File", "is not a file"),
    "no socket": ("file", "Socket", "is not a socket file"),
    "no device": ("file", "CharDevice", "is not a character device"),
    "nothing": ("none", "", "does not exist on this machine"),
}


@pytest.mark.parametrize(("name", "type_", "want"), HOST_PATHS.values(), ids=HOST_PATHS)
def test_a_path_of_the_machine_is_what_the_volume_says(shelf, name, type_, want):
    (shelf.folder / "folder").mkdir()
    (shelf.folder / "file").touch()
    source = {"path": str(shelf.folder / name), "type": type_}
    if not want:
        shelf.prepared({"hostPath": source})
        return
    with pytest.raises(MountFailed, match=want):
        shelf.prepared({"hostPath": source})
