"""`mpijob ks generate`, `prototype`, `param`, `component` and `show`."""

from pathlib import Path

import pytest
import yaml

from mpijob.cli import exits


def test_a_component_is_a_file_with_what_was_given(app, kept):
    app("generate", "mpi-job-simple", "bench", "--gpus", "16", "--command", "mpirun,hostname")
    assert kept("components/bench.yaml") == {
        "prototype": "io.ksonnet.pkg.mpi-job-simple",
        "parameters": {"name": "bench", "gpus": 16, "command": "mpirun,hostname"},
    }


def test_use_is_another_word_for_generate(app, kept):
    app("prototype", "use", "mpi-job-simple", "bench")
    assert kept("components/bench.yaml")["parameters"] == {"name": "bench"}


def test_a_name_may_be_another_than_the_components(app, kept):
    app("generate", "mpi-job-simple", "bench", "--name", "other")
    assert kept("components/bench.yaml")["parameters"] == {"name": "other"}


def test_a_file_gives_what_the_words_do_not(app, kept):
    Path("values.yaml").write_text("gpus: 8\nimage: mine:1\n")
    app("generate", "simple", "bench", "--values-file", "values.yaml", "--gpus", "16")
    assert kept("components/bench.yaml")["parameters"] == {
        "name": "bench",
        "gpus": 16,
        "image": "mine:1",
    }


def test_the_objects_of_an_environment_are_in_its_namespace_and_v1alpha1(app):
    app("env", "set", "default", "--namespace", "team")
    app("generate", "mpi-job-simple", "bench", "--gpus", "16")
    [job] = yaml.load_all(app("show", "default").out, yaml.CSafeLoader)
    assert (job["apiVersion"], job["metadata"], job["spec"]["gpus"]) == (
        "kubeflow.org/v1alpha1",
        {"name": "bench", "namespace": "team"},
        16,
    )


def test_the_definition_comes_first_whatever_the_components_are_called(app):
    app("generate", "mpi-job-simple", "a-job")
    app("generate", "mpi-operator", "operator")
    names = app("show", "default", "-o", "name").out.splitlines()
    assert names[0] == "customresourcedefinition.apiextensions.k8s.io/mpijobs.kubeflow.org"


def test_one_component_is_shown_alone(app):
    app("generate", "mpi-job-simple", "a-job")
    app("generate", "mpi-operator", "operator")
    assert app("show", "default", "-c", "a-job", "-o", "name").out == "mpijob.kubeflow.org/a-job\n"


def test_a_parameter_is_changed(app, kept):
    app("generate", "mpi-job-simple", "bench")
    app("param", "set", "bench", "args", "--a,--b=1")
    assert kept("components/bench.yaml")["parameters"] == {"name": "bench", "args": "--a,--b=1"}


def test_an_environment_may_have_a_parameter_otherwise(app):
    app("generate", "mpi-job-simple", "bench", "--gpus", "16")
    app("env", "add", "small", "--namespace", "team")
    app("param", "set", "bench", "gpus", "1", "--env", "small")
    gpus = [
        job["spec"]["gpus"]
        for name in ("default", "small")
        for job in yaml.load_all(app("show", name).out, yaml.CSafeLoader)
    ]
    assert gpus == [16, 1]


def test_what_an_environment_has_otherwise_stands_with_it(app, kept):
    app("generate", "mpi-job-simple", "bench")
    app("param", "set", "bench", "gpus", "2", "--env", "default")
    assert kept("app.yaml")["environments"]["default"] == {
        "namespace": "default",
        "context": "",
        "parameters": {"bench": {"gpus": 2}},
    }


@pytest.mark.parametrize("change", [("--name", "first"), ("--namespace", "team")])
def test_an_environment_that_is_changed_keeps_its_parameters(app, kept, change):
    app("generate", "mpi-job-simple", "bench")
    app("param", "set", "bench", "gpus", "2", "--env", "default")
    app("env", "set", "default", *change)
    [place] = kept("app.yaml")["environments"].values()
    assert place["parameters"] == {"bench": {"gpus": 2}}


def test_a_value_that_is_taken_back_is_the_default(app, kept):
    app("generate", "mpi-job-simple", "bench", "--gpus", "16")
    app("param", "delete", "bench", "gpus")
    assert kept("components/bench.yaml")["parameters"] == {"name": "bench"}


def test_an_environments_value_that_is_taken_back_leaves_that_of_all(app, kept):
    app("generate", "mpi-job-simple", "bench", "--gpus", "16")
    app("param", "set", "bench", "gpus", "2", "--env", "default")
    app("param", "delete", "bench", "gpus", "--env", "default")
    assert (
        "parameters" in kept("app.yaml")["environments"]["default"],
        kept("components/bench.yaml")["parameters"]["gpus"],
    ) == (False, 16)


def test_parameters_are_listed_as_an_environment_has_them(app):
    app("generate", "mpi-job-simple", "bench")
    app("param", "set", "bench", "gpus", "2", "--env", "default")
    listed = [app("param", "list", "bench", *more).out for more in ((), ("--env", "default"))]
    assert [said.splitlines()[2].split() for said in listed] == [
        ["bench", "gpus", "1"],
        ["bench", "gpus", "2"],
    ]


def test_a_component_of_a_module_is_called_by_both(app, kept):
    app("generate", "mpi-job-simple", "bench", "--module", "lab")
    app("param", "set", "lab.bench", "gpus", "2")
    assert (kept("components/lab/bench.yaml")["parameters"], app("component", "list").out) == (
        {"name": "bench", "gpus": 2},
        "COMPONENT   PROTOTYPE\nlab.bench   io.ksonnet.pkg.mpi-job-simple\n",
    )


@pytest.mark.parametrize("root", ["/", ""])
def test_the_root_is_no_module(app, kept, root):
    app("generate", "mpi-job-simple", "bench", f"--module={root}")
    assert kept("components/bench.yaml")["parameters"] == {"name": "bench"}


def test_a_module_may_be_within_another(app):
    app("generate", "mpi-job-simple", "bench", "--module", "/lab/deep/")
    assert app("show", "default", "-c", "lab.deep.bench", "-o", "name").out == (
        "mpijob.kubeflow.org/bench\n"
    )


def test_a_component_that_is_removed_leaves_nothing(app, kept):
    app("generate", "mpi-job-simple", "bench")
    app("param", "set", "bench", "gpus", "2", "--env", "default")
    app("component", "rm", "bench")
    assert (list(Path("components").iterdir()), kept("app.yaml")["environments"]["default"]) == (
        [],
        {"namespace": "default", "context": ""},
    )


def test_parameters_are_listed_with_their_defaults(app):
    app("generate", "mpi-job-custom", "bench", "--replicas", "2")
    lines = [line.split() for line in app("param", "list", "bench").out.splitlines()]
    assert lines[2:4] == [["bench", "replicas", "2"], ["bench", "gpusPerReplica", "1"]]


def test_components_are_listed(app):
    app("generate", "mpi-job-custom", "bench")
    assert app("component", "list").out.splitlines()[1].split() == [
        "bench",
        "io.ksonnet.pkg.mpi-job-custom",
    ]


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_a_prototypes_help_is_its_description(ks, word):
    assert ks("generate", "simple", word).out == ks("prototype", "describe", "simple").out


SIMPLE = ("generate", "mpi-job-simple")
WRONG = {
    "the documents' placeholder": (
        (*SIMPLE, "YOUR_NAME_HERE"),
        "parameter name: “YOUR_NAME_HERE” is no name for an object",
    ),
    "a number in words": ((*SIMPLE, "b", "--gpus", "many"), "“many” is not a whole number"),
    "a number that cannot be": (
        (*SIMPLE, "b", "--gpus", "3"),
        "must be 1, 2, 4 or a multiple of 8",
    ),
    "a parameter of another prototype": (
        (*SIMPLE, "b", "--replicas", "2"),
        "parameter replicas: there is no such parameter",
    ),
    "a misspelled parameter": ((*SIMPLE, "b", "--gpu", "2"), "did you mean gpus?"),
    "a parameter without a value": ((*SIMPLE, "b", "--gpus"), "--gpus has no value"),
    "a word too many": (
        (*SIMPLE, "b", "--command", "mpirun", "hostname"),
        "what to do with hostname?",
    ),
    "no name": (SIMPLE, "which name shall the component have?"),
    "no prototype": (("generate",), "which prototype?"),
    "a flag in place of a prototype": (("generate", "--gpus", "1"), "which prototype?"),
    "a prototype that is not there": (("generate", "cake", "b"), "has “cake” in it; there are"),
    "a part of several prototypes' names": (
        ("generate", "mpi-job", "b"),
        "these have it elsewhere: io.ksonnet.pkg.mpi-job-simple, io.ksonnet.pkg.mpi-job-custom",
    ),
    "a component outside of the application": (
        (*SIMPLE, "../b", "--name", "b"),
        "“../b” is no name here",
    ),
    "a values file that is not there": (
        (*SIMPLE, "b", "--values-file", "no.yaml"),
        "no.yaml: No such",
    ),
    "a component twice": ((*SIMPLE, "there"), "`mpijob ks param set there PARAMETER VALUE`"),
    "a change of no component": (("param", "set", "b", "gpus", "1"), "there is no component “b”"),
    "a change to what cannot be": (("param", "set", "there", "gpus", "3"), "must be 1, 2, 4"),
    "a change of no parameter": (("param", "set", "there", "gpu", "1"), "did you mean gpus?"),
    "a change in no environment": (
        ("param", "set", "there", "gpus", "1", "--env", "prod"),
        "there is no environment “prod”",
    ),
    "a change in an environment to what cannot be": (
        ("param", "set", "there", "gpus", "3", "--env", "default"),
        "must be 1, 2, 4",
    ),
    "a value taken back that nobody gave": (
        ("param", "delete", "there", "gpus"),
        "the parameter gpus of there is not given",
    ),
    "a value taken back that must be given": (
        ("param", "delete", "there", "name"),
        "parameter name: it is missing",
    ),
    "a module outside of the application": (
        (*SIMPLE, "b", "--module", "../.."),
        "“.....” is no name here",
    ),
    "a removal of no component": (("component", "rm", "b"), "there is no component “b”"),
    "no such component": (("show", "default", "-c", "b"), "those known: there"),
    "no such environment": (("apply", "prod"), "there is no environment “prod”"),
    "no cluster": (("apply", "default"), "/nowhere/config is not there"),
    "no cluster to delete from": (("delete", "default"), "/nowhere/config is not there"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_in_words(app, words, said):
    app(*SIMPLE, "there")
    answer = app(*words)
    assert (answer.code in (exits.FAILED, exits.INVALID, exits.CONFLICT), said in answer.err) == (
        True,
        True,
    ), answer.err


def test_what_is_wrong_writes_no_component(app):
    app(*SIMPLE, "bench", "--gpus", "3")
    assert list(Path("components").iterdir()) == []


def test_an_application_without_components_has_nothing_to_apply(app):
    assert "the application has no components" in app("apply", "default").err


def test_a_components_file_that_somebody_broke_is_named(app):
    app(*SIMPLE, "bench")
    Path("components/bench.yaml").write_text("prototype: mpi-job-simple\nparameters: {gpus: 3}\n")
    answer = app("show", "default")
    told = [line.partition("components/")[2] for line in answer.err.splitlines()]
    assert (answer.code, told[0].startswith("bench.yaml: parameter name: it is missing")) == (
        exits.INVALID,
        True,
    ), answer.err
