"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler as plain processes."""

import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from harness.api import Api
from harness.authority import Authority, Pair
from harness.binaries import CONTROL_PLANE, provided
from harness.cluster import Cluster, write_kubeconfig
from harness.ports import LOOPBACK, free_port
from harness.processes import Process

SERVICE_CIDR = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
_SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
#: What a test cluster may ask of its server in a second: its own parts are never held back.
_UNHINDERED = ("--kube-api-qps=1000", "--kube-api-burst=2000")
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


class ControlPlane:
    """A Kubernetes without nodes. Used as a context; everything it makes lies in `folder`.

    Nothing listens but on `address`: 127.0.0.1, or that of a bridge of ours where pods have to
    reach the server. Then the address also becomes the endpoint of the `kubernetes` service.
    """

    def __init__(
        self,
        folder: Path,
        *,
        address: str = LOOPBACK,
        has_controllers: bool = True,
        options: Sequence[str] = (),
    ) -> None:
        """Start nothing yet. `options` are further flags of the API server.

        Without controllers there are etcd and the API server alone: nothing changes by itself.
        """
        self.folder = folder
        self.address = address
        self.port = free_port(address)
        self.binaries = provided(CONTROL_PLANE)
        self._has_controllers = has_controllers
        self._options = tuple(options)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.close()

    @property
    def url(self) -> str:
        """The address of the API server."""
        return f"https://{self.address}:{self.port}"

    @property
    def cluster(self) -> Cluster:
        """The description of the cluster for those who use it."""
        return Cluster(
            folder=str(self.folder),
            url=self.url,
            ca=str(self.authority.certificate),
            token=self._token,
            kubeconfig=str(self.folder / "kubeconfig"),
            audit_log=str(self.folder / "audit.log"),
            binaries={name: str(path) for name, path in self.binaries.items()},
        )

    def kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Return a new kubeconfig for a user that shows a client certificate."""
        pair = self.authority.issue(user, groups=groups)
        path = pair.key.with_suffix(".kubeconfig")
        shown = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        return write_kubeconfig(path, url=self.url, ca=self.authority.certificate, user=shown)

    # How it starts.

    def _start(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.authority = Authority(self.folder / "pki")
        self._token = secrets.token_urlsafe(32)
        self._token_key = self.authority.key("service-accounts")
        write_kubeconfig(
            self.folder / "kubeconfig",
            url=self.url,
            ca=self.authority.certificate,
            user={"token": self._token},
        )
        self._run("etcd", self._etcd())
        self.server = self._run("kube-apiserver", self._apiserver())
        with Api(self.url, self.authority.certificate, self._token, agent="harness") as api:
            self.server.wait_until(lambda: api.answers("/readyz"))
            if not self._has_controllers:
                return
            controllers = self._run("kube-controller-manager", self._controllers())
            self._run("kube-scheduler", self._scheduler())
            account = "/api/v1/namespaces/default/serviceaccounts/default"
            controllers.wait_until(lambda: api.answers(account))

    def _run(self, name: str, flags: Sequence[str | Path]) -> Process:
        words = [self.binaries[name], *flags]
        process = Process(name, words, self.folder / f"{name}.log")
        # In the reverse order of their start: the server waits for no watcher that is still there.
        self._running.callback(process.stop)
        return process

    def _etcd(self) -> list[str]:
        """Return flags for a lone etcd on a socket in our folder that never waits for a disk."""
        # Nobody comes by these addresses: a single member speaks to no other.
        peer = f"http://{LOOPBACK}:2380"
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls=unix://{self.folder / 'etcd.sock'}",
            f"--advertise-client-urls=http://{LOOPBACK}:2379",
            f"--listen-peer-urls=http://{LOOPBACK}:0",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _apiserver(self) -> list[str]:
        hosts = (LOOPBACK, SERVICE_ADDRESS, *_SERVER_NAMES)
        serving = self.authority.issue(
            "kube-apiserver", hosts=tuple(dict.fromkeys((self.address, *hosts))), file="apiserver"
        )
        kubelet = self.authority.issue("kube-apiserver-kubelet-client", groups=["system:masters"])
        tokens = self._private("tokens.csv", f'{self._token},admin,admin,"system:masters"\n')
        policy = self._private("audit-policy.yaml", yaml.safe_dump(_AUDIT_POLICY))
        return [
            f"--etcd-servers=unix://{self.folder / 'etcd.sock'}",
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            # A loopback address is refused as an endpoint, and no pod could use it.
            *(["--endpoint-reconciler-type=none"] if self.address == LOOPBACK else []),
            f"--secure-port={self.port}",
            *_served_with(serving),
            f"--client-ca-file={self.authority.certificate}",
            f"--kubelet-client-certificate={kubelet.certificate}",
            f"--kubelet-client-key={kubelet.key}",
            f"--kubelet-certificate-authority={self.authority.certificate}",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={self._token_key}",
            f"--service-account-signing-key-file={self._token_key}",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.folder / 'audit.log'}",
            "--profiling=false",
            # It ends at once: nobody is told to go elsewhere first.
            "--shutdown-delay-duration=0s",
            *self._options,
        ]

    def _controllers(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig('system:kube-controller-manager')}",
            f"--service-account-private-key-file={self._token_key}",
            f"--root-ca-file={self.authority.certificate}",
            "--use-service-account-credentials=true",
            # A node that says nothing is missed sooner than it would be by default.
            "--node-monitor-period=2s",
            "--node-monitor-grace-period=30s",
            "--leader-elect=false",
            "--secure-port=0",
            *_UNHINDERED,
        ]

    def _scheduler(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig('system:kube-scheduler')}",
            "--leader-elect=false",
            "--secure-port=0",
            *_UNHINDERED,
        ]

    def _private(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path


def _served_with(pair: Pair) -> list[str]:
    return [f"--tls-cert-file={pair.certificate}", f"--tls-private-key-file={pair.key}"]
