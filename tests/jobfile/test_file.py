"""A job file as JSON with places, and its faults in plain words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpijob.core.finding import Finding, Severity
from mpijob.jobfile import Complaint, Invalid, JobFile, parse, read
from mpijob.jobfile.complaint import Position

HEAD = "apiVersion: kubeflow.org/v2beta1\nkind: MPIJob\n"


def read_text(text):
    return parse((HEAD + text).encode(), "job.yaml")


def complaints(text):
    with pytest.raises(Invalid) as raised:
        parse(text if isinstance(text, bytes) else text.encode(), "job.yaml")
    return [str(complaint) for complaint in raised.value.complaints]


JSON = {
    "block style": ("spec:\n  slotsPerWorker: 2\n", {"spec": {"slotsPerWorker": 2}}),
    "flow style": ("spec: {args: [-n, '2']}\n", {"spec": {"args": ["-n", "2"]}}),
    "quotes make text": ("a: '2'\nb: \"no\"\n", {"a": "2", "b": "no"}),
    "a tag makes text": ("a: !!str 2\nb: ! 2\n", {"a": "2", "b": "2"}),
    "a tag makes a number": ('a: !!int "2"\n', {"a": 2}),
    "nothing is as good as no field": ("a:\nb: [~]\nc: {d: null}\n", {"b": [None], "c": {}}),
    "several lines": ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    "an alias": ("a: &x {b: 1}\nc: *x\n", {"a": {"b": 1}, "c": {"b": 1}}),
    "an anchor that is set anew": (
        "a: &x 1\nb: *x\nc: &x 2\nd: *x\n",
        {"a": 1, "b": 1, "c": 2, "d": 2},
    ),
    "merged keys, the own ones first": (
        "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n",
        {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}},
    ),
    "several merged, the earlier first": (
        "d:\n  <<: [{a: 1}, {a: 2, b: 2}]\n",
        {"d": {"a": 1, "b": 2}},
    ),
    "a quoted << is a key": ('a: {"<<": 1}\n', {"a": {"<<": 1}}),
    "an empty document after it": ("a: 1\n---\n", {"a": 1}),
    "a comment after it": ("a: 1\n---\n# the end\n", {"a": 1}),
}


@pytest.mark.parametrize(("text", "value"), JSON.values(), ids=JSON)
def test_yaml_becomes_json(text, value):
    head = {"apiVersion": "kubeflow.org/v2beta1", "kind": "MPIJob"}
    assert read_text(text).manifest == head | value


def test_a_byte_order_mark_is_no_part_of_the_job():
    assert parse(b"\xef\xbb\xbf" + HEAD.encode(), "job.yaml").manifest["kind"] == "MPIJob"


def test_json_is_yaml():
    text = '{\n\t"apiVersion": "kubeflow.org/v2beta1",\n\t"kind": "MPIJob",\n\t"a": "\\/"\n}'
    assert parse(text.encode(), "job.json").manifest["a"] == "/"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abc<é.0", min_size=1, max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


@given(json_values)
def test_what_json_holds_is_read_as_it_is(value):
    manifest = {"apiVersion": "kubeflow.org/v2beta1", "kind": "MPIJob", "a": value}
    assert parse(json.dumps(manifest).encode(), "job.json").manifest == without_nulls(manifest)


PLACED = """\
spec:
  mpiReplicaSpecs:
    Worker: &w
      replicas: 2
      template:
        metadata:
          labels: {example.com/a: b}
        spec:
          containers:
          - name: mpi
            args: ["-n", 2]
    Launcher: *w
"""
PLACES = {
    "a key": ("spec.mpiReplicaSpecs", (4, 3)),
    "a key of a map": ("spec.mpiReplicaSpecs[Worker].replicas", (6, 7)),
    "the same without brackets": ("spec.mpiReplicaSpecs.Worker.replicas", (6, 7)),
    "an item": (
        "spec.mpiReplicaSpecs[Worker].template.spec.containers[0].args[1]",
        (13, 26),
    ),
    "a key with dots": (
        "spec.mpiReplicaSpecs[Worker].template.metadata.labels[example.com/a]",
        (9, 20),
    ),
    "a missing field is where it would be": ("spec.mpiReplicaSpecs[Worker].restartPolicy", (5, 5)),
    "what an alias holds is where the alias is": (
        "spec.mpiReplicaSpecs[Launcher].replicas",
        (14, 5),
    ),
    "the kind": ("kind", (2, 1)),
}


@pytest.mark.parametrize(("path", "place"), PLACES.values(), ids=PLACES)
def test_every_field_knows_its_place(path, place):
    assert read_text(PLACED).position(path) == Position(*place)


@pytest.mark.parametrize("path", ["", "metadata.name", "...", "[]", "[[["])
def test_a_field_that_is_nowhere_has_no_place(path):
    assert read_text(PLACED).position(path) is None


def test_findings_are_told_in_the_order_of_the_file():
    late = Finding(Severity.ADVICE, "spec.mpiReplicaSpecs[Worker].replicas", "late")
    early = Finding(Severity.ERROR, "spec", "early")
    whole = Finding(Severity.WARNING, "metadata.name", "whole")
    file = read_text(PLACED)
    assert [str(complaint) for complaint in file.complaints([late, early, whole])] == [
        "job.yaml: warning: metadata.name: whole",
        "job.yaml:3:1: error: spec: early",
        "job.yaml:6:7: advice: spec.mpiReplicaSpecs[Worker].replicas: late",
    ]


def test_fields_left_empty_are_remarked_on_but_not_those_that_tools_leave():
    file = read_text("status:\nmetadata: {creationTimestamp: null}\nspec:\n  args:\n")
    assert [str(complaint) for complaint in file.complaints(file.remarks)] == [
        "job.yaml:6:3: warning: spec.args: nothing is given here, which a cluster may refuse"
    ]


FAULTS = {
    "an empty file": (b"", ["job.yaml: error: the file is empty"]),
    "comments alone": ("# nothing\n", ["job.yaml: error: the file is empty"]),
    "empty documents alone": ("---\n---\n", ["job.yaml: error: the file is empty"]),
    "a list": (
        "- kind: MPIJob\n",
        ["job.yaml:1:1: error: the file holds a list, where a job begins with apiVersion and kind"],
    ),
    "a word": (
        "hello\n",
        [
            (
                "job.yaml:1:1: error: the file holds a single value, where a job begins with "
                "apiVersion and kind"
            )
        ],
    ),
    "a program": (
        b"\x7fELF\x02\x01\x01\xff",
        ["job.yaml:1:8: error: this is no text: the byte 0xff is no UTF-8"],
    ),
    "a NUL byte": (b"a: 1\nb: \0", ["job.yaml:2:4: error: this is no text: it holds a NUL byte"]),
    "a NUL by its number": (
        'a: "\\0"\n',
        ["job.yaml:1:4: error: a: holds a NUL character, which no program can be given"],
    ),
    "a control character": (
        b"a: 1\nb: \x07",
        ["job.yaml:2:4: error: this is no YAML: control characters are not allowed"],
    ),
    "UTF-16": (
        "a: 1".encode("utf-16"),
        ["job.yaml: error: this is text in UTF-16, where YAML for Kubernetes is UTF-8"],
    ),
    "a tab": (
        "a:\n\tb: 1\n",
        ["job.yaml:2:1: error: this is no YAML: a tab, where YAML indents with spaces"],
    ),
    "a value that begins with an at sign": (
        "a: @b\n",
        ["job.yaml:1:4: error: this is no YAML: no value begins like this"],
    ),
    "a list that does not end": (
        "a: [1\n",
        [
            (
                "job.yaml:2:1: error: this is no YAML: did not find expected ',' or ']', while "
                "parsing a flow sequence"
            )
        ],
    ),
    "two colons": (
        "a: b: c\n",
        ["job.yaml:1:5: error: this is no YAML: mapping values are not allowed in this context"],
    ),
    "two documents": (
        HEAD + "---\n" + HEAD,
        [
            (
                "job.yaml:4:1: error: a second document begins here, where a job file holds one "
                "MPIJob alone"
            )
        ],
    ),
    "keys that stand twice": (
        HEAD + "spec:\n  a: 1\n  a: 2\nspec: 1\n",
        [
            "job.yaml:5:3: error: spec.a: the key stands here and in line 4",
            "job.yaml:6:1: error: spec: the key stands here and in line 3",
        ],
    ),
    "keys that are no text": (
        HEAD + "on: 1\n2: 1\n~: 1\n",
        [
            "job.yaml:3:1: error: the key on means true in YAML, and keys are text",
            "job.yaml:4:1: error: the key 2 means 2 in YAML, and keys are text",
            "job.yaml:5:1: error: the key ~ means null in YAML, and keys are text",
        ],
    ),
    "a list as a key": ("? [a]\n: b\n", ["job.yaml:1:3: error: a key must be a plain word"]),
    "an alias to what it is part of": (
        "a: &x {b: *x}\n",
        ["job.yaml:1:11: error: a.b: the alias *x stands for what it is part of"],
    ),
    "an alias to nothing": (
        "a: *x\n",
        ["job.yaml:1:4: error: a: the alias *x stands for nothing above it"],
    ),
    "aliases that explode": (
        "a0: &a0 ["
        + "lol, " * 9
        + "]\n"
        + "".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]\n" for i in range(1, 12)),
        ["job.yaml:7:40: error: a6[6]: too large once its aliases are written out"],
    ),
    "a Python object": (
        "a: !!python/object/apply:os.system [ls]\n",
        [
            (
                "job.yaml:1:4: error: a: the tag !!python/object/apply:os.system has no place in a "
                "job file"
            )
        ],
    ),
    "what is no number": (
        "a: .nan\n",
        ["job.yaml:1:4: error: a: .nan is no number that JSON knows"],
    ),
    "a merge of what is no mapping": (
        "a:\n  <<: 3\n",
        ["job.yaml:2:3: error: a: only mappings can be merged by <<"],
    ),
    "lists in lists in lists": (
        "[" * 200_000,
        ["job.yaml:1:102: error: this nests deeper than 100 levels"],
    ),
    "mappings in mappings": (
        "\n".join(" " * depth + "a:" for depth in range(300)),
        ["job.yaml:102:102: error: this nests deeper than 100 levels"],
    ),
    "too many mistakes to list": (
        "a: 1\n" * 1000,
        [
            f"job.yaml:{line}:1: error: a: the key stands here and in line 1"
            for line in range(2, 52)
        ],
    ),
    "neither kind nor version": (
        "{}\n",
        [
            "job.yaml: error: kind: Required value: a job file says what it holds",
            (
                "job.yaml: error: apiVersion: Required value: a job file says which version it is "
                "written in"
            ),
        ],
    ),
    "3 MiB and a byte": (
        b"#" * (3 * 2**20 + 1),
        [
            (
                "job.yaml: error: the file is too large for a job file: 3 MiB, where Kubernetes "
                "takes 3 MiB at most"
            )
        ],
    ),
}


@pytest.mark.parametrize(("text", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_its_place(text, said):
    assert complaints(text) == said


@given(
    st.binary(max_size=60) | st.text("{}[]&*a:-!|>'\"%@`?,\n\t #<~", max_size=60).map(str.encode)
)
def test_any_bytes_are_a_job_or_a_complaint(data):
    try:
        answer = parse(data, "job.yaml")
    except Invalid as error:
        answer = error.complaints[0]
    assert isinstance(answer, JobFile | Complaint)


def test_a_file_is_read_from_disk(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(HEAD)
    assert read(str(path)) == parse(HEAD.encode(), str(path))


def unreadable(path):
    with pytest.raises(Invalid) as raised:
        read(str(path))
    return str(raised.value).removeprefix(f"{path}: error: ")


def test_a_missing_file_is_told(tmp_path):
    assert unreadable(tmp_path / "nope.yaml") == "there is no such file"


def test_a_folder_is_told(tmp_path):
    assert unreadable(tmp_path) == "this is a folder, not a job file"


def test_a_path_through_a_file_is_told(tmp_path):
    (tmp_path / "a").touch()
    assert unreadable(tmp_path / "a" / "b") == (
        "there is no such file: a part of the path is no folder"
    )


def test_a_path_that_no_system_takes_is_told():
    assert unreadable("a\0b") == "the file cannot be read: embedded null byte"


def test_a_file_of_50_mib_is_refused_by_its_size_alone(tmp_path):
    path = tmp_path / "job.yaml"
    with path.open("wb") as file:
        # A file of holes: it takes no room on the disk, and would never end if it were parsed.
        file.truncate(50 << 20)
    assert unreadable(path) == (
        "the file is too large for a job file: 50 MiB, where Kubernetes takes 3 MiB at most"
    )


def test_a_stream_without_an_end_is_refused():
    assert unreadable("/dev/zero") == (
        "the file is too large for a job file: more than 3 MiB, where Kubernetes takes 3 MiB at "
        "most"
    )
