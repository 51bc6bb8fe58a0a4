"""MPI jobs for everyone: the same job file on a Kubernetes cluster and on one machine."""

__version__ = "0.1.0"
