"""The quickstart of the openmpi package's document, typed as it stands, on real nodes.

What a person fills in there is filled in here: the image; and the controller's, which comes from
the tests' own registry.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from harness.person import Person

pytestmark = [
    pytest.mark.slow,  # Containers are made, ten a run.
    pytest.mark.root,
    pytest.mark.timeout(300, func_only=True),
]

#: The document's lines, up to where it looks at what came of them.
QUICKSTART = r"""
# Create a namespace for kubeflow deployment.
NAMESPACE=kubeflow
kubectl create namespace ${NAMESPACE}

# Generate one-time ssh keys used by Open MPI.
SECRET=openmpi-secret
mkdir -p .tmp
yes | ssh-keygen -N "" -f .tmp/id_rsa
kubectl delete secret ${SECRET} -n ${NAMESPACE} || true
kubectl create secret generic ${SECRET} -n ${NAMESPACE} --from-file=id_rsa=.tmp/id_rsa --from-file=id_rsa.pub=.tmp/id_rsa.pub --from-file=authorized_keys=.tmp/id_rsa.pub

VERSION=master

# Initialize a ksonnet app. Set the namespace for it's default environment.
APP_NAME=openmpi
ks init ${APP_NAME}
cd ${APP_NAME}
ks env set default --namespace ${NAMESPACE}

# Install Kubeflow components.
ks registry add kubeflow github.com/kubeflow/kubeflow/tree/${VERSION}/kubeflow
ks pkg install kubeflow/openmpi@${VERSION}

# See the list of supported parameters.
ks prototype describe openmpi

# Generate openmpi components.
COMPONENT=openmpi
WORKERS=4
GPU=0
EXEC="mpiexec -n ${WORKERS} --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root --display-map --tag-output --timestamp-output sh -c 'echo hello world'"
ks generate openmpi ${COMPONENT} --image ${IMAGE} --secret ${SECRET} --workers ${WORKERS} --gpu ${GPU} --exec "${EXEC}"
ks param set ${COMPONENT} controllerImage ${CONTROLLER_IMAGE}

# Deploy to your cluster.
ks apply default

# Inspect the pod status.
kubectl get pod -n ${NAMESPACE} -o wide
"""  # noqa: E501  # Its lines are the document's.
#: kubectl does not wait for a container that is being made; who reads the log types it again.
LOGS = "until kubectl logs -n kubeflow -f openmpi-master 2>/dev/null; do sleep 1; done"
ENDED = (
    "kubectl wait -n kubeflow pod --all --timeout=60s --for=jsonpath='{.status.phase}'=Succeeded"
)
#: Draws keys, and does not draw them again where nobody says that it may.
DRAWN = """
mpijob keys create drawn -n kubeflow
mpijob keys create drawn -n kubeflow 2>&1 || echo "exit $?"
mpijob keys create drawn -n kubeflow --replace
kubectl get secret drawn -n kubeflow -o jsonpath='{.data}' | tr , '\\n' | cut -d '"' -f 2
"""
_STUBS = "/usr/local/cuda-9.0/targets/x86_64-linux/lib/stubs"
#: The document's other command by who expands its variable: the shell in which it is typed, or that
#: of each rank.
STUBS = {
    "printed": r"""EXEC="mpiexec -n ${WORKERS} --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root --display-map --tag-output --timestamp-output sh -c 'LD_LIBRARY_PATH=$LD_LIBRARY_PATH:/usr/local/cuda-9.0/targets/x86_64-linux/lib/stubs python /examples/tensorflow_mnist.py'" """,  # noqa: E501
    "escaped": r"""EXEC="mpiexec -n ${WORKERS} --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root --display-map --tag-output --timestamp-output sh -c 'LD_LIBRARY_PATH=\$LD_LIBRARY_PATH:/usr/local/cuda-9.0/targets/x86_64-linux/lib/stubs python /examples/tensorflow_mnist.py'" """,  # noqa: E501
}
#: What the one who types has there. No rank has it.
TYPED_BEFORE = "WORKERS=4 LD_LIBRARY_PATH=/lib/of/the/client\n"
TYPED_AFTER = r"""
ks generate openmpi stubs --image ${IMAGE} --secret openmpi-secret --workers ${WORKERS} --gpu 0 --exec "${EXEC}"
ks param set stubs controllerImage ${CONTROLLER_IMAGE}
ks apply default -c stubs > /dev/null
kubectl wait -n kubeflow pod -l app=stubs --timeout=180s --for=jsonpath='{.status.phase}'=Succeeded >/dev/null
kubectl logs -n kubeflow stubs-master
ks delete default -c stubs > /dev/null
ks component rm stubs
"""  # noqa: E501
PODS = "/api/v1/namespaces/kubeflow/pods"


@dataclass
class Typed:
    """What came of the quickstart for one image."""

    log: str = ""
    phases: dict[str, str] = field(default_factory=dict)
    left: dict[str, bool] = field(default_factory=dict)
    stubs: dict[str, str] = field(default_factory=dict)
    drawn: str = ""


def _pods(api):
    return {pod["metadata"]["name"]: pod["status"] for pod in api.read(PODS)["items"]}


def _ended_at(status):
    rows = [row["state"]["terminated"] for row in status["containerStatuses"]]
    return max(datetime.fromisoformat(row["finishedAt"]) for row in rows)


def _tail_s(pods):
    """Return how long after the master the last worker ended, in seconds."""
    ends = {name: _ended_at(status) for name, status in pods.items()}
    return (max(ends.values()) - ends["openmpi-master"]).total_seconds()


@pytest.fixture(scope="module", params=["examples-4", "examples-5"])
def typed(site, tmp_path_factory, request):
    """Type the quickstart and what cleans up after it."""
    person = Person(site, tmp_path_factory.mktemp("person"), site.images[request.param])
    typed = Typed()
    with site.api() as api:
        try:
            person.types(QUICKSTART)
            typed.log = person.types(LOGS)
            person.types(ENDED)
            pods = _pods(api)
            typed.phases = {name: status["phase"] for name, status in pods.items()}
            print(f"the last worker ended {_tail_s(pods)} s after the master")  # noqa: T201
            person.types("ks delete default", "openmpi")
            for manner, line in STUBS.items():
                typed.stubs[manner] = person.types(f"{TYPED_BEFORE}{line}{TYPED_AFTER}", "openmpi")
            typed.drawn = person.types(DRAWN)
            listing = "kubectl get pods,services,configmaps,serviceaccounts -n kubeflow -o name"
            typed.left = {
                name: "openmpi" in name
                for name in person.types(
                    f"{listing}; kubectl get clusterrolebindings -o name"
                ).splitlines()
            }
        finally:
            person.types("kubectl delete namespace kubeflow --ignore-not-found")
    return typed


def test_four_workers_greet_each_by_a_rank(typed):
    said = [line for line in typed.log.splitlines() if line.endswith("hello world")]
    assert len(said) == 4, typed.log


def test_every_line_tells_of_its_rank(typed):
    said = [line for line in typed.log.splitlines() if line.endswith("hello world")]
    assert {rank for rank in range(4) for line in said if f",{rank}]" in line} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("manner", "path"), {"printed": f"/lib/of/the/client:{_STUBS}", "escaped": f":{_STUBS}"}.items()
)
def test_a_variable_is_expanded_by_whom_the_command_leaves_it_to(typed, manner, path):
    told = re.findall(r"(\d) (stubs-worker-\d) (\S+)$", typed.stubs[manner], flags=re.MULTILINE)
    assert sorted(told) == [(f"{rank}", f"stubs-worker-{rank}", path) for rank in range(4)]


def test_all_pods_end_well(typed):
    assert typed.phases == {
        "openmpi-master": "Succeeded",
        **{f"openmpi-worker-{index}": "Succeeded" for index in range(4)},
    }


def test_ks_delete_leaves_nothing(typed):
    assert [name for name, ours in typed.left.items() if ours] == []


def test_keys_are_drawn_in_one_command_and_not_over_others(typed):
    lines = typed.drawn.splitlines()
    assert (lines[0], lines[-4:], "exit 4" in lines) == (
        "secret/drawn created",
        ["secret/drawn created", "authorized_keys", "id_rsa", "id_rsa.pub"],
        True,
    )
