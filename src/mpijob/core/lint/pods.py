"""Images, placeholders and names in the pod templates."""

import re
from collections.abc import Iterator

from mpijob.core.draft import LAUNCHER, WORKER, Draft
from mpijob.core.finding import Finding, advice, error, warning
from mpijob.core.lint.hints import did_you_mean
from mpijob.core.lint.templates import ROLES, Part, main_container, pod_spec

_PLACEHOLDER = re.compile(
    r"(IMAGE|COMMAND|PROGRAM|SCRIPT|NAME|CHANGE[-_]?ME|REPLACE[-_]?ME|FILL[-_]?ME|FIX[-_]?ME|TO[-_]?DO"
    r"|XXX+|(MY|YOUR|THE)[-_](IMAGE|COMMAND|PROGRAM|SCRIPT|REGISTRY|NAME)"
    r"|<[^<>]+>|\{\{.*\}\}|\$\{?(IMAGE|COMMAND)\}?|\.\.\.)",
    re.ASCII,
)
#: A part of a longer text that can only be a placeholder: `example.com/<user>/mpi`.
_HOLE = re.compile(r"<[A-Za-z][A-Za-z0-9 _-]*>|\{\{[^{}]*\}\}|CHANGE_?ME", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)


def pod_findings(draft: Draft) -> Iterator[Finding]:
    """Yield what looks wrong in the templates of both roles."""
    for role in ROLES:
        spec = pod_spec(draft, role)
        if spec is None:
            continue
        yield from _placeholders(spec)
        yield from _names(spec)
        yield from _mounts(spec)
    yield from _different_images(draft)


def _placeholders(spec: Part) -> Iterator[Finding]:
    """Yield what was never filled in."""
    for container in (*spec.parts("initContainers"), *spec.parts("containers")):
        image = container.text("image")
        if not image:
            yield advice(
                f"{container.path}.image",
                "no image is named, which only one machine can do without",
            )
        elif _PLACEHOLDER.fullmatch(image.partition(":")[0].upper()) or _HOLE.search(image):
            yield warning(
                f"{container.path}.image",
                f'"{image}" is a placeholder',
                "Name the image that holds your program.",
            )
        words = (*container.texts("command"), *container.texts("args"))
        for word, path in words:
            if _PLACEHOLDER.fullmatch(word):
                yield warning(path, f'"{word}" is a placeholder', "Name the program to run.")


def _names(spec: Part) -> Iterator[Finding]:
    """Yield names that no pod may have: the job would wait for its pods for ever."""
    named = (
        *spec.parts("initContainers"),
        *spec.parts("containers"),
        *spec.parts("volumes"),
    )
    for part in named:
        name = part.text("name")
        if name and not _LABEL.fullmatch(name):
            yield error(
                f"{part.path}.name",
                f'"{name}" is no DNS label, so that no pod is made',
                "63 lower case letters, digits and dashes at most, a letter or digit at each end.",
            )


def _mounts(spec: Part) -> Iterator[Finding]:
    """Yield mounts of volumes that there are not: no pod is made of them either."""
    volumes = [volume.text("name") for volume in spec.parts("volumes")]
    for container in (*spec.parts("initContainers"), *spec.parts("containers")):
        for mount in container.parts("volumeMounts"):
            name = mount.text("name")
            if name and name not in volumes:
                yield error(
                    f"{mount.path}.name",
                    f'the template has no volume "{name}", so that no pod is made',
                    did_you_mean(name, volumes),
                )


def _different_images(draft: Draft) -> Iterator[Finding]:
    """Yield that launcher and workers run different images, whose MPIs may not get on."""
    launcher, worker = main_container(draft, LAUNCHER), main_container(draft, WORKER)
    if launcher is None or worker is None:
        return
    images = launcher.text("image"), worker.text("image")
    if all(images) and images[0] != images[1]:
        yield warning(
            f"{worker.path}.image",
            f'workers run "{images[1]}", the launcher "{images[0]}"',
            "Both need the same MPI in the same place; one image for both is the safe way.",
        )
