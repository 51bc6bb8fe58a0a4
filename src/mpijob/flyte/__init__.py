"""Flyte: what its backend makes of a task is made here too, and a flytekit that runs real ranks."""
