"""YAML that a person would write."""

from mpijob.cli.render.document import as_yaml, as_yaml_stream


def test_keys_keep_their_order():
    assert as_yaml({"b": 1, "a": 2}) == "b: 1\na: 2\n"


def test_text_of_several_lines_is_a_block():
    assert as_yaml({"script": "one\ntwo\n"}) == "script: |\n  one\n  two\n"


def test_text_that_looks_like_a_number_is_quoted():
    assert as_yaml({"command": ["-n", "4"]}) == "command:\n- -n\n- '4'\n"


def test_what_occurs_twice_is_written_twice():
    shared = {"x": 1}
    assert as_yaml([shared, shared]) == "- x: 1\n- x: 1\n"


def test_documents_stand_apart():
    assert as_yaml_stream([{"a": 1}, {"b": 2}]) == "---\na: 1\n---\nb: 2\n"
