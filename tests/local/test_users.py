"""As whom a container runs on this machine."""

import os
import pwd

import pytest

from mpijob.local.users import User, user_of

CASES = {
    "nothing said": ({}, {}, User(), User()),
    "a user": (
        {"runAsUser": 1000},
        {},
        User(1000, 0),
        User(refused="runs as 7:7, not as 1000:7, which only root could"),
    ),
    "a user and a group": (
        {"runAsUser": 1000, "runAsGroup": 100},
        {},
        User(1000, 100),
        User(refused="runs as 7:7, not as 1000:100, which only root could"),
    ),
    "the container wins over the pod": (
        {"runAsUser": 1000},
        {"runAsUser": 2000},
        User(1000, 0),
        User(refused="runs as 7:7, not as 1000:7, which only root could"),
    ),
    "the pod's user": (
        {},
        {"runAsUser": 2000, "fsGroup": 3, "supplementalGroups": [4]},
        User(2000, 0, (4, 3)),
        User(refused="runs as 7:7, not as 2000:7, which only root could"),
    ),
    "a group alone": (
        {},
        {"fsGroup": 3},
        User(None, 0, (3,)),
        User(),
    ),
    "who one is anyway": (
        {"runAsUser": 7, "runAsGroup": 7},
        {},
        User(7, 7),
        User(),
    ),
}


@pytest.mark.parametrize(("container", "pod", "as_root", "as_other"), CASES.values(), ids=CASES)
def test_root_grants_what_is_asked_and_others_say_what_they_cannot(
    container, pod, as_root, as_other, monkeypatch
):
    manifest = {"spec": {"securityContext": pod}}
    found = []
    for uid in (0, 7):
        monkeypatch.setattr(os, "geteuid", lambda uid=uid: uid)
        monkeypatch.setattr(os, "getegid", lambda uid=uid: uid)
        found.append(user_of({"securityContext": container}, manifest))
    assert found == [as_root, as_other]


def test_a_user_has_the_home_of_its_account():
    account = pwd.getpwnam("daemon")
    assert User(account.pw_uid).environment() == {
        "HOME": account.pw_dir,
        "USER": "daemon",
        "LOGNAME": "daemon",
    }


def test_a_user_without_an_account_has_no_home_of_its_own():
    assert User(54321).environment() == {"HOME": "/", "USER": "54321", "LOGNAME": "54321"}


def test_who_is_not_changed_keeps_their_environment():
    assert User().environment() == {}
