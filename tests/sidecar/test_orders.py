"""What a controller is told, and what is wrong with that."""

import pytest

from mpijob.generate.openmpi.choices import Transfer
from mpijob.sidecar.orders import Orders, WrongOrders, orders

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
WHO = ("--namespace", "ns", "--master", "x-master")
DOWN = ("--download-data-from", "s3://in/a", "--download-data-to", "a")
UP = ("--upload-data-from", "out", "--upload-data-to", "s3://out/b")


def test_what_is_not_said_has_the_packages_defaults():
    assert orders(WHO, {}) == Orders("ns", "x-master", gpus=0, timeout_s=300)


def test_everything_can_be_said():
    words = (*WHO, "--num-gpus", "2", "--timeout-secs", "9", *DOWN, *UP)
    assert orders(words, KEYS) == Orders(
        "ns", "x-master", 2, 9, Transfer("s3://in/a", "a"), Transfer("out", "s3://out/b")
    )


WRONG = {
    "from without to": (DOWN[:2], KEYS, ["--download-data-to is missing"]),
    "to without from": (UP[2:], KEYS, ["--upload-data-from is missing"]),
    "no keys at all": (
        DOWN,
        {},
        ["AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: not in the environment"],
    ),
    "an empty key": (
        UP,
        {**KEYS, "AWS_SECRET_ACCESS_KEY": ""},
        ["AWS_SECRET_ACCESS_KEY: not in the environment"],
    ),
    "a download from elsewhere": (("--download-data-from", "/a", *DOWN[2:]), KEYS, ["no S3 URI"]),
    "an upload to elsewhere": ((*UP[:3], "gs://a"), KEYS, ["no S3 URI"]),
    "two things at once": (
        (*DOWN[:2], *UP),
        {},
        ["--download-data-to is missing", "AWS_ACCESS_KEY_ID and"],
    ),
}


@pytest.mark.parametrize(("words", "environment", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_done_is_told(words, environment, said):
    with pytest.raises(WrongOrders) as wrong:
        orders((*WHO, *words), environment)
    lines = str(wrong.value).splitlines()
    assert [part in line for part, line in zip(said, lines, strict=True)] == [True] * len(said)


def test_without_data_no_keys_are_needed():
    assert orders(WHO, {}).download is None
