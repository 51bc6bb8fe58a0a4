"""Which modules of the user's own go with a function."""

import importlib
import sys

import pytest

from mpijob.sdk.modules import needed, own_module

FILES = {
    "train.py": "import numpy\nfrom own_package.deep import x\ndef fit():\n    import late\n",
    "own_package/__init__.py": "",
    "own_package/deep.py": "from . import beside\nimport further\nx = 1\n",
    "own_package/beside.py": "",
    "further.py": "import mpijob.sdk\n",
    "late.py": "",
    "unneeded.py": "",
}


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Return a module of the user's own, with others around it."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield importlib.import_module("train")
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_what_a_function_s_file_imports_goes_with_it_and_what_that_imports(train):
    assert needed(train.fit) == {
        name: FILES[name].encode() for name in FILES if name not in ("train.py", "unneeded.py")
    }


def test_a_function_without_a_file_takes_what_its_names_stand_for(train):
    names = {"further": importlib.import_module("further"), "fit": train.fit}
    exec("def typed(): return further, fit", names)
    assert {"further.py", "train.py"} <= needed(names["typed"]).keys()


def test_a_module_of_the_user_is_the_user_s_own(train):
    assert own_module(train.fit) is train


def test_an_installed_module_is_not(train):
    assert own_module(pytest.fixture) is None


def test_one_of_the_standard_library_is_not(train):
    assert own_module(importlib.import_module) is None
