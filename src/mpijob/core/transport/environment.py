"""Which environment ranks have that are started by ssh: their worker's, and the launcher's besides.

sshd starts its sessions without either. A worker's is kept in a file as its sshd starts, and every
session reads it. The launcher's comes along with each call of ssh, as one variable: sshd takes 128
at most. So ranks get what the job says, and what the launcher's script has exported by then, as
under a batch system. What a worker says itself goes first.
"""

from mpijob.core import options
from mpijob.core.job import MPIJob

#: The variable that ssh takes along: shell text that sets the others.
VARIABLE = "MPIJOB_ENVIRONMENT"

#: What a login sets itself, and what a shell does not let be set.
_LOGIN = (
    "_ | HOME | LOGNAME | MAIL | OLDPWD | PWD | SHELL | SHLVL | TERM | USER | SSH_* | "
    "UID | EUID | PPID | BASHOPTS | SHELLOPTS"
)
#: What is each pod's own, and what mpirun tells its daemons in its own way.
_OF_A_POD = (
    "HOSTNAME | K_MPI_JOB_ROLE | POD_* | *_POD_* | NODE_NAME | HOST_IP | *_VISIBLE_DEVICES | "
    "NVIDIA_DRIVER_CAPABILITIES | KUBERNETES_* | *_SERVICE_HOST | *_SERVICE_PORT* | "
    "*_PORT_*_TCP* | *_PORT_*_UDP* | OMPI_* | PRTE_* | PMIX_* | PMI_* | HYDRA_* | I_MPI_HYDRA_* | "
    "MPIEXEC_* | MPIR_*"
)

#: A shell's function that prints the environment as shell text, less what is not to be handed on.
#: Values are quoted by the shell itself, so that they may be anything.
_PRINTED = r"""
printed() (
    for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' | sort -u); do
        if DENIED; then unset "$name"; fi
    done
    export -p
)
"""
#: For a worker: all but what a login sets.
KEPT = _PRINTED.replace("DENIED", f"case $name in {_LOGIN}) ;; *) false ;; esac")

SSH_WITH_ENVIRONMENT = (
    rf"""#!/bin/sh
# ssh that takes the environment along. MPI calls it in place of ssh.
#   ssh_with_environment.sh [SSH_ARGUMENT...]
# The file beside it says which variables: "all" or their names, and "-NAME" for those that are not.
told=" $(cat "${{0%/*}}/handed_on") "
handed_on() {{
    case $told in *" -$1 "*) return 1 ;; esac
    case $1 in {VARIABLE} | {_LOGIN} | {_OF_A_POD}) return 1 ;; esac
    case $told in *" all "* | *" $1 "*) ;; *) return 1 ;; esac
}}
"""
    + _PRINTED.replace("DENIED", '! handed_on "$name"')
    + rf"""
{VARIABLE}=$(printed)
if [ ${{#{VARIABLE}}} -gt 100000 ]; then # A variable of 128 KiB cannot be handed to a program.
    echo "the environment is too large to be handed on to ranks: ${{#{VARIABLE}}} characters" >&2
    {VARIABLE}=
fi
export {VARIABLE}
exec ssh "$@"
"""
)

WITH_ENVIRONMENT = rf"""#!/bin/sh
# What sshd runs in place of what was asked for: that, in the job's environment.
#   with_environment.sh ENVIRONMENT
if [ -n "${{{VARIABLE}-}}" ]; then eval "${VARIABLE}"; fi
unset {VARIABLE}
. "$1"
[ -n "${{SSH_ORIGINAL_COMMAND-}}" ] || exec "${{SHELL:-/bin/sh}}" -l
exec "${{SHELL:-/bin/sh}}" -c "$SSH_ORIGINAL_COMMAND"
"""


def handed_on(job: MPIJob) -> str:
    """Return which of the launcher's variables ranks get, as the script reads it.

    Whatever the job says, what Kubernetes says of the launcher's own pod is not among them.
    """
    said = job.identity.annotations.get(options.ENVIRONMENT, "all")
    container = job.launcher.template["spec"]["containers"][0]
    own = [
        f"-{entry['name']}"
        for entry in container.get("env") or ()
        if {"fieldRef", "resourceFieldRef"} & (entry.get("valueFrom") or {}).keys()
    ]
    return " ".join([*said.replace(",", " ").split(), *own])
