"""How a job is shown to whoever waits for it."""

import io

import pytest
from msgspec.structs import replace

from mpijob.sdk import JobState
from mpijob.sdk.progress import Cell, Line, Silence, progress

CREATED = JobState("pi", "default", "Created", ready=0, workers=2)
RUNNING = replace(CREATED, state="Running", ready=2)


def on_a_terminal(*moves):
    """Return what a line writes that is moved so."""
    stream = io.StringIO()
    line = Line(stream)
    for move in moves:
        move(line)
    return stream.getvalue()


def seen(written):
    """Return what is to be seen of a line that was written over and over."""
    screen = ""
    for text in written.split("\r"):
        screen = text + screen[len(text) :]
    return screen.rstrip()


def test_a_line_shows_the_job_as_it_is_now():
    written = on_a_terminal(lambda line: line.show(CREATED), lambda line: line.show(RUNNING))
    assert seen(written) == "pi: Running, 2/2 workers ready"


def test_a_line_that_is_stopped_is_gone():
    written = on_a_terminal(
        lambda line: line.show(CREATED),
        lambda line: line.stop(),
        lambda line: line.show(RUNNING),
    )
    assert seen(written) == ""


class Display:
    """A notebook's display: remembers what it shows, and what that was replaced by."""

    def __init__(self):
        self.shown = []

    def __call__(self, state, display_id):
        self.shown.append(state)
        return self

    def update(self, state):
        self.shown[-1] = state


def test_a_cell_shows_one_table_that_changes():
    display = Display()
    cell = Cell(display)
    for state in (CREATED, CREATED, RUNNING):
        cell.show(state)
    assert display.shown == [RUNNING]


def test_a_state_is_a_table_in_a_notebook():
    state = replace(RUNNING, reason="<Why>")
    assert state._repr_html_() == (
        "<table><tr><th>job</th><th>state</th><th>why</th><th>workers ready</th></tr>"
        "<tr><td>pi</td><td>Running</td><td>&lt;Why&gt;</td><td>2/2</td></tr></table>"
    )


def test_nothing_is_shown_where_nobody_looks(monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(progress(), Silence)


class Shell:
    """IPython, as far as it is asked."""

    display = None

    def __init__(self, kernel):
        self.kernel = kernel

    def get_ipython(self):
        return self


SHELLS = {"a notebook's cell": (object(), Cell), "no cell of a shell": (None, Silence)}


@pytest.mark.parametrize(("kernel", "kind"), SHELLS.values(), ids=SHELLS)
def test_jobs_are_shown_in(monkeypatch, kernel, kind):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    shell = Shell(kernel)
    monkeypatch.setitem(__import__("sys").modules, "IPython", shell)
    monkeypatch.setitem(__import__("sys").modules, "IPython.display", shell)
    assert isinstance(progress(), kind)
