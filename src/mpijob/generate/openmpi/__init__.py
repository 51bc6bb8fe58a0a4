"""The openmpi package: hosts of Open MPI as plain pods, without an operator.

A master runs one command when every worker lets it in by ssh. A controller beside each worker
brings data, lets the worker begin, watches the master, takes data away and lets the worker end.

Source: `kubeflow/openmpi`, kubeflow v0.4.
"""
