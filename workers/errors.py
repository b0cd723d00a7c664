"""What the command line tells a person instead of a stack trace."""

from pydantic import ValidationError

SHOWN = 80  # letters of a wrong value


class Unusable(Exception):
    """Something a command needs is not as it must be: what it is, and what to do about it.

    `status` is the exit status of the command.
    """

    status = 2

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(what)


def complaints(error: ValidationError) -> list[str]:
    """What is wrong with an input, field by field; a rule of ours is told in its own words."""
    told = []
    for one in error.errors(include_url=False):
        where = ".".join(str(part) for part in one["loc"])
        said, given = one["msg"].removeprefix("Value error, "), repr(one["input"])
        if one["type"] == "value_error" and not where:
            told.append(said)
        else:
            told.append(f"{where or 'input'}: {said}, given {given[:SHOWN]}{'…' if len(given) > SHOWN else ''}")
    return told
