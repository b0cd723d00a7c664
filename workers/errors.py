"""What the command line tells a person instead of a stack trace."""


class Unusable(Exception):
    """Something a command needs is not as it must be: what it is, and what to do about it.

    `status` is the exit status of the command.
    """

    status = 2

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(what)
