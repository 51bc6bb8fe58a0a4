"""The run policies, one a file: pure answers to one question about a job each."""
