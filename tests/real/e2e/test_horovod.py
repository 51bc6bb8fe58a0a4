"""The Horovod section of the openmpi package's document, typed; the same as a job; Flyte's task.

Horovod is built from source, for minutes: `make soak` alone runs this. The document's program is
another's; its image has ours where the document's command line looks for it.
"""

import json
import re
from pathlib import Path

import pytest
import yaml

from harness.flyte_jobs import inputs, returned, translated
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
    "flyte-horovod": Recipe(OWN["flyte"].containerfile, files=OWN["flyte"].files),
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
    return Pantry(RECIPES)["horovod"]


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


RINGS = Path(__file__).parent / "tasks" / "rings.py"
#: Writes the template of a task, as flytekit registers it.
REGISTERED = """
import json, sys
from collections import OrderedDict
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.tools.translator import get_serializable
from google.protobuf.json_format import MessageToDict
from rings import fitted

images = ImageConfig(Image("default", *sys.argv[1].rsplit(":", 1)))
settings = SerializationSettings(project="p", domain="d", version="v1", image_config=images)
template = get_serializable(OrderedDict(), settings, fitted).template
json.dump(MessageToDict(template.to_flyte_idl()), sys.stdout)
"""


@pytest.fixture(scope="module")
def flytes(flytekit, every_version, site, space, told):
    """The HorovodJob of a Flyte task, run: its template, what became of it, and its outputs."""
    image = Pantry(RECIPES)["flyte-horovod"]
    path = f"{TOP / 'src'}:{RINGS.parent}"
    template = json.loads(flytekit("-c", REGISTERED, image, PYTHONPATH=path))
    (told / "rings.py").write_text(RINGS.read_text())
    (told / "inputs.pb").write_bytes(inputs({"steps": 40}))
    # The image's own PYTHONPATH is where its project is.
    variables, by_ssh = {"PYTHONPATH": "/told"}, {"mpijob.dev/transport": "ssh"}
    job = translated(template, (space, "f1-n0-0"), (told, told), variables, by_ssh)
    site.submit(space, job)
    run = site.ended(space, "f1-n0-0", limit_s=LIMIT_S)
    return template, run, (told / "outputs.pb").read_bytes()


def test_flytes_horovodrun_discovers_its_hosts(flytes):
    template, run, _ = flytes
    words = template["container"]["args"]
    script = words[words.index("--host-discovery-script") + 1]
    ranks = sorted(re.findall(r"rank (\d) of (\d):", run.output))
    assert (words[0], script, run.end, ranks) == (
        "horovodrun",
        "/etc/mpi/discover_hosts.sh",
        "Succeeded",
        [("0", "2"), ("1", "2")],
    ), run.output


def test_what_its_ranks_learn_together_is_where_flyte_looks_for_it(flytes):
    assert returned(flytes[2]) == pytest.approx(2.0, abs=0.01)


def test_its_workers_run_the_images_sshd_as_root_on_port_22(flytes, site):
    workers = flytes[1].role("worker")
    said = [site.log(pod) for pod in workers]
    assert [
        (pod["spec"]["containers"][0]["args"], "listening on 0.0.0.0 port 22" in log)
        for pod, log in zip(workers, said, strict=True)
    ] == [(["/usr/sbin/sshd", "-De"], True)] * 2
