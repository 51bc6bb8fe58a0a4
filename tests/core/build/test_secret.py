"""The Secrets, whose keys the shell draws."""

from mpijob.core import build


def test_the_users_keys_are_a_secret_of_kubernetes_own_type(a_job):
    made = build.user_secret(a_job())
    assert (made["metadata"]["name"], made["type"]) == ("pi-ssh", "kubernetes.io/ssh-auth")


def test_the_hosts_keys_have_a_secret_of_their_own(a_job):
    made = build.host_key_secret(a_job())
    assert (made["metadata"]["name"], made["type"]) == ("pi-ssh-host", "Opaque")


def test_no_key_is_in_a_plan(a_job):
    made = (build.user_secret(a_job()), build.host_key_secret(a_job()))
    assert [secret.keys() & {"data", "stringData"} for secret in made] == [set(), set()]
