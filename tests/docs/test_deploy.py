"""deploy/ is what the tool writes, and the chart makes what `mpijob install` applies."""

import re
import subprocess
import sys

import pytest
import yaml

from mpijob.generate.operator import installation, own, shared
from mpijob.generate.settings import IMAGE, Installation


def _texts(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "README.md"
    }


def test_the_folder_is_what_the_tool_writes(root, tmp_path):
    tool = [sys.executable, str(root / "tools" / "deploy.py"), str(tmp_path)]
    subprocess.run(tool, check=True, timeout=60)
    assert _texts(tmp_path) == _texts(root / "deploy")


def _documents(*paths):
    return [made for path in paths for made in yaml.load_all(path.read_text(), yaml.CSafeLoader)]


def test_the_files_for_kubectl_make_what_is_installed_in_that_order(root):
    made = _documents(*sorted((root / "deploy").glob("*.yaml")))
    _, *wanted = (each for each in installation(Installation()) if each["kind"] != DEFINITION)
    assert (made[0]["kind"], made[1:]) == ("Namespace", wanted)


def test_the_definition_of_the_old_documents_serves_v1alpha2_alone(root):
    [made] = _documents(root / "deploy" / "crd" / "crd-v1alpha2.yaml")
    versions = {row["name"]: (row["served"], row["storage"]) for row in made["spec"]["versions"]}
    assert versions == {"v2beta1": (False, True), "v1alpha2": (True, False)}


DEFINITION = "CustomResourceDefinition"

# As much of Go's templates as the chart uses.


def _value(expression, values):
    """What an expression of the chart stands for."""
    expression = expression.strip()
    if expression.startswith("not "):
        return not _value(expression[4:], values)
    if expression.startswith("eq "):
        choice = re.fullmatch(r'eq (\S+) "(\S+)" \| ternary "(\S+)" "(\S+)"', expression)
        return choice[3] if _value(choice[1], values) == choice[2] else choice[4]
    return values[expression]


def _rendered(text, values):
    """The documents that a template makes of values."""
    kept, wanted = [], []
    for line in text.splitlines():
        control = re.fullmatch(r"\{\{- (if|end) ?(.*)\}\}", line)
        if control and control[1] == "if":
            wanted.append(bool(_value(control[2], values)))
        elif control:
            wanted.pop()
        elif all(wanted):
            kept.append(re.sub(r"\{\{(.*?)\}\}", lambda m: str(_value(m[1], values)), line))
    return [document for document in yaml.load_all("\n".join(kept), yaml.CSafeLoader) if document]


CASES = {
    "as it comes": Installation(),
    "one namespace": Installation(watched="team"),
    "Volcano": Installation(gang="volcano"),
    "another scheduler, in one namespace": Installation(watched="team", gang="my-scheduler"),
    "no network policies": Installation(watched="team", network_policies=False),
    "much else": Installation("lab", image="mine:2", replicas=1, cluster_domain="example.org"),
}


@pytest.mark.parametrize("chosen", CASES.values(), ids=CASES)
def test_the_chart_makes_what_is_installed(root, chosen):
    values = {
        ".Release.Namespace": chosen.namespace,
        ".Release.Service": "mpijob",
        ".Values.image": chosen.image,
        ".Values.replicas": chosen.replicas,
        ".Values.watchNamespace": chosen.watched,
        ".Values.gangScheduling": chosen.gang,
        ".Values.clusterDomain": chosen.cluster_domain,
        ".Values.networkPolicy": chosen.network_policies,
    }
    template = (root / "deploy" / "helm" / "templates" / "operator.yaml").read_text()
    assert _by_name(_rendered(template, values)) == _by_name([*shared(chosen), *own(chosen)][1:])


def _by_name(manifests):
    return {(made["kind"], made["metadata"]["name"]): made for made in manifests}


def test_the_chart_has_a_value_for_all_that_its_template_asks(root):
    helm = root / "deploy" / "helm"
    asked = set(re.findall(r"\.Values\.(\w+)", (helm / "templates/operator.yaml").read_text()))
    values = yaml.safe_load((helm / "values.yaml").read_text())
    assert (asked, values["image"]) == (values.keys(), IMAGE)
