"""A cluster of two real nodes whose operator runs in it, from its own image, under its own rights.

Tests here use these fixtures: `site`, whose `run` takes jobs and returns what became of them;
`images`, what pods call the images of `RECIPES`; `space`, a namespace for a module's jobs; `told`,
a folder by which pods are told what to do, with the fields of pods that see it; and `calls`, the
cluster as a place for functions.
Where a test fails, its report has the namespaces' jobs, pods and events, and the operator's log.
"""

import fcntl
import sys
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.manifests import user
from harness.order import is_alone, module_name
from harness.recipes import OWN, TOP, Pantry, Recipe
from harness.site import Site
from harness.unavailable import Unavailable
from mpijob.sdk import Cluster

_HERE = Path(__file__).parent / "images"
_EXAMPLE = TOP / "examples" / "debian" / "Containerfile"
_BENCHMARK = TOP / "examples" / "benchmark"
_PI = {"pi.c": TOP / "examples" / "pi" / "pi.c"}
_PROGRAM = Path("scripts/tf_cnn_benchmarks/tf_cnn_benchmarks.py")
_SITE = pytest.StashKey[Site]()


def _kind(name: str, base: str) -> Recipe:
    return Recipe(_HERE / f"{name}.Containerfile", base)


def _pi(base: str, development: str) -> Recipe:
    arguments = {"DEVELOPMENT": development}
    return Recipe(_HERE / "pi.Containerfile", base, files=_PI, arguments=arguments)


#: The images that jobs of these tests run in, beside the project's own.
RECIPES = {
    **OWN,
    "two-packages": _kind("two-packages", "debian:12-slim"),
    "user": _kind("user", "openmpi-5"),
    # Images that set ssh up themselves: our example, and what a manual has users write.
    "sshd-13": Recipe(_EXAMPLE, "debian:13"),
    "manual-11": _kind("manual", "debian:11"),
    "manual-12": _kind("manual", "debian:12"),
    "manual-13": _kind("manual", "debian:13"),
    "tensorflow-benchmarks": Recipe(
        _BENCHMARK / "Containerfile", files={str(_PROGRAM): _BENCHMARK / _PROGRAM}
    ),
    "python": _kind("python", "openmpi-4"),
    "examples-4": _kind("examples", "openmpi-4"),
    "examples-5": _kind("examples", "openmpi-5"),
    "pi-openmpi": _pi("openmpi-5", "libopenmpi-dev"),
    "pi-mpich": _pi("mpich", "libmpich-dev"),
    "pi-intel": Recipe(_HERE / "pi-intel.Containerfile", "intel", files=_PI),
    "locked-root": _kind("locked-root", "openmpi-5"),
}


@pytest.fixture(scope="session")
def site(session_folder: Path, request: pytest.FixtureRequest) -> Site:
    """Return the site. The operator's images are made while the cluster comes up."""
    images = Pantry(RECIPES)
    with ThreadPoolExecutor(1) as beside:
        made = beside.submit(images.provided, ("operator", "kubectl-delivery"))
        cluster = request.getfixturevalue("real_cluster")
        try:
            made.result()
        except Unavailable as lacking:
            pytest.skip(f"no images can be built: {lacking}")
    site = Site(cluster, images)
    request.config.stash[_SITE] = site
    site.install()
    return site


@pytest.fixture(scope="module", autouse=True)
def turn(session_folder: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Have the modules of all processes run beside each other, but those that want to be alone."""
    alone = is_alone(module_name(request.node.nodeid))
    with (session_folder / "turn.lock").open("a") as line:
        fcntl.flock(line, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@pytest.fixture(scope="session")
def images(site: Site) -> Mapping[str, str]:
    """Return what pods call the images, by the names of their recipes."""
    return site.images


@pytest.fixture(scope="module")
def space(site: Site) -> Iterator[str]:
    """Return a namespace for the jobs of one module."""
    with site.space() as name:
        yield name


@pytest.fixture(scope="module")
def every_version(site: Site) -> None:
    """Have the site serve every version, though another module installed as one does by default."""
    site.install()


@pytest.fixture(scope="module")
def told(site: Site, space: str) -> Path:
    """Return a folder that pods look into, and in which a test tells them what to do."""
    folder = Path(site.cluster.folder) / f"{space}-told"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def sees_told(told: Path) -> dict[str, Any]:
    """Return the fields of a person's pods that see that folder, as /told."""
    return {
        "volumes": [{"name": "told", "hostPath": {"path": str(told)}}],
        "containers": [{"volumeMounts": [{"name": "told", "mountPath": "/told"}]}],
        **user(1000),
    }


@pytest.fixture(scope="module")
def calls(site: Site, space: str) -> Cluster:
    """Return the cluster as a place for calls; their folder is a volume of its pods."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the images have Python 3.11, and only its like may send them functions")
    folder = Path(site.cluster.folder) / f"{space}-calls"
    folder.mkdir()
    folder.chmod(0o777)
    return Cluster(
        kubeconfig=site.cluster.kubeconfig,
        namespace=space,
        storage=str(folder),
        volume={"hostPath": {"path": str(folder)}},
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put into the report of a failure what was to be seen at the site."""
    report = yield
    site = item.config.stash.get(_SITE, None)
    if report.failed and site is not None and call.when != "teardown":
        report.sections.append(("site", site.told()))
    return report
