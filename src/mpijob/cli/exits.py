"""The exit codes of every command. Scripts count on them: append, never renumber.

`mpijob run` in the foreground returns the launcher's own exit code as soon as there is one; these
are for everything else.
"""

#: Done.
OK = 0
#: Could not be done, or the job failed without an exit code of its own.
FAILED = 1
#: The command line or the job file is wrong; nothing was started.
INVALID = 2
#: There is no such job.
NOT_FOUND = 3
#: A job of that name is there and has not finished, or the object changed meanwhile.
CONFLICT = 4
#: A defect of mpijob's own. `MPIJOB_TRACEBACK=1` shows where.
INTERNAL = 70
#: The time given with `--timeout` ran out, or the job's deadline has passed.
TIMED_OUT = 124
#: Interrupted: Ctrl-C, or SIGINT (128 + 2).
INTERRUPTED = 130
#: Whoever read the output of `run` has left, and the job was ended (128 + SIGPIPE).
UNREAD = 141
#: Told to end: SIGTERM (128 + 15).
TERMINATED = 143

#: What each code means, for the reference.
MEANINGS = {
    OK: "Done.",
    FAILED: "Could not be done, or the job failed without an exit code of its own.",
    INVALID: "The command line or the job file is wrong; nothing was started.",
    NOT_FOUND: "There is no such job.",
    CONFLICT: "A job of that name is there and has not finished, or it changed meanwhile.",
    INTERNAL: "A defect of mpijob's own; `MPIJOB_TRACEBACK=1` shows where.",
    TIMED_OUT: "The time given with `--timeout` ran out, or the job's deadline has passed.",
    INTERRUPTED: "Interrupted: Ctrl-C, or SIGINT.",
    UNREAD: "Whoever read the output of `run` has left, and the job was ended.",
    TERMINATED: "Told to end: SIGTERM.",
}
