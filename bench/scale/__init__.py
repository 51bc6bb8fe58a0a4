"""Many jobs on a real API server: the operator, the script that is its floor, and any other."""
