"""What `mpijob run` is to run: a job file, or a command line that makes a job."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from mpijob.api.manifest import renamed
from mpijob.api.new_job import manifest, named_after
from mpijob.cli import exits
from mpijob.cli.job_input import placed, read
from mpijob.cli.job_options import FLAVOURS, given, new_job
from mpijob.cli.trouble import Trouble
from mpijob.cli.where import DEFAULT_NAMESPACE
from mpijob.core.job import Manifest
from mpijob.jobfile import JobFile
from mpijob.jobfile.file import STDIN

_SUFFIXES = (".yaml", ".yml", ".json")


class Wish(Struct, frozen=True):
    """What the command line of `run` says.

    Args:
        files: The words before `--`.
        words: The words after `--`, None where there was no `--`.
        name: Another name than the file's; "" for none.
        namespace: Another namespace than the file's; "" for none.
        mpi: A family of MPI or a path to one; "" for none.
        flags: The options of `job_options`.
        home: The namespace of a job that says none.

    """

    files: Sequence[str]
    words: Sequence[str] | None
    name: str
    namespace: str
    mpi: str
    flags: Mapping[str, Any]
    home: str = DEFAULT_NAMESPACE


class Submission(Struct, frozen=True):
    """A job to run: as written and as placed, and where its relative paths count from.

    `manifest` is what the person wrote, under the name that the command line gives it; `file` has
    the namespace too. `numbered` says whether the name may get a number where it is taken.
    """

    file: JobFile
    manifest: Manifest
    folder: Path
    numbered: bool = False


def submission(wish: Wish) -> Submission:
    """Return what to run.

    Raises:
        Trouble: The command line does not say what, says two things, or the file is wrong.

    """
    if wish.words is None:
        return _from_file(wish)
    if wish.files:
        hint = "a file, or -- and a program, but not both"
        raise Trouble(f"what to do with {wish.files[0]}?", hint=hint, code=exits.INVALID)
    if not wish.words:
        raise Trouble("no program after --", hint=_EXAMPLE, code=exits.INVALID)
    name = wish.name or named_after(wish.words)
    job = new_job(wish.words, name, FLAVOURS.get(wish.mpi, "OpenMPI"), wish.flags)
    made = renamed(manifest(job), namespace=wish.namespace)
    file = placed(JobFile("command line", made), home=wish.home)
    return Submission(file, made, Path.cwd(), numbered=not wish.name)


_EXAMPLE = "a job file, or a program after --: mpijob run -n 2 -- python train.py"


def _from_file(wish: Wish) -> Submission:
    """Return the job of the file that is named. Raises Trouble where it is not one file."""
    if not wish.files:
        raise Trouble("what to run?", hint=_EXAMPLE, code=exits.INVALID)
    source, *more = wish.files
    options = given(wish.flags)
    if more or (options and not source.endswith(_SUFFIXES)) or _is_program(source):
        command = " ".join(("mpijob run", *_typed(wish.flags), "--", *wish.files))
        raise Trouble("a program goes after --", hint=command, code=exits.INVALID)
    if options:
        raise Trouble(
            f"{', '.join(options)}: the job file says that",
            hint=f"change {source}, or run a program without a file",
            code=exits.INVALID,
        )
    file = read(source)
    made = renamed(file.manifest, name=wish.name, namespace=wish.namespace)
    folder = Path.cwd() if source == STDIN else Path(source).resolve().parent
    moved = placed(file, name=wish.name, namespace=wish.namespace, home=wish.home)
    return Submission(moved, made, folder)


def _is_program(source: str) -> bool:
    """Say whether a word that should be a job file is a program instead."""
    if source.endswith(_SUFFIXES) or source == STDIN:
        return False
    return os.path.isfile(source) and os.access(source, os.X_OK)


def _typed(flags: Mapping[str, Any]) -> list[str]:
    """Return the simplest of the options again, for a hint that can be copied."""
    typed = []
    if flags["workers"]:
        typed += ["-n", str(flags["workers"])]
    if flags["slots"]:
        typed += ["--slots", str(flags["slots"])]
    return typed
