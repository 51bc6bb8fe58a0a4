"""What the pods of the openmpi package run and read: it all travels in one ConfigMap.

The script keeps to what dash and busybox know, and needs ssh's programs of the image besides.
"""

from collections.abc import Iterable
from textwrap import indent

from mpijob.core.transport import environment
from mpijob.core.transport.ssh_texts import ADMIT_ROOT

#: Where all pods of the package have their things.
ROOT = "/kubeflow/openmpi"
ASSETS = f"{ROOT}/assets"
DATA = f"{ROOT}/data"
SECRETS = f"{ROOT}/secrets"
#: The folder, in the data's, by which controller and worker understand each other.
SIGNALS = ".openmpi-controller"
#: A worker may begin, and may end.
CONTINUE, TERMINATE = "SIGCONT", "SIGTERM"
#: How init.sh and the controller end where something took too long.
TIMED_OUT = 124
SSH_PORT = 2022

INIT = (
    rf"""#!/bin/sh
# Makes this pod a host of Open MPI. The master runs COMMAND when all workers let it in.
#   init.sh ROLE WORKERS COMMAND TIMEOUT
# ROLE is master or worker. TIMEOUT is how long, in seconds, it may take until ranks can start.
# On one machine, where mpijob's agent takes the place of ssh, it sets nothing up.
# Exits with 1 where it cannot begin and with {TIMED_OUT} where TIMEOUT has passed. Else a master
# exits as COMMAND does, and a worker with 0 once its controller says that the master has ended.
set -eu
if [ $# -ne 4 ]; then
    echo "init.sh: illegal number of parameters: $#, not ROLE WORKERS COMMAND TIMEOUT" >&2
    exit 1
fi
role=$1 workers=$2 command=$3 timeout=$4
assets={ASSETS} secrets={SECRETS} signals={DATA}/{SIGNALS} ready=true
here=${{MPIJOB_RSH_FOLDER-}}
if [ -n "$here" ]; then
    # Where pods have no mounts, these are elsewhere. The agent runs what it is told in the data.
    assets=${{0%/*}} signals={SIGNALS} ready="[ -e {SIGNALS}/{CONTINUE} ]"
fi
began_at=$(date +%s)
trap 'exit 143' TERM
"""
    + r"""
fail() { echo "init.sh: $*" >&2; exit 1; }

late() {
    [ $(($(date +%s) - began_at)) -ge "$timeout" ] || return 0
    echo "init.sh: $* within $timeout s" >&2
    exit TIMED_OUT
}

nap() { sleep 0.2 2>/dev/null || sleep 1; }

set_up() {
    mkdir -p "$HOME/.openmpi" "$HOME/.ssh" "$HOME/.sshd" ||
        fail "uid $(id -u) cannot write in HOME=$HOME; the image or --runAsUser says who runs"
    chmod 700 "$HOME/.ssh" "$HOME/.sshd"
    cp -f "$assets/mca-params.conf" "$HOME/.openmpi/mca-params.conf"
    for key in id_rsa id_rsa.pub authorized_keys; do
        [ -e "$secrets/$key" ] ||
            fail "the Secret has no key $key; \`mpijob keys create\` makes one that is whole"
        [ -r "$secrets/$key" ] ||
            fail "uid $(id -u) may not read $key of the Secret; say --runAsGroup beside --runAsUser"
        rm -f "$HOME/.ssh/$key"
        (umask 077 && cat "$secrets/$key" >"$HOME/.ssh/$key")
    done
    chmod 400 "$HOME/.ssh/id_rsa"
    {
        cat "$assets/ssh_config"
        echo "    IdentityFile \"$HOME/.ssh/id_rsa\""
    } >"$HOME/.ssh/config"
}

# Prints a line for each of the hosts that does not let us in: its name, and what ssh says of it.
closed() {
    asked=0
    for host; do
        {
            said=$($ssh -n -o BatchMode=yes -o ConnectTimeout=2 -o ConnectionAttempts=1 \
                -o ServerAliveInterval=5 "$host" "$ready" 2>&1) ||
                printf '%s %s\n' "$host" "$(printf '%s\n' "$said" | tail -n 1)"
        } &
        asked=$((asked + 1))
        [ $((asked % 32)) -ne 0 ] || wait
    done
    wait
}

wait_for_workers() {
    told_at=$began_at
    waiting=$(sed -e 's/[ :].*//' -e '/^$/d' "$assets/hostfile")
    while rows=$(closed $waiting) && [ -n "$rows" ]; do
        waiting=$(printf '%s\n' "$rows" | sed 's/ .*//')
        count=$(printf '%s\n' "$waiting" | grep -c .)
        some="$count of $workers workers"
        first=$(printf '%s\n' "$rows" | sed 1q)
        late "$some did not let the master in: $first"
        if [ $(($(date +%s) - told_at)) -ge 5 ]; then
            told_at=$(date +%s)
            echo "waiting for $some: $first" >&2
        fi
        nap
    done
}

find_ssh() {
    if [ -n "$here" ]; then
        ssh=$OMPI_MCA_plm_rsh_agent
        return 0
    fi
    command -v ssh >/dev/null || fail "this image has no ssh; install openssh-client in it"
    ssh="ssh"
    # ssh asks passwd for the home, not HOME. Where they differ, it is to be told.
    if [ "$(ssh -G any 2>/dev/null | sed -n 's/^port //p')" != SSH_PORT ]; then
        ssh="ssh -F $HOME/.ssh/config"
        export OMPI_MCA_plm_rsh_agent="${OMPI_MCA_plm_rsh_agent-$ssh}"
        export PRTE_MCA_plm_ssh_agent="${PRTE_MCA_plm_ssh_agent-$ssh}"
    fi
}

run_master() {
    find_ssh
    # Open MPI 5 takes no command where the variable is missing that mca_base_env_list names.
    export LD_LIBRARY_PATH="${LD_LIBRARY_PATH-}"
    # What mca-params.conf says, as Open MPI 5 wants to hear it. Its daemons miss the end of a rank
    # that ends before the thread that started it has noted so: no threads for that.
    export PRTE_MCA_hwloc_default_binding_policy="${PRTE_MCA_hwloc_default_binding_policy-none}"
    export PRTE_MCA_rmaps_default_mapping_policy="${PRTE_MCA_rmaps_default_mapping_policy-slot}"
    export PRTE_MCA_odls_base_max_threads="${PRTE_MCA_odls_base_max_threads-0}"
    wait_for_workers
    trap - TERM
    exec sh -c "$command"
}

start_sshd() {
    sshd=$(PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; command -v sshd) ||
        fail "this image has no sshd; install openssh-server in it"
    key=$HOME/.sshd/ssh_host_key
    rm -f "$key" "$key.pub"
    ssh-keygen -q -t ed25519 -N "" -f "$key" || ssh-keygen -q -t rsa -N "" -f "$key"
    {
        cat "$assets/sshd_config"
        echo "HostKey \"$key\""
        echo "AuthorizedKeysFile \"$HOME/.ssh/authorized_keys\""
        echo "ForceCommand /bin/sh \"$HOME/.sshd/session\""
    } >"$HOME/.sshd/sshd_config"
    cat >"$HOME/.sshd/session" <<'SESSION'
# What sshd runs in place of what was asked for: that, in the environment of this container.
. "${0%/*}/environment"
[ -n "${SSH_ORIGINAL_COMMAND-}" ] || exec "${SHELL:-/bin/sh}" -l
exec "${SHELL:-/bin/sh}" -c "$SSH_ORIGINAL_COMMAND"
SESSION
    (umask 077 && printed >"$HOME/.sshd/environment")
ADMIT_ROOT    "$sshd" -D -e -f "$HOME/.sshd/sshd_config" &
    sshd_pid=$!
}

run_worker() {
    until [ -e "$signals/CONTINUE" ]; do
        [ ! -e "$signals/TERMINATE" ] ||
            fail "the controller ended before this worker could begin; its own log says why"
        late "the controller did not let this worker begin"
        nap
    done
    [ -n "$here" ] || start_sshd
    until [ -e "$signals/TERMINATE" ]; do
        [ -n "$here" ] || kill -0 "$sshd_pid" 2>/dev/null ||
            fail "sshd has ended; what it said stands above"
        nap
    done
    [ -n "$here" ] || kill "$sshd_pid"
}
""".replace("ADMIT_ROOT", indent(ADMIT_ROOT, "    "))
    .replace("TIMED_OUT", str(TIMED_OUT))
    .replace("SSH_PORT", str(SSH_PORT))
    .replace("CONTINUE", CONTINUE)
    .replace("TERMINATE", TERMINATE)
    + environment.KEPT
    + r"""
case $timeout in
'' | *[!0-9]*) fail "TIMEOUT is a number of seconds, not “$timeout”" ;;
esac
case $role in
master | worker) ;;
*) fail "ROLE is master or worker, not “$role”" ;;
esac
[ -n "$here" ] || set_up
"run_$role"
"""
)

MCA_PARAMS = """\
hwloc_base_binding_policy = none
rmaps_base_mapping_policy = slot
btl_tcp_if_exclude = lo,docker0
orte_keep_fqdn_hostnames = t
mca_base_env_list = LD_LIBRARY_PATH
"""

SSH_CONFIG = f"""\
Host *
    Port {SSH_PORT}
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    GlobalKnownHostsFile /dev/null
    IdentitiesOnly yes
    PreferredAuthentications publickey
    ForwardX11 no
    ConnectionAttempts 10
    LogLevel ERROR
"""

SSHD_CONFIG = f"""\
Port {SSH_PORT}
AuthenticationMethods publickey
PasswordAuthentication no
PermitRootLogin prohibit-password
PermitUserEnvironment yes
StrictModes no
UsePAM no
UseDNS no
PidFile none
PrintMotd no
PrintLastLog no
X11Forwarding no
TCPKeepAlive yes
AcceptEnv LANG LC_*
MaxStartups 10000
MaxSessions 1000
LoginGraceTime 120
Subsystem sftp internal-sftp
"""


def hostfile(hosts: Iterable[str], slots: int) -> str:
    """Return the hostfile of the workers: the master runs no ranks."""
    return "".join(f"{host} slots={slots}\n" for host in hosts)
