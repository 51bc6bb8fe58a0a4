"""What words, reasons and exit codes give away, and what helps: tables, and how to read them."""

import re

#: What the words of a program, a scheduler or a server give away. The first that fits counts.
_TELLTALES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (
            r"not enough slots|more processes than.*slots",
            "Ask mpirun for no more ranks than workers × slotsPerWorker, or raise one of the two.",
        ),
        (
            r"allow-run-as-root|running.*as root is strongly",
            "Open MPI refuses to run as root: add --allow-run-as-root, or set runAsUser.",
        ),
        (
            r"has no sshd|sshd[\"': ]*(no such file|not found|: not found)",
            "Install openssh-server in the image, or give the worker a command that starts sshd.",
        ),
        (
            r"temporary failure in name resolution|no servers could be reached",
            (
                "The pod's DNS does not answer: see its dnsPolicy and dnsConfig, and the cluster's "
                "DNS (kubectl -n kube-system get pods)."
            ),
        ),
        (
            r"could not resolve hostname|name or service not known|nodename nor servname",
            "A worker's name does not resolve: see that the job's Service and pods are there.",
        ),
        (
            r"unprotected private key|permissions .* are too open|bad permissions",
            (
                "ssh wants its key to be readable by its owner alone: leave sshAuthMountPath to "
                "mpijob, or let the worker have no command, so that ssh is set up for it."
            ),
        ),
        (
            r"permission denied \(publickey|authentication refused|bad ownership or modes",
            "ssh refuses the job's key: sshAuthMountPath must lie in the home of its user.",
        ),
        (
            r"connection refused",
            "A worker's sshd does not listen: see the worker's log, and its ssh port.",
        ),
        (r"no route to host|connection timed out", "A worker's host cannot be reached."),
        (r"host key verification failed", "The workers' host keys are not those of this job."),
        (
            (
                r"executable (could not be|was not|file not) found"
                r"|unable to find the specified executable|could not find an executable"
                r"|no such file or directory|command not found|: not found"
                r"|lacked\s+permissions to execute"
            ),
            (
                "A program is not where the job looks for it, or may not be executed: check the "
                "command and the PATH."
            ),
        ),
        (
            r"modulenotfounderror|no module named",
            "A Python package is missing where the ranks run.",
        ),
        (
            r"no components were able to be opened|ofi .* failed|ucx.*error",
            "The MPI library found no usable network: see its --mca btl and pml settings.",
        ),
        (r"cuda.*out of memory", "The GPU's memory is full: use a smaller batch, or more ranks."),
        (
            r"signal 9|signal: killed|exit(ed with)? (code|status) 137",
            "A rank was killed, often for want of memory: raise the memory limit, or need less.",
        ),
    )
)

#: What a server, or who guards it, gives away that does not make an object.
_REFUSALS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (
            r"exceeded quota",
            (
                "Ask for less, wait until others have ended, or have the quota raised "
                "(kubectl describe quota)."
            ),
        ),
        (
            r"must specify",
            "The namespace's quota wants every container to say its requests and limits.",
        ),
        (
            r"violates podsecurity",
            (
                "Set the securityContext that the namespace's standard asks for (its message names "
                "the fields), or run the job in another namespace."
            ),
        ),
        (r"usage per (container|pod)", "Keep within the namespace's LimitRange."),
        (r"service ?account", "Create the service account that the pods name, or name another."),
        (r"priorityclass", "Create the PriorityClass that the pods name, or name another."),
        (
            r"denied the request",
            "An admission webhook of the cluster refuses the pods as they are.",
        ),
    )
)

#: What keeps a scheduler from placing a pod.
_UNPLACED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (
            r"free ports",
            (
                "Workers with hostNetwork need a node each on which their ssh port is free: add "
                "nodes, ask for fewer workers, or leave out hostNetwork."
            ),
        ),
        (
            r"persistentvolumeclaim .* not found",
            "Create the PersistentVolumeClaim, or name one that is there.",
        ),
        (
            r"unbound immediate persistentvolumeclaims|volume node affinity",
            "See why the claim is not bound: kubectl describe pvc.",
        ),
        (r"scheduling gates?|gated", "Whoever set the pod's scheduling gates has to lift them."),
        (
            r"insufficient [a-z0-9.-]+/",
            (
                "No node has so many of these devices free: ask for fewer, free what others hold, "
                "or add nodes; where no node has any, see that its device plugin runs."
            ),
        ),
        (
            r"insufficient|too many pods",
            "Ask for less, free what others hold, or add nodes.",
        ),
        (
            r"node affinity/selector|node selector",
            "No node bears the labels that nodeSelector or affinity ask for: change either.",
        ),
        (
            r"untolerated taint|had taint",
            "The nodes' taints keep the pod away: tolerate them, or add nodes without.",
        ),
    )
)

_EXITS = {
    126: "the command is there, but cannot be executed",
    127: "the command was not found",
    137: "killed (SIGKILL), often for want of memory",
    139: "crashed (SIGSEGV)",
    143: "told to stop (SIGTERM)",
}

_REASONS = {
    "OOMKilled": "Raise the memory limit, or need less of it.",
    "Evicted": "The node ran short: ask for what the pod really needs, so that it is placed well.",
    "ErrImagePull": "Check the image's name and that the cluster may pull it.",
    "ImagePullBackOff": "Check the image's name and that the cluster may pull it.",
    "ErrImageNeverPull": "Bring the image to the nodes, or let them pull it: imagePullPolicy.",
    "InvalidImageName": "Write an image name that a registry would understand.",
    "CreateContainerConfigError": "Create the ConfigMap or Secret that the pod refers to.",
    "CrashLoopBackOff": "Read its last words: mpijob logs --previous.",
    "FailedMount": "Create what the volume refers to, or use a volume that is supported here.",
    "FailedAttachVolume": "See why the volume cannot be attached: kubectl describe pvc.",
    "FailedCreatePodSandBox": "The node's network or runtime is in trouble: see its kubelet.",
    "NodeLost": "Its node is lost: the worker comes back elsewhere once Kubernetes gives it up.",
    "DeadlineExceeded": "Give it more time (activeDeadlineSeconds), or see what it waited for.",
}


def of_words(text: str) -> str:
    """Return what helps against what these words tell of; "" where they tell nothing we know."""
    return _first(_TELLTALES, text)


def of_refusal(text: str) -> str:
    """Return what helps against a server's refusal."""
    return _first(_REFUSALS, text) or of_words(text)


def of_scheduler(text: str) -> str:
    """Return what helps where a scheduler finds no node, and says so in these words."""
    return _first(_UNPLACED, text) or "Ask for less, free what others hold, or add nodes."


def of_reason(reason: str) -> str:
    """Return what helps against a reason that Kubernetes gives."""
    return _REASONS.get(reason, "")


def exit_meaning(code: int | None) -> str:
    """Return what a program's exit code usually means."""
    return _EXITS.get(code or 0, "")


def _first(table: tuple[tuple[re.Pattern[str], str], ...], text: str) -> str:
    return next((advice for pattern, advice in table if pattern.search(text)), "")
