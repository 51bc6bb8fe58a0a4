#!/usr/bin/env python3
"""Writes deploy/: manifests, kustomize bases and a Helm chart, from what `mpijob install` applies.

With a folder as its argument it writes there instead; a test compares the two.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mpijob import __version__
from mpijob.cli.render.document import as_yaml, as_yaml_stream
from mpijob.core.job import Manifest
from mpijob.core.version import Version
from mpijob.generate.operator import installation, own, shared
from mpijob.generate.rights import operator_rights
from mpijob.generate.settings import IMAGE, Installation
from mpijob.generate.workload import deployment, jobs_policy, surroundings

_HEAD = "# Written by tools/deploy.py.\n"
#: Words that stand for a chart's values while its templates are written.
_SPACE, _WATCHED, _GANG = "RELEASE-NAMESPACE", "WATCHED-NAMESPACE", "GANG-SCHEDULER"
_DOMAIN, _IMAGE, _REPLICAS = "CLUSTER-DOMAIN", "CHART-IMAGE", 7
_CO_SCHEDULING = "scheduling.x-k8s.io"
_IN_CHART = {
    _SPACE: "{{ .Release.Namespace }}",
    _WATCHED: "{{ .Values.watchNamespace }}",
    _GANG: "{{ .Values.gangScheduling }}",
    _DOMAIN: "{{ .Values.clusterDomain }}",
    _IMAGE: '"{{ .Values.image }}"',
    _CO_SCHEDULING: '{{ eq .Values.gangScheduling "volcano" | ternary "scheduling.volcano.sh" '
    f'"{_CO_SCHEDULING}" }}}}',
    f"replicas: {_REPLICAS}": "replicas: {{ .Values.replicas }}",
    "managed-by: mpijob": "managed-by: {{ .Release.Service }}",
}
#: What is there only where a value says so: objects by KIND/NAME, flags, and a rule of a role.
_WATCHES = ".Values.watchNamespace"
_OPTIONAL = {
    "mpijob-operator-priorities": ".Values.gangScheduling",
    "NetworkPolicy/": ".Values.networkPolicy",
    "NetworkPolicy/mpijob-jobs": _WATCHES,
}
_FLAGS = {
    "namespace": "watchNamespace",
    "gang-scheduling": "gangScheduling",
    "cluster-domain": "clusterDomain",
}
_GANG_RULE = re.compile(rf"^(- apiGroups:\n  - {_CO_SCHEDULING}\n(?:  .*\n)+)", re.MULTILINE)
_VALUES = f"""\
# The operator's image.
image: {IMAGE}
# How many operators stand ready; one of them acts.
replicas: 2
# The only namespace to look after; all of them where it is empty.
watchNamespace: ""
# "volcano", or the name of a scheduler with the scheduler-plugins' co-scheduling.
gangScheduling: ""
# The cluster's DNS domain, for host files.
clusterDomain: ""
# Whether to say who may reach the operator.
networkPolicy: true
"""


def documents() -> Iterator[tuple[str, str]]:
    """Yield the path below deploy/ and the text of every file."""
    chosen = Installation()
    crd, *roles = shared(chosen)
    yield "crd/mpijobs.yaml", _definition(crd)
    yield "crd/kustomization.yaml", _kustomization("mpijobs.yaml")
    [old, *_] = shared(Installation(served=(Version.V1ALPHA2.value,)))
    yield "crd/crd-v1alpha2.yaml", _definition(old)
    [space, *_] = installation(chosen)
    # kubectl reads a folder's files in the order of their names, and no folder below it.
    yield "1-namespace.yaml", _HEAD + as_yaml(space)
    yield "2-rbac.yaml", _HEAD + as_yaml_stream([*roles, *operator_rights(chosen)])
    running = [deployment(chosen), *surroundings(chosen)]
    yield "3-mpi-operator.yaml", _HEAD + as_yaml_stream(running)
    yield "operator/operator.yaml", _HEAD + as_yaml_stream([space, *roles, *own(chosen)])
    yield "operator/kustomization.yaml", _kustomization("operator.yaml")
    yield "all/kustomization.yaml", _kustomization("../crd", "../operator")
    yield "jobs-network-policy/policy.yaml", _HEAD + as_yaml(jobs_policy())
    yield "jobs-network-policy/kustomization.yaml", _kustomization("policy.yaml")
    yield "helm/Chart.yaml", _HEAD + as_yaml(_chart())
    yield "helm/values.yaml", _HEAD + _VALUES
    yield "helm/templates/operator.yaml", _HEAD + _template(roles)


def _definition(crd: Manifest) -> str:
    """Return a definition as JSON, which is YAML: a line a field would be three times as long."""
    return _HEAD + json.dumps(crd, separators=(",", ":")) + "\n"


def _kustomization(*resources: str) -> str:
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    return _HEAD + as_yaml({**head, "resources": list(resources)})


def _chart() -> dict[str, Any]:
    return {
        "apiVersion": "v2",
        "name": "mpijob",
        "description": "The operator for MPIJobs.",
        "type": "application",
        "version": __version__,
        "appVersion": __version__,
        "kubeVersion": ">=1.29.0-0",
    }


def _template(roles: Iterable[Manifest]) -> str:
    """Return the objects of the chart.

    Rights are written for all namespaces and for one; what comes with gang scheduling, and what may
    be left out, stands in conditions.
    """
    rights = [
        f"{{{{- if {wanted} }}}}\n{_objects(_rights(watched))}{{{{- end }}}}\n"
        for watched, wanted in (("", "not .Values.watchNamespace"), (_WATCHED, _WATCHES))
    ]
    chosen = _chosen(_WATCHED)
    rest = [deployment(chosen), *surroundings(chosen)]
    text = "".join((as_yaml_stream(list(roles)), *rights, _objects(rest)))
    text = _GANG_RULE.sub(r"{{- if .Values.gangScheduling }}\n\1{{- end }}\n", text)
    for flag, value in _FLAGS.items():
        line = re.compile(rf"^( *- --{flag}=.*\n)", re.MULTILINE)
        text = line.sub(rf"{{{{- if .Values.{value} }}}}\n\1{{{{- end }}}}\n", text)
    for word, value in _IN_CHART.items():
        text = text.replace(word, value)
    return text


def _chosen(watched: str) -> Installation:
    return Installation(
        namespace=_SPACE,
        watched=watched,
        image=_IMAGE,
        replicas=_REPLICAS,
        gang=_GANG,
        cluster_domain=_DOMAIN,
    )


def _rights(watched: str) -> list[Manifest]:
    return list(operator_rights(_chosen(watched)))


def _objects(manifests: Iterable[Manifest]) -> str:
    """Return the objects as a stream, some of them only where they are wanted."""
    texts = []
    for manifest in manifests:
        text = as_yaml_stream([manifest])
        for name, wanted in _OPTIONAL.items():
            if name in f"{manifest['kind']}/{manifest['metadata']['name']}":
                text = f"{{{{- if {wanted} }}}}\n{text}{{{{- end }}}}\n"
        texts.append(text)
    return "".join(texts)


def main() -> None:
    """Write every file below the folder that is named, or below deploy/."""
    root = Path(__file__).parents[1] / "deploy"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else root
    for name, text in documents():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    # One definition for both: Helm follows the link.
    link = folder / "helm" / "crds" / "mpijobs.yaml"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to("../../crd/mpijobs.yaml")


if __name__ == "__main__":
    main()
