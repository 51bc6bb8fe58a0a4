"""What a job says where its author said nothing; the first five cases are mpi-operator's own."""

import pytest

from mpijob.core.default import defaulted
from mpijob.core.draft import Draft, ReplicaDraft
from mpijob.core.job import Identity, Key

IDENTITY = Identity(Key("default", "pi"), uid="u", version="1")
CONTAINER = {"spec": {"containers": [{}]}}
BASE = {
    "slots_per_worker": 1,
    "clean_pods": "None",
    "ssh_auth_mount_path": "/root/.ssh",
    "flavour": "OpenMPI",
    "launcher_start": "AtStartup",
}
OWN_WORDS = {
    "slots_per_worker": 10,
    "clean_pods": "Running",
    "ttl_s": 2,
    "active_deadline_s": 3,
    "backoff_limit": 4,
    "ssh_auth_mount_path": "/home/mpiuser/.ssh",
    "launcher_start": "WaitForWorkersReady",
    "run_launcher_as_worker": True,
    "suspended": True,
}

CASES = {
    "an empty job gets the base defaults": ({}, BASE),
    "an Intel job's own words are kept": (
        OWN_WORDS | {"flavour": "Intel"},
        OWN_WORDS | {"flavour": "Intel"},
    ),
    "an MPICH job's own words are kept": (
        OWN_WORDS | {"flavour": "MPICH"},
        OWN_WORDS | {"flavour": "MPICH"},
    ),
    "a launcher is one and starts again on failure": (
        {"replicas": {"Launcher": ReplicaDraft()}},
        BASE | {"replicas": {"Launcher": ReplicaDraft(1, "OnFailure")}},
    ),
    "workers are none, which the rules refuse, and never start again": (
        {"replicas": {"Worker": ReplicaDraft()}},
        BASE | {"replicas": {"Worker": ReplicaDraft(0, "Never")}},
    ),
    "a role's own words are kept": (
        {"replicas": {"Worker": ReplicaDraft(3, "OnFailure", CONTAINER)}},
        BASE | {"replicas": {"Worker": ReplicaDraft(3, "OnFailure", CONTAINER)}},
    ),
    "half a role is filled up": (
        {"replicas": {"Worker": ReplicaDraft(3, None, CONTAINER)}},
        BASE | {"replicas": {"Worker": ReplicaDraft(3, "Never", CONTAINER)}},
    ),
    "an unknown role has no defaults": (
        {"replicas": {"Workers": ReplicaDraft(3)}},
        BASE | {"replicas": {"Workers": ReplicaDraft(3)}},
    ),
    "no slots at all are the author's word": (
        {"slots_per_worker": 0},
        BASE | {"slots_per_worker": 0},
    ),
    "empty words are no words": (
        {"ssh_auth_mount_path": "", "launcher_start": "", "flavour": "", "managed_by": ""},
        BASE,
    ),
    "an empty clean-up policy is a wrong one": ({"clean_pods": ""}, BASE | {"clean_pods": ""}),
}


@pytest.mark.parametrize(("written", "meant"), CASES.values(), ids=CASES)
def test_a_draft_with_its_defaults(written, meant):
    assert defaulted(Draft(IDENTITY, **written)) == Draft(IDENTITY, **meant)


@pytest.mark.parametrize(("written", "meant"), CASES.values(), ids=CASES)
def test_defaults_add_nothing_to_a_draft_that_has_them(written, meant):
    assert defaulted(Draft(IDENTITY, **meant)) == Draft(IDENTITY, **meant)


SAID = {
    "which MPI, where the spec is silent": ("MPICH", None, "MPICH"),
    "which MPI, where the spec says another": ("MPICH", "Intel", "Intel"),
    "no MPI that we know": ("LAM", None, "OpenMPI"),
}


@pytest.mark.parametrize(("said", "written", "meant"), SAID.values(), ids=SAID)
def test_an_annotation_says(said, written, meant):
    annotations = {"mpijob.dev/mpi-implementation": said}
    identity = Identity(Key("default", "pi"), uid="u", version="1", annotations=annotations)
    assert defaulted(Draft(identity, flavour=written)).flavour == meant
