"""What is raised where this machine lacks something that a real cluster needs."""


class Unavailable(Exception):
    """Something cannot be had here: the message says what, why, and what would help."""
