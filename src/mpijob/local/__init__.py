"""The job on this machine: an embedded control plane, and pods as processes with a real mpirun."""
