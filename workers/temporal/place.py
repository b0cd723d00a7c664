"""Where the server of `quorate up` answers, for the commands that are typed beside it in the same folder."""

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "temporal.json"


@contextmanager
def written(state: Path, address: str) -> Iterator[None]:
    """While it runs its address stands in the state folder."""
    place = state / NAME
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"address": address, "pid": os.getpid()}) + "\n")
    try:
        yield
    finally:
        place.unlink(missing_ok=True)


def read(state: Path) -> str | None:
    """The address of a server that was started here and still runs; None when there is none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads((state / NAME).read_text())
        os.kill(int(known["pid"]), 0)
        return str(known["address"])
    return None
