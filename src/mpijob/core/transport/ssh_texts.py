"""The scripts and configurations that run in users' pods. They need /bin/sh and ssh's programs.

The scripts keep to what dash and busybox know. They are handed on by a ConfigMap, and so they take
all that differs between jobs as arguments.
"""

from functools import lru_cache

from mpijob.core.transport import environment

WAIT_FOR_WORKERS = r"""#!/bin/sh
# Ends when the sshd of every worker in the hostfile answers.
#   wait_for_workers.sh HOSTFILE LAUNCHER PORT KNOWN_HOSTS [SSH_OPTION...]
# LAUNCHER may stand in the hostfile, but runs no sshd. Where PORT is empty, ssh says which it is.
# KNOWN_HOSTS has the one kind of key that the workers have; where it is empty, any will do.
trap 'exit 143' TERM
trap 'exit 130' INT
hostfile=$1 launcher=$2 port=$3 known_hosts=$4
shift 4
answered= asked= told_at=0 began_at=$(date +%s)

hosts() { sed -e 's/[ :].*//' -e '/^$/d' -e "/^$launcher\./d" "$hostfile" | sort -u; }

# A line that stands in only one of the two lists stands there once. The hostfile is read anew,
# since the job may be scaled while it waits.
missing() { { hosts; printf '%s\n%s\n' "$answered" "$answered"; } | sort | uniq -u; }

count() { printf '%s' "$1" | grep -c .; }

scanned() {
    printf '%s\n' "$waiting" | ssh-keyscan -T 2 -p "$port" ${kind:+-t "$kind"} -f - 2>/dev/null |
        sed -e 's/^\[//' -e 's/[] ].*//' | sort -u
}

called() {
    for host in $waiting; do
        said=$(ssh -n -o BatchMode=yes -o ConnectTimeout=2 "$@" "$host" true 2>&1) && echo "$host"
        case $said in # An sshd that turns us away answers; mpirun will say what it thinks of that.
        *'Permission denied'* | *'Host key verification failed'*) echo "$host" ;;
        esac
    done
}

tell() {
    now=$(date +%s)
    [ $((now - told_at)) -ge 5 ] || return 0
    some=$(printf '%s\n' "$waiting" | sed -e 's/\..*//' -e 6q | sed -e '6s/.*/.../' | tr '\n' ' ')
    echo "waiting for $(count "$waiting") of $(count "$(hosts)") workers: $some"
    told_at=$now
    [ $((now - began_at)) -lt 5 ] || why "$@" # Who has waited for 5 s wants to know.
}

# What ssh says of the first of those that do not answer; ssh-keyscan passes over them in silence.
why() {
    command -v ssh >/dev/null || return 0
    host=$(printf '%s\n' "$waiting" | sed 1q)
    ssh -n -o BatchMode=yes -o ConnectTimeout=2 "$@" "$host" true 2>&1 | sed -n '$s/^/  /p'
}

if command -v ssh-keyscan >/dev/null; then
    ask=scanned
    [ -n "$port" ] || port=$(ssh -G "$@" "$(hosts | sed 1q)" 2>/dev/null | sed -n 's/^port //p')
    port=${port:-22}
    kind=$(sed 's/^[^ ]* \(ssh-\)*\([a-z0-9]*\).*/\2/' "${known_hosts:-/dev/null}")
elif ! command -v ssh >/dev/null; then
    echo "cannot wait for the workers: this image has neither ssh-keyscan nor ssh"
    exit 0
else
    ask=called
    case $(ssh -G "$@" localhost 2>&1) in
    *'No user exists'*)
        echo "cannot wait: this image has no ssh-keyscan, and ssh knows no uid $(id -u)"
        exit 0
        ;;
    esac
fi

while waiting=$(missing) && [ -n "$waiting" ]; do
    [ -z "$asked" ] || { tell "$@"; sleep 0.3 2>/dev/null || sleep 1; }
    asked=yes
    answered="$answered
$($ask "$@")"
done
echo "all $(count "$(hosts)") workers answer, after $(($(date +%s) - began_at)) s"
"""

PREPARE_SSH = r"""#!/bin/sh
# Copies the keys so that whoever runs here owns them, and makes a passwd that knows that user.
#   prepare_ssh.sh FROM TO [COMMAND...]
set -eu
from=$1 to=$2
shift 2
umask 077
for key in "$from"/*; do
    cat "$key" >"$to/${key##*/}"
done

uid=$(id -u)
{ cat /etc/passwd 2>/dev/null || :; } >"$to/passwd"
if ! getent passwd "$uid" >/dev/null 2>&1 && ! grep -q "^[^:]*:[^:]*:$uid:" "$to/passwd"; then
    [ -z "$(tail -c 1 "$to/passwd")" ] || echo >>"$to/passwd"
    echo "mpijob:x:$uid:$(id -g):MPI job:${HOME:-/}:/bin/sh" >>"$to/passwd"
fi
chmod 0644 "$to/passwd"
[ $# -eq 0 ] || exec "$@"
"""

#: What root does before it starts sshd, so that sshd starts and lets root in.
ADMIT_ROOT = r"""if [ "$(id -u)" = 0 ]; then
    mkdir -p -m 0755 /run/sshd || : # Debian's sshd wants it. Others do not, and need not.
    case $(grep '^root:' /etc/shadow 2>/dev/null) in
    'root:!'*) # Without PAM, sshd turns away a user whose password is locked this way.
        sed -i 's/^root:![^:]*:/root:*:/' /etc/shadow ||
            echo "root is locked in /etc/shadow; sshd will turn it away." >&2
        ;;
    esac
fi
"""

START_SSHD = (
    r"""#!/bin/sh
# Runs sshd in the foreground, and keeps the environment of this container for what it starts.
#   start_sshd.sh CONFIG ENVIRONMENT
config=$1 environment=$2
set --
"""
    + environment.KEPT
    + r"""
if ! sshd=$(PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; command -v sshd); then
    echo "This image has no sshd. Install openssh-server in it, or give the worker a command." >&2
    exit 127
fi
"""
    + ADMIT_ROOT
    + """\
# What is in the environment is nobody else's business; what ranks write is not ours to hide.
(umask 077 && printed >"$environment") || exit 1
# A pod that an older operator made shows fewer files than its configuration names by now.
[ -e "${0%/*}/with_environment.sh" ] || set -- -o ForceCommand=none
exec "$sshd" -De -f "$config" "$@"
"""
)


@lru_cache(maxsize=256)
def ssh_config(host_alias: str, keys_dir: str, port: int) -> str:
    """Return the client's configuration: our keys, and hosts that must prove who they are.

    All hosts of a job have one key. `host_alias` is a name that `known_hosts` has it under, so that
    the hosts are known by whatever name or address they are called.
    """
    return f"""\
Host *
    Port {port}
    IdentityFile {keys_dir}/id
    IdentitiesOnly yes
    IdentityAgent none
    PreferredAuthentications publickey
    BatchMode yes
    ForwardX11 no
    HostKeyAlias {host_alias}
    StrictHostKeyChecking yes
    UserKnownHostsFile {keys_dir}/known_hosts
    GlobalKnownHostsFile /dev/null
    UpdateHostKeys no
    CheckHostIP no
    ConnectionAttempts 10
    SendEnv {environment.VARIABLE}
    LogLevel ERROR
"""


@lru_cache(maxsize=4)
def sshd_config(keys_dir: str, port: int, session: str) -> str:
    """Return the server's configuration: one key may come in, as many at a time as will.

    `session` is what is run whatever was asked for.
    """
    return f"""\
Port {port}
HostKey {keys_dir}/ssh_host_key
AuthorizedKeysFile {keys_dir}/authorized_keys
AuthenticationMethods publickey
PasswordAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
UseDNS no
PidFile none
PrintMotd no
PrintLastLog no
PermitUserRC no
X11Forwarding no
MaxStartups 10000
MaxSessions 1000
LoginGraceTime 60
AcceptEnv {environment.VARIABLE}
ForceCommand {session}
"""
