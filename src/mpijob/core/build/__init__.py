"""The children that a job should have, as manifests. One file a child.

Manifests share what they can with the job's templates and with each other, so that building one
costs microseconds. Nobody may change one.
"""

from mpijob.core.build.config import config, config_data
from mpijob.core.build.launcher import launcher, scheduling_directives
from mpijob.core.build.pod_group import pod_group, pod_group_correction
from mpijob.core.build.rights import account, account_name, own_account, role, role_binding, rules
from mpijob.core.build.secret import (
    HOST_KEY_NAMES,
    USER_KEY_NAMES,
    host_key_secret,
    user_secret,
)
from mpijob.core.build.service import service
from mpijob.core.build.worker import worker, workers

__all__ = [
    "HOST_KEY_NAMES",
    "USER_KEY_NAMES",
    "account",
    "account_name",
    "config",
    "config_data",
    "host_key_secret",
    "launcher",
    "own_account",
    "pod_group",
    "pod_group_correction",
    "role",
    "role_binding",
    "rules",
    "scheduling_directives",
    "service",
    "user_secret",
    "worker",
    "workers",
]
