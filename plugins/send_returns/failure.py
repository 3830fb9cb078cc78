"""The failure that a person can act on."""


class Failure(RuntimeError):
    """One clear line: what, where and what to do next; never a value. The command line prints it and exits with 1."""
