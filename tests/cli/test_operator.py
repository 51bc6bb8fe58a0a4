"""The operator's command line: mpi-operator's flags, under their names."""

import json
import logging

import pytest
from click.testing import CliRunner

from mpijob.cli import operator

FLAGS = {
    "as Go writes them": (["-namespace", "team"], ["--namespace", "team"]),
    "with an equals sign": (["-namespace=team"], ["--namespace=team"]),
    "as we write them": (["--kube-api-qps", "5"], ["--kube-api-qps", "5"]),
    "klog's switches go": (["-alsologtostderr", "--logtostderr=true"], []),
    "klog's values go with them": (["-v", "4", "-stderrthreshold=INFO"], []),
    "what nobody knows stays, to be refused": (["--surprise"], ["--surprise"]),
}


@pytest.mark.parametrize(("given", "want"), FLAGS.values(), ids=FLAGS)
def test_flags(given, want):
    assert operator._understood(given) == want


def test_every_flag_of_mpi_operator_is_known():
    known = {name for option in operator.command.params for name in option.opts}
    assert {f"--{name}" for name in operator._OWN} <= known


def test_an_unknown_flag_is_refused():
    ended = CliRunner().invoke(operator.command, ["--surprise"])
    assert (ended.exit_code, "--surprise" in ended.output) == (2, True)


def test_a_missing_kubeconfig_is_named(tmp_path):
    ended = CliRunner().invoke(operator.command, ["--kubeConfig", str(tmp_path / "none")])
    assert "none is not there" in ended.output


def record(**more):
    return logging.makeLogRecord({"msg": "looked", "levelname": "INFO", "created": 0.0, **more})


def test_a_log_line_names_its_job():
    line = operator._Text().format(record(job="default/pi"))
    assert line == "1970-01-01T00:00:00.000Z INFO job=default/pi looked"


def test_a_log_object_names_its_job():
    told = json.loads(operator._Json().format(record(job="default/pi")))
    assert (told["job"], told["message"]) == ("default/pi", "looked")
