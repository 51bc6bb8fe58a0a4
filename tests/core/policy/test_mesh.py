"""Whose pods service meshes put their proxies into."""

import pytest
from msgspec.structs import replace

from mpijob.core import build, options
from mpijob.core.config import Config, Transport
from mpijob.core.job import MPIJob
from mpijob.core.transport import Setup
from mpijob.testing import worlds

ISTIO, LINKERD = "sidecar.istio.io/inject", "linkerd.io/inject"
BOTH = ({ISTIO: "false"}, {ISTIO: "false", LINKERD: "disabled"})
NEITHER: tuple[dict[str, str], dict[str, str]] = ({}, {})


def job(labels=None, annotations=None, option=""):
    made = worlds.job(annotations={options.SERVICE_MESH: option} if option else {})
    metadata = {"labels": labels or {}, "annotations": annotations or {}}
    roles = {
        name: replace(role, template={**role.template, "metadata": metadata})
        for name, role in (("launcher", made.launcher), ("worker", made.worker))
    }
    return replace(made, **roles)


def of_mesh(metadata):
    return tuple(
        {key: value for key, value in metadata.get(field, {}).items() if key in (ISTIO, LINKERD)}
        for field in ("labels", "annotations")
    )


DEFAULT, OPEN = Config(), Config(service_mesh=True)
CASES = {
    "by default": (job(), DEFAULT, BOTH),
    "not where the operator lets them in": (job(), OPEN, NEITHER),
    "not where the job lets them in": (job(option="true"), DEFAULT, NEITHER),
    "the job keeps them out, whatever the operator does": (job(option="false"), OPEN, BOTH),
    "an option that says nothing": (job(option="maybe"), DEFAULT, BOTH),
    "a label of the template stands": (
        job({ISTIO: "true"}),
        DEFAULT,
        ({ISTIO: "true"}, {LINKERD: "disabled"}),
    ),
    "an annotation of the template stands, and no label outdoes it": (
        job(annotations={ISTIO: "true", LINKERD: "ingress"}),
        DEFAULT,
        ({}, {ISTIO: "true", LINKERD: "ingress"}),
    ),
    "a template that names a revision wants a proxy": (
        job({"istio.io/rev": "canary"}),
        DEFAULT,
        ({}, {LINKERD: "disabled"}),
    ),
    "there are none on one machine": (job(), Config(transport=Transport.RSH), NEITHER),
}


@pytest.mark.parametrize(("job", "config", "want"), CASES.values(), ids=CASES)
def test_what_keeps_proxies_out(job: MPIJob, config, want):
    worker = build.worker(job, 0, config, Setup.IMAGE)["metadata"]
    launcher = build.launcher(job, config, Setup.IMAGE, suspended=False)["spec"]["template"]
    assert (of_mesh(worker), of_mesh(launcher["metadata"])) == (want, want)


def test_a_resumed_launcher_keeps_them_out_too():
    directives = build.scheduling_directives(job(), DEFAULT, Setup.IMAGE)
    assert of_mesh(directives["metadata"]) == BOTH
