"""`mpijob ks init`, `env`, `registry`, `pkg` and `script`."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mpijob.cli import exits

URI = "github.com/kubeflow/kubeflow/tree/master/kubeflow"


def test_a_new_application_is_a_folder_of_plain_files(kept):
    assert kept("app.yaml") == {
        "name": "lab",
        "environments": {"default": {"namespace": "default", "context": ""}},
        "registries": {},
        "packages": {},
    }


def test_an_environments_namespace_is_changed(app, kept):
    app("env", "set", "default", "--namespace", "team")
    assert kept("app.yaml")["environments"]["default"]["namespace"] == "team"


@pytest.fixture
def full_disk():
    """A disk that takes no more than a few bytes a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_application_that_cannot_be_written_stays_as_it_was(app, kept, full_disk):
    before = kept("app.yaml"), sorted(os.listdir())
    failed = app("env", "add", "other")
    assert ("cannot be written" in failed.err, (kept("app.yaml"), sorted(os.listdir()))) == (
        True,
        before,
    )


def test_an_application_is_written_where_a_link_leads(app, tmp_path):
    Path("app.yaml").rename(tmp_path / "elsewhere.yaml")
    Path("app.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    app("env", "add", "other")
    told = yaml.safe_load((tmp_path / "elsewhere.yaml").read_text())
    assert (Path("app.yaml").is_symlink(), list(told["environments"])) == (
        True,
        ["default", "other"],
    )


def test_an_environment_is_renamed_in_its_place(app, kept):
    app("env", "add", "other")
    app("env", "set", "default", "--name", "first")
    assert list(kept("app.yaml")["environments"]) == ["first", "other"]


def test_an_environment_is_forgotten(app, kept):
    app("env", "add", "other")
    app("env", "rm", "other")
    assert list(kept("app.yaml")["environments"]) == ["default"]


def test_environments_are_listed(app):
    app("env", "add", "other", "--namespace", "team", "--context", "prod")
    assert app("env", "list").out == (
        "NAME      NAMESPACE   CONTEXT\ndefault   default     -\nother     team        prod\n"
    )


@pytest.mark.parametrize("uri", [URI, f"https://{URI}", "github.com/kubeflow/kubeflow"])
def test_the_registry_of_the_documents_is_noted(app, uri):
    app("registry", "add", "kubeflow", uri)
    assert app("registry", "list").out.split() == ["NAME", "URI", "kubeflow", uri]


WORDS = {
    "with its registry and a version": ("kubeflow/mpi-job@master", "kubeflow/mpi-job", "master"),
    "with its registry": ("kubeflow/mpi-job", "kubeflow/mpi-job", ""),
    "alone": ("mpi-job", "kubeflow/mpi-job", ""),
    "alone with a version": ("mpi-job@v0.5", "kubeflow/mpi-job", "v0.5"),
}


@pytest.mark.parametrize(("word", "name", "version"), WORDS.values(), ids=WORDS)
def test_a_package_is_noted(app, kept, word, name, version):
    app("pkg", "install", word)
    assert kept("app.yaml")["packages"] == {name: version}


def test_packages_are_listed(app):
    app("pkg", "install", "kubeflow/mpi-job@master")
    lines = [line.split() for line in app("pkg", "list").out.splitlines()]
    assert ["kubeflow", "mpi-job", "master", "*"] in lines


def test_an_application_is_found_from_a_folder_within_it(app, monkeypatch):
    monkeypatch.chdir("components")
    assert app("env", "list").code == exits.OK


WRONG = {
    "an application in none": (
        ("env", "set", "staging", "--namespace", "a"),
        exits.INVALID,
        "there is no environment “staging”",
    ),
    "an environment twice": (
        ("env", "add", "default"),
        exits.CONFLICT,
        "`mpijob ks env set default`",
    ),
    "a registry that is not known": (
        ("registry", "add", "incubator", "github.com/ksonnet/parts/tree/master/incubator"),
        exits.INVALID,
        "is no registry that is known",
    ),
    "a package that is not known": (
        ("pkg", "install", "kubeflow/seldon"),
        exits.INVALID,
        "there is no package “seldon”",
    ),
    "a package of a registry that is not known": (
        ("pkg", "install", "incubator/mpi-job"),
        exits.INVALID,
        "there is no registry “incubator”",
    ),
    "a package that is none": (("pkg", "install", "a/b/c"), exits.INVALID, "“a/b/c” is no package"),
    "a command that is not there": (("upgrade",), exits.INVALID, "No such command 'upgrade'"),
    "a name for an application that is none": (
        ("init", "My App"),
        exits.INVALID,
        "“My App” is no name here",
    ),
}


@pytest.mark.parametrize(("words", "code", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(app, words, code, said):
    answer = app(*words)
    assert (answer.code, said in answer.err) == (code, True), answer.err


def test_a_folder_that_is_there_is_left_alone(ks):
    ks("init", "lab")
    assert (ks("init", "lab").code, "lab is there already" in ks("init", "lab").err) == (
        exits.CONFLICT,
        True,
    )


def test_outside_of_an_application_one_is_told_how_to_make_one(ks):
    answer = ks("show", "default")
    assert (answer.code, "`mpijob ks init NAME` makes one" in answer.err) == (exits.INVALID, True)


BROKEN = {
    "no YAML": "name: [",
    "another type": "name: lab\nenvironments: default",
    "nothing": "",
    "no text": "\x00",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_file_that_somebody_broke_is_named(app, text):
    Path("app.yaml").write_text(text)
    answer = app("env", "list")
    assert (answer.code, "app.yaml: " in answer.err) == (exits.INVALID, True)


def _script(ks, folder):
    folder.mkdir()
    assert ks("script", str(folder)).code == exits.OK
    return folder / "ks"


def test_the_script_is_the_command(ks, tmp_path):
    script = _script(ks, tmp_path / "bin")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = subprocess.run(
        [script, "prototype", "list"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert said.stdout == ks("prototype", "list").out


def test_the_script_of_somebody_else_stays(ks, tmp_path):
    script = _script(ks, tmp_path / "bin")
    script.write_text("mine")
    assert (ks("script", str(script.parent)).code, script.read_text()) == (exits.CONFLICT, "mine")


def test_the_script_is_written_over_where_one_says_so(ks, tmp_path):
    script = _script(ks, tmp_path / "bin")
    script.write_text("mine")
    ks("script", str(script.parent), "--force")
    assert script.read_text().startswith("#!/bin/sh\n")
