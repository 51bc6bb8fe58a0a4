"""The objects of an application's components, as an environment has them."""

from collections.abc import Sequence

from mpijob.api.crd import NAME as DEFINITION_NAME
from mpijob.cli import exits
from mpijob.cli.ks.app import Component, Environment, Folder
from mpijob.cli.parameter_input import prototype_called, told_of
from mpijob.cli.trouble import Trouble
from mpijob.core.job import Manifest
from mpijob.core.version import Version
from mpijob.generate.prototype import Setting


def checked(component: Component, where: str = "") -> None:
    """Raise Trouble where a component's parameters make nothing."""
    rendered(component, Environment(), where)


def rendered(component: Component, environment: Environment, where: str = "") -> list[Manifest]:
    """Return a component's objects: jobs in v1alpha1, as the packages wrote them.

    Raises:
        Trouble: Its parameters make nothing; it names the file `where` they stand.

    """
    prototype = prototype_called(component.prototype)
    setting = Setting(environment.namespace, Version.V1ALPHA1)
    with told_of(prototype, where):
        return prototype.manifests(component.parameters, setting)


def objects(folder: Folder, environment: Environment, names: Sequence[str]) -> list[Manifest]:
    """Return the objects of the components of these names, of all where there are none.

    Definitions come first: the jobs of one component may be of the kind that another defines.
    """
    chosen = names or folder.components
    if not chosen:
        hint = "`mpijob ks generate PROTOTYPE NAME` makes one"
        raise Trouble("the application has no components", hint=hint, code=exits.INVALID)
    made = [
        manifest
        for name in dict.fromkeys(chosen)
        for manifest in rendered(
            folder.component_in(name, environment), environment, str(folder.file(name))
        )
    ]
    return sorted(made, key=lambda each: each["metadata"]["name"] != DEFINITION_NAME)
