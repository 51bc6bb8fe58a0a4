"""What goes to the ranks, and what is made there of what they find."""

import io
import json
import os
import pickle
import runpy
import subprocess
import sys
from types import ModuleType

import pytest

from mpijob.sdk import JobFailed, MPIJob, NoResult, NotShippable, RanksDisagree, rank, task
from mpijob.sdk.folder import new_folder
from mpijob.sdk.shipping import Call, Surroundings, failure, pickled, results, ship

FACTOR = 3


def scaled(number):
    """Return a number, scaled."""
    return number * FACTOR


@pytest.fixture
def folder(tmp_path):
    """Return a call's folder."""
    return new_folder(tmp_path / "calls")


def shipped(folder, function, *args, ranks=1, **fields):
    """Ship a call; return what its ranks are told."""
    call = Call("call", function, args, {}, ranks, **fields)
    ship(call, pickled(call), folder, Surroundings())
    return json.loads((folder.path / "call.json").read_text())


def called(folder, told):
    """Return what the function returns where the ranks run."""
    function, args, kwargs = rank._unpickled(str(folder.path), told)
    return function(*args, **kwargs)


def test_a_function_of_a_module_that_the_ranks_lack_goes_by_value(folder):
    shipped(folder, scaled, 2)
    with open(folder.path / "call.pickle", "rb") as file:
        assert pickle.load(file)[0] is not scaled


def test_a_task_goes_as_its_function(folder):
    inner = task(task_config=MPIJob(num_workers=1, num_launcher_replicas=1))(scaled)

    def outer(number):
        return inner(number) + 1

    assert called(folder, shipped(folder, outer, 2)) == 7


@task(task_config=MPIJob(num_workers=1, num_launcher_replicas=1))
def named():
    """Return nothing."""


def test_a_task_goes_to_processes_of_this_machine_by_its_name(monkeypatch):
    # Which tests have only for themselves.
    monkeypatch.setitem(sys.modules, named.__module__, sys.modules.get(named.__module__, _this()))
    assert pickle.loads(pickle.dumps(named)) is named


def _this():
    """Return this module, as far as names are looked up in it."""
    module = ModuleType(__name__)
    module.named = named
    return module


def test_a_function_s_file_is_named_in_tracebacks(folder):
    shipped(folder, scaled, 2)
    with open(folder.path / "call.pickle", "rb") as file:
        function = pickle.load(file)[0]
    assert function.__code__.co_filename == __file__


def stands_alone(number: "no such type"):  # noqa: F722
    """Return the root of a number."""
    import math

    return math.sqrt(number)


def test_a_function_s_source_is_compiled_anew(folder):
    told = shipped(folder, stands_alone, 9, as_source=True)
    assert called(folder, told) == 3.0


def test_source_is_for_any_python(folder):
    told = shipped(folder, stands_alone, 9, as_source=True) | {"python": [3, 2]}
    assert called(folder, told) == 3.0


def test_source_leaves_decorators_behind(folder):
    decorate = task(task_config=MPIJob(num_workers=1, num_launcher_replicas=1), as_source=True)

    @decorate
    def decorated(number):
        return number + 1

    assert called(folder, shipped(folder, decorated.function, 1, as_source=True)) == 2


def test_source_keeps_its_lines(folder):
    told = shipped(folder, stands_alone, 9, as_source=True)
    function = rank._compiled(told["text"])
    assert function.__code__.co_firstlineno == stands_alone.__code__.co_firstlineno


def test_a_function_without_a_source_cannot_go_as_it(folder):
    names = {}
    exec("def typed(): return 1", names)
    with pytest.raises(NotShippable, match="the source of typed is not to be had"):
        shipped(folder, names["typed"], as_source=True)


def test_another_python_is_told(folder):
    told = shipped(folder, scaled, 2) | {"python": [3, 2]}
    with pytest.raises(rank.Unfit, match=r"from Python 3\.2, and the ranks run 3\.\d+"):
        called(folder, told)


def test_what_cannot_be_unpickled_where_the_ranks_run_is_told(folder):
    told = shipped(folder, scaled, 2)
    folder.write("call.pickle", pickle.dumps(1)[:-1])
    with pytest.raises(rank.Unfit, match="cannot be made of their pickle where the ranks run"):
        called(folder, told)


def test_results_come_in_the_order_of_ranks(folder):
    shipped(folder, scaled, ranks=11, all_ranks=True)
    for index in range(11):
        folder.write(f"returned-{index}", pickle.dumps(index))
    assert results(folder) == list(range(11))


def test_ranks_without_a_result_are_named(folder):
    shipped(folder, scaled, ranks=3)
    folder.write("returned-1", pickle.dumps(None))
    with pytest.raises(NoResult, match="ranks 0, 2 of 3 ended with exit code 0 before"):
        results(folder)


def failed(raised, number=0, at=0):
    """Return what a rank leaves that has failed so."""
    try:
        raise raised
    except Exception as caught:  # noqa: BLE001  # As the rank does.
        return pickle.dumps(rank._failure(caught, number) | {"at": at})


def test_the_first_rank_that_failed_counts(folder):
    folder.write("failed-0", failed(KeyError("later"), 0, at=2))
    folder.write("failed-1", failed(KeyError("sooner"), 1, at=1))
    raised, place = failure(folder)
    assert (raised.args, place.rank) == (("sooner",), 1)


UNFIT = {
    "ranks of several jobs": (rank.Disagreement("two of one"), RanksDisagree),
    "a rank that cannot run": (rank.Unfit("no mpi4py"), JobFailed),
}


@pytest.mark.parametrize(("raised", "kind"), UNFIT.values(), ids=UNFIT)
def test_no_exception_of_the_function_s_is(folder, raised, kind):
    folder.write("failed-0", failed(raised))
    told, _ = failure(folder)
    assert (type(told), str(raised) in str(told)) == (kind, True)


def test_without_a_failure_there_is_none_to_tell(folder):
    assert failure(folder) is None


@pytest.mark.slow
def test_a_package_is_installed_once_for_all_ranks_of_a_host(tmp_path, wheel):
    # pip takes its second.
    packages = [wheel("mpijob_example")]
    first = rank._installed(packages, str(tmp_path / "packages"))
    (tmp_path / "mpijob_example-1.0-py3-none-any.whl").unlink()
    again = rank._installed(packages, str(tmp_path / "packages"))
    name = runpy.run_path(f"{again}/mpijob_example.py")["NAME"]
    assert (first, name) == (again, "mpijob_example")


@pytest.mark.slow
def test_a_package_that_is_not_there_is_told_in_pip_s_words(tmp_path):
    # pip takes its second.
    missing = str(tmp_path / "missing.whl")
    with pytest.raises(rank.Unfit, match=rf"pip cannot install {missing}: .*missing\.whl"):
        rank._installed([missing], str(tmp_path / "packages"))


def test_a_missing_mpi4py_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(rank.Unfit, match=r"mpi4py cannot be imported by .*packages_to_install"):
        rank._world({"ranks": 2})


def test_a_value_that_is_ours_needs_no_cloudpickle(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    file = io.BytesIO()
    rank._tell({"a": 1}, file)
    assert pickle.loads(file.getvalue()) == {"a": 1}


def prints(*words):
    """Print words, and part of a line."""
    print(*words)  # noqa: T201
    print("and", end=" ")  # noqa: T201
    print("more")  # noqa: T201


@pytest.mark.mpi
def test_a_rank_writes_whole_lines_each_at_once(folder):
    """Else what many ranks print is mixed within lines by mpirun."""
    shipped(folder, prints, "one", "line")
    reading, writing = os.pipe2(os.O_DIRECT)  # Keeps apart what is written one after the other.
    words = [sys.executable, "-u", str(folder.path / "rank.py"), folder.place]
    with open(reading, "rb", buffering=0) as said:
        with open(writing, "wb") as stdout:
            subprocess.run(words, stdout=stdout, check=True)
        assert list(iter(lambda: said.read(4096), b"")) == [b"one line\n", b"and more\n"]
