"""The scripts by which a launcher starts ranks with kubectl. They need /bin/sh alone."""

from shlex import quote

DELIVER_KUBECTL = r"""#!/bin/sh
# Puts kubectl where the launcher finds it, and ends when every worker in the hostfile is ready.
#   deliver_kubectl.sh TO [HOSTFILE LAUNCHER]
# LAUNCHER may stand in the hostfile, but waits for nobody there.
trap 'exit 143' TERM
trap 'exit 130' INT
to=$1 hostfile=${2-} launcher=${3-}
PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/opt/kube
if ! found=$(command -v kubectl); then
    echo "This image has no kubectl. Name one that has: --kubectl-delivery-image=IMAGE." >&2
    exit 1
fi
cp "$found" "$to/kubectl" && chmod 0755 "$to/kubectl" || exit 1
[ -n "$hostfile" ] || exit 0

hosts() { sed -e 's/[ :].*//' -e '/^$/d' -e "/^$launcher\$/d" "$hostfile" | sort -u; }

# A line that stands in only one of the two lists stands there once. The hostfile is read anew,
# since the job may be scaled while it waits.
missing() { { hosts; printf '%s\n%s\n' "$ready" "$ready"; } | sort | uniq -u | sed '/^$/d'; }

columns='NAME:.metadata.name,READY:.status.conditions[?(@.type=="Ready")].status'
ready= told_at=0
while waiting=$(missing) && [ -n "$waiting" ]; do
    said=$("$to/kubectl" get pod $waiting --ignore-not-found --no-headers \
        -o "custom-columns=$columns" 2>&1)
    ready="$ready
$(printf '%s\n' "$said" | sed -n 's/^\([^ ]*\)  *True$/\1/p')"
    waiting=$(missing)
    [ -n "$waiting" ] || break
    now=$(date +%s)
    if [ $((now - told_at)) -ge 5 ]; then
        told_at=$now
        echo "waiting for $(printf '%s\n' "$waiting" | wc -l) of $(hosts | wc -l) workers:" \
            $(printf '%s\n' "$waiting" | sed -e 6q | sed '6s/.*/.../')
        printf '%s\n' "$said" | sed -n '/^Error\|^error\|refused\|orbidden/{p;q;}'
    fi
    sleep 1
done
echo "all $(hosts | wc -l) workers are ready"
"""

_KUBEXEC = r"""#!/bin/sh
# What MPI calls in place of ssh: runs a command in a worker's pod.
#   kubexec.sh [-OPTION...] POD COMMAND...
while case ${1-} in -*) ;; *) false ;; esac; do
    shift # Options are ssh's.
done
pod=${1%%.*}
shift
exec DIR/kubectl exec "$pod" CONTAINER -- /bin/sh -c "$*"
"""


def kubexec(kubectl_dir: str, container: str) -> str:
    """Return the agent's script.

    Args:
        kubectl_dir: Where kubectl is.
        container: In which of the worker's containers ranks run; "" for the first.

    """
    option = f"--container {quote(container)} " if container else ""
    return _KUBEXEC.replace("DIR", kubectl_dir, 1).replace("CONTAINER ", option)
