"""`mpijob keys`, as far as it asks no cluster."""

from base64 import b64decode

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from mpijob.cli import exits

PRINT = ("keys", "create", "openmpi-secret", "-n", "kubeflow", "--dry-run", "-o", "yaml")


def test_it_prints_the_secret_that_the_documents_commands_make(mpijob):
    made = yaml.safe_load(mpijob(*PRINT).out)
    assert (made["kind"], made["metadata"], sorted(made["data"])) == (
        "Secret",
        {"name": "openmpi-secret", "namespace": "kubeflow"},
        ["authorized_keys", "id_rsa", "id_rsa.pub"],
    )


def test_every_secret_has_keys_of_its_own(mpijob):
    first, second = (yaml.safe_load(mpijob(*PRINT).out)["data"] for _ in range(2))
    assert first["id_rsa"] != second["id_rsa"]


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-p256"])
def test_the_kind_of_the_keys_can_be_chosen(mpijob, kind):
    data = yaml.safe_load(mpijob(*PRINT, "--key-type", kind).out)["data"]
    load_ssh_private_key(b64decode(data["id_rsa"]), None)
    assert kind.partition("-")[0] in b64decode(data["id_rsa.pub"]).decode()


def test_without_a_kubeconfig_it_says_what_it_looked_for(mpijob):
    answer = mpijob("keys", "create", "x", "-n", "y", "--kubeconfig", "/nowhere/config")
    assert (answer.code, "/nowhere/config is not there" in answer.err) == (exits.FAILED, True)
