"""The machine itself: whether what the inventory refers to is there, and whether there is room. Pure."""

from collections.abc import Sequence

from cluster.doctor.check import About, Check
from cluster.nouns import Value
from cluster.units import counted, size

# Histories and records of a year of small incidents take less; traces have a limit of their own on top.
ROOM = 2**30


class HereTold(Value):
    """`complaints` are what `quorate check` has found; `free` is in bytes, None where the folder is not writable."""

    complaints: tuple[str, ...]
    file: str
    folder: str
    free: int | None
    traces: int  # bytes that kept traces may take


def here(told: HereTold) -> list[Check]:
    """The inventory's references, and the folder where runs, traces and records are kept."""
    return [_inventory(told.complaints, told.file), _folder(told)]


def _inventory(complaints: Sequence[str], file: str) -> Check:
    about = About(area="here", subject="inventory", what="references")
    if complaints:
        rest = f" and {counted(len(complaints) - 1, 'thing')} more" if len(complaints) > 1 else ""
        return about.wrong(f"{complaints[0]}{rest}", f"quorate check {file}")
    return about.ok("secrets, certificates and lists are there")


def _folder(told: HereTold) -> Check:
    about = About(area="here", subject="state folder", what="disk")
    if told.free is None:
        return about.wrong(f"{told.folder} cannot be written to by this user", "name another one: QUORATE_STATE=FOLDER")
    if told.free < ROOM + told.traces:
        return about.wrong(
            f"{size(told.free)} free for {told.folder}; runs, records and traces may take {size(ROOM + told.traces)}",
            "make room, or name a folder on another disk: QUORATE_STATE=FOLDER",
        )
    return about.ok(f"room for runs, records and traces in {told.folder}")
