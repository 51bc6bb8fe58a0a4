"""The Horovod section of the openmpi package's document, typed; and the same training as a job.

The image is built from source, for minutes: `make soak` alone runs this. The document's program is
another's; the image has ours where the document's command line looks for it.
"""

import re
from pathlib import Path

import pytest
import yaml

from harness.person import Person
from harness.recipes import OWN, TOP, Pantry, Recipe

pytestmark = [
    pytest.mark.soak,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.timeout(1200, func_only=True),
]

EXAMPLE = TOP / "examples" / "horovod"
FILES = ("pytorch_digits.py", "requirements.txt")
RECIPES = {
    **OWN,
    "horovod": Recipe(EXAMPLE / "Containerfile", files={name: EXAMPLE / name for name in FILES}),
}
LIMIT_S = 600
#: As the quickstart has it, with the command's place filled in.
BEFORE = r"""
mpijob keys create openmpi-secret -n ${NAMESPACE}
ks init openmpi
cd openmpi
ks env set default --namespace ${NAMESPACE}
WORKERS=4
GPU=0
"""
AFTER = r"""
ks generate openmpi ${COMPONENT} --image ${IMAGE} --secret openmpi-secret --workers ${WORKERS} --gpu ${GPU} --exec "${EXEC}"
ks param set ${COMPONENT} controllerImage ${CONTROLLER_IMAGE}
ks apply default
kubectl wait -n ${NAMESPACE} pod --all --timeout=500s --for=jsonpath='{.status.phase}'=Succeeded >/dev/null
kubectl logs -n ${NAMESPACE} ${COMPONENT}-master
ks delete default >/dev/null
kubectl get -n ${NAMESPACE} pods,services,configmaps -l app=${COMPONENT} -o name
kubectl get clusterrolebindings -l app=${COMPONENT} -o name
"""  # noqa: E501  # Its lines are the document's.
#: The document's lines; and the last once more, for the ranks' shells to expand what it says.
EXECS = {
    "printed": r"""EXEC="mpiexec -n ${WORKERS} --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root --display-map --tag-output --timestamp-output sh -c 'python /examples/tensorflow_mnist.py'" """,  # noqa: E501
    "stubs": r"""EXEC="mpiexec -n ${WORKERS} --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root --display-map --tag-output --timestamp-output sh -c 'LD_LIBRARY_PATH=$LD_LIBRARY_PATH:/usr/local/cuda-9.0/targets/x86_64-linux/lib/stubs python /examples/tensorflow_mnist.py'" """,  # noqa: E501
    "escaped": r"""EXEC="mpiexec -n ${WORKERS} --hostfile /kubeflow/openmpi/assets/hostfile --allow-run-as-root --display-map --tag-output --timestamp-output sh -c 'LD_LIBRARY_PATH=\$LD_LIBRARY_PATH:/usr/local/cuda-9.0/targets/x86_64-linux/lib/stubs python /examples/tensorflow_mnist.py'" """,  # noqa: E501
}


def _learned(said):
    """Return how many ranks there were, the first loss and the last, and the accuracy."""
    losses = [float(found) for found in re.findall(r"epoch \d+  loss ([\d.]+)", said)]
    found = re.search(r"ranks (\d+)  accuracy ([\d.]+)", said)
    assert found, said
    return int(found[1]), losses[0], losses[-1], float(found[2])


@pytest.fixture(scope="module")
def image():
    """What pods call the image."""
    return Pantry(RECIPES).provided(["horovod"])["horovod"]


@pytest.fixture(scope="module", params=EXECS)
def trained(request, site, image, tmp_path_factory):
    """Return what came of a command of the document's, and what was left of it."""
    person = Person(site, tmp_path_factory.mktemp("person"), image)
    with site.space() as space:
        told = f"NAMESPACE={space} COMPONENT={request.param} LD_LIBRARY_PATH=/lib\n"
        line = EXECS[request.param]
        return person.types(f"{told}{BEFORE}{line}{AFTER}", limit_s=LIMIT_S)


def test_four_ranks_learn_together_by_the_documents_command(trained):
    ranks, first, last, accuracy = _learned(trained)
    assert (ranks, last < first / 2, accuracy > 0.9) == (4, True, True), trained


def test_nothing_is_left_of_them(trained):
    left = trained.partition("accuracy ")[2].splitlines()[1:]
    assert [line for line in left if "/" in line] == []


def test_the_same_training_is_a_job_of_the_operators(site, space, image):
    job = yaml.safe_load(Path(EXAMPLE, "horovod.yaml").read_text())
    for role in job["spec"]["mpiReplicaSpecs"].values():
        role["template"]["spec"]["containers"][0]["image"] = image
    site.submit(space, job)
    run = site.ended(space, "horovod", limit_s=LIMIT_S)
    ranks, first, last, accuracy = _learned(run.output)
    assert (run.end, ranks, last < first / 2, accuracy > 0.9) == ("Succeeded", 4, True, True)
