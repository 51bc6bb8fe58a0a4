"""A function as the template that Flyte registers. What flytekit makes: test_plugin_parity.py."""

from datetime import datetime

import pytest

from mpijob.flyte import serialize
from mpijob.sdk import MPIJob, Resources, task

TWO = MPIJob(num_workers=2, num_launcher_replicas=1)


@task(
    task_config=TWO,
    requests=Resources(cpu="1"),
    retries=3,
    cache=True,
    cache_version="0.5",
    timeout=60,
    environment={"MODE": "fast"},
    container_image="example.com/train:1",
)
def fit(steps: int, rates: dict[str, list[float]], since: datetime) -> bool:
    """Return whether it went well."""
    return True


def test_a_task_of_the_sdk_is_a_template():
    made = serialize.of(fit, project="p", domain="d", version="v2")
    container = made["container"]
    assert (made["id"]["version"], made["metadata"], container["image"], container["env"]) == (
        "v2",
        {
            "retries": {"retries": 3},
            "timeout": "60s",
            "discoverable": True,
            "discoveryVersion": "0.5",
        },
        "example.com/train:1",
        [{"key": "MODE", "value": "fast"}],
    )


def test_types_are_flytes():
    rows = serialize.of(fit)["interface"]["inputs"]["variables"]
    assert {name: row["type"] for name, row in rows.items()} == {
        "steps": {"simple": "INTEGER"},
        "rates": {"mapValueType": {"collectionType": {"simple": "FLOAT"}}},
        "since": {"simple": "DATETIME"},
    }


def test_what_returns_nothing_has_no_outputs():
    @task(task_config=TWO)
    def idle() -> None:
        pass

    assert serialize.of(idle, image="i")["interface"] == {"inputs": {}, "outputs": {}}


def test_a_type_that_flyte_lacks_is_told_with_its_place():
    @task(task_config=TWO)
    def odd(value: set[int]) -> None:
        pass

    with pytest.raises(TypeError, match=r"value of .*odd: set\[int\] is none of int, float"):
        serialize.of(odd)
