"""The group: its commands, its help, and how errors end."""

import click
import pytest
from click.testing import CliRunner

from mpijob import ports
from mpijob.cli import exits
from mpijob.cli.root import COMMANDS, Root, cli
from mpijob.cli.trouble import Trouble


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_command_says(name):
    command = cli.get_command(click.Context(cli), name)
    assert (command.help or "").partition("\n")[0] == COMMANDS[name][1]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_the_name_of_its_module(name):
    assert cli.get_command(click.Context(cli), name).name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_its_help(mpijob, name):
    answer = mpijob(name, "--help")
    assert (answer.code, answer.out.partition(" ")[0]) == (0, "Usage:")


def test_the_help_lists_every_command(mpijob):
    words = set(mpijob("--help").out.split())
    assert set(COMMANDS) <= words


WRONG = {
    "a command that is near another": (("verison",), "did you mean `mpijob version`?"),
    "a command near none": (("xyzzy",), "`mpijob --help` lists the commands"),
    "a file in place of a command": ((__file__,), f"to run it: `mpijob run {__file__}`"),
}


@pytest.mark.parametrize(("words", "hint"), WRONG.values(), ids=WRONG)
def test_a_wrong_command_gets_a_hint(mpijob, words, hint):
    answer = mpijob(*words)
    assert (answer.code, answer.err) == (
        exits.INVALID,
        f"error: there is no command “{words[0]}”\nhint: {hint}\n",
    )


def test_a_wrong_option_is_wrong_input(mpijob):
    assert mpijob("version", "--wat").code == exits.INVALID


def _group(error: Exception) -> Root:
    """Return a group all of whose commands end with that error."""

    class Broken(Root):
        def invoke(self, ctx):
            raise error

    return Broken("mpijob", callback=None, invoke_without_command=True)


ENDS = {
    "an object that is not there": (ports.NotFound("no pi"), exits.NOT_FOUND, "error: no pi\n"),
    "an object that changed": (
        ports.Conflict("pi changed"),
        exits.CONFLICT,
        "error: pi changed\nhint: look again and repeat the command\n",
    ),
    "a server that says no": (ports.Refused("too long"), exits.INVALID, "error: too long\n"),
    "no answer": (
        ports.Unreachable("disk full"),
        exits.FAILED,
        "error: disk full\nhint: `mpijob doctor` tells more\n",
    ),
    "a file that is not there": (
        FileNotFoundError(2, "No such file or directory", "job.yaml"),
        exits.FAILED,
        "error: job.yaml: No such file or directory\n",
    ),
    "trouble of several lines": (Trouble("one\ntwo"), exits.FAILED, "error: one\nerror: two\n"),
    "Ctrl-C": (KeyboardInterrupt(), exits.INTERRUPTED, "interrupted\n"),
    "a defect": (
        ZeroDivisionError("division by zero"),
        exits.INTERNAL,
        (
            "error: a defect of mpijob: ZeroDivisionError: division by zero\n"
            "hint: MPIJOB_TRACEBACK=1 shows where it came up; please report it with that\n"
        ),
    ),
}


@pytest.mark.parametrize(("error", "code", "said"), ENDS.values(), ids=ENDS)
def test_every_error_ends_in_words_and_a_code(monkeypatch, error, code, said):
    monkeypatch.delenv("MPIJOB_TRACEBACK", raising=False)
    result = CliRunner().invoke(_group(error), [])
    assert (result.exit_code, result.stderr.lstrip("\n")) == (code, said)


def test_a_traceback_is_shown_to_those_who_ask(monkeypatch):
    monkeypatch.setenv("MPIJOB_TRACEBACK", "1")
    result = CliRunner().invoke(_group(ZeroDivisionError("division by zero")), [])
    assert "Traceback (most recent call last)" in result.stderr


COMPLETIONS = {
    "a command": ("mpijob su", 1, {"suspend"}),
    "an option": ("mpijob get --wa", 2, {"--watch"}),
    "a job": ("mpijob get p", 2, {"pi", "pi-2"}),
}


@pytest.mark.parametrize(("line", "at", "want"), COMPLETIONS.values(), ids=COMPLETIONS)
def test_the_shell_completes(mpijob, store, monkeypatch, line, at, want):
    for name in ("pi", "pi-2", "train"):
        store.job(name)
    monkeypatch.setenv("_MPIJOB_COMPLETE", "zsh_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(at))
    words = mpijob().out.splitlines()
    # zsh is told three lines an answer: its kind, the word, its help.
    assert set(words[1::3]) == want
