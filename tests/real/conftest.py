"""A real Kubernetes for the tests in this folder, shared by all processes of a test session."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from harness.api import Api
from harness.cluster import Cluster
from harness.control_plane import ControlPlane
from harness.fake_site import FakeSite, define, fake_site
from harness.images import Builder
from harness.leftovers import lasting_leftovers
from harness.order import is_alone, module_name, turn
from harness.own_operator import MPIJOB, own_operator
from harness.processes import Process
from harness.shape import Shape
from harness.supervisor import shared
from harness.unavailable import Unavailable
from mpijob.api.crd import definition

HERE = Path(__file__).parent
FAKE_NODE_COUNT = 20
NODE_COUNT = 2
#: What needs real nodes: tests in this folder, and of others those that use one of these fixtures.
ON_NODES = HERE / "e2e"
NODE_FIXTURES = {"real_cluster", "builder"}


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    items: list[pytest.Function],
) -> Generator[None, None, None]:
    """Mark the tests of this folder, and have those that wait longest come first.

    What their fixtures build does not count as their time.
    """
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.real)
            if item.path.is_relative_to(ON_NODES) or NODE_FIXTURES & set(item.fixturenames):
                item.add_marker(pytest.mark.nodes)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(120, func_only=True))

    yield
    items.sort(key=lambda item: turn(module_name(item.nodeid)))


class _ByCluster(LoadScopeScheduling):
    """Gives all tests of a module to one process, and to one all that want the nodes alone."""

    def _split_scope(self, nodeid: str) -> str:
        name = module_name(nodeid)
        return "alone" if is_alone(name) else name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Return who decides which process runs what, in the order in which tests stand here."""
    config.option.loadscopereorder = False
    return _ByCluster(config, log)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session that left something on the machine, once all its processes have ended."""
    base = getattr(session.config, "_tmp_path_factory", None)
    if base is None or "PYTEST_XDIST_WORKER" in os.environ:
        return
    left = lasting_leftovers(base.getbasetemp())
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        shown = "\n".join(left)
        print(f"\nleft on the machine:\n{shown}", file=sys.stderr)  # noqa: T201


@pytest.fixture(scope="session", autouse=True)
def kubectl_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have kubectl keep what it learns of servers here, and not in the home of who runs the tests.

    It knows a server by its address, which one of an earlier session may have had.
    """
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KUBECACHEDIR", str(tmp_path_factory.mktemp("kubectl")))
        yield


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of this test session share; sockets fit into it."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def cluster(session_folder: Path) -> Iterator[Cluster]:
    """Return a control plane with 20 fake nodes."""
    shape = Shape(fake_node_count=FAKE_NODE_COUNT)
    with _on_a_control_plane(), shared(session_folder / "fake", shape) as running:
        yield running


@pytest.fixture(scope="session")
def real_cluster(session_folder: Path) -> Iterator[Cluster]:
    """Return a cluster with two real nodes, on which pods run as processes."""
    try:
        with shared(session_folder / "real", Shape(node_count=NODE_COUNT)) as running:
            yield running
    except Unavailable as lacking:
        pytest.skip(f"no real nodes: {lacking}")


@contextmanager
def _on_a_control_plane() -> Iterator[None]:
    """Skip what cannot have one."""
    try:
        yield
    except Unavailable as lacking:
        pytest.skip(f"no real control plane: {lacking}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeSite]:
    """Return a cluster of a module's own, with fake nodes."""
    with _on_a_control_plane(), fake_site(tmp_path_factory.mktemp("site")) as there:
        yield there


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a control plane of a module's own: without a node, nothing runs."""
    folder = tmp_path_factory.mktemp("bare") / "plane"
    with _on_a_control_plane(), ControlPlane(folder) as running:
        yield running.cluster


@pytest.fixture(scope="module")
def typed(plane: Cluster) -> Callable[..., tuple[int, str, str]]:
    """Return what types a command for that control plane: exit code, output and complaint."""

    def run(*words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*MPIJOB, *words, "--kubeconfig", plane.kubeconfig],
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture(scope="session")
def builder() -> Builder:
    """Return what builds images from Containerfiles."""
    try:
        return Builder()
    except Unavailable as lacking:
        pytest.skip(f"no images can be built: {lacking}")


@pytest.fixture
def api(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Api]:
    """Return a client that may do everything; the audit log knows it by the test's name."""
    with cluster.api(request.node.name) as client:
        yield client


@pytest.fixture(scope="session")
def defined(cluster: Cluster) -> Cluster:
    """Return the cluster, knowing MPIJobs."""
    with cluster.api("test-definitions") as client:
        define(client, definition())
    return cluster


@pytest.fixture
def operator(defined: Cluster, namespace: str, tmp_path: Path) -> Iterator[Process]:
    """Return an operator that looks after the test's namespace."""
    with own_operator(defined, namespace, tmp_path) as running:
        yield running


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """Return a namespace for one test, in which pods can be made; it goes with the test."""
    name = f"t-{secrets.token_hex(4)}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
    api.until(accounts, lambda found: found["metadata"]["name"] == "default")
    yield name
    api.delete(f"/api/v1/namespaces/{name}")
