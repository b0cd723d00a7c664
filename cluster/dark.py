"""What a person reads while they switch a site off, and what is news to them. Pure."""

import re
from collections.abc import Iterable

from cluster.conditions import GRAVITY, Kind


def about(kind: str, said: str, names: Iterable[str]) -> str:
    """A kind with the places that its text names: ``Storage is active pxmx02-01``."""
    places = [name for name in names if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", said)]
    return " ".join((kind, *places))


# What a site that is being switched off does by itself to the cluster; all else is graver than the switching.
_GOES_WITH_THE_DARK: tuple[Kind, ...] = (
    "site-lost", "site-isolated", "node-lost", "undetermined", "array-lost", "paths-lost", "replication-lost",
    "ha-error", "ha-impaired", "links-down", "storage-inactive", "replication-degraded", "resyncing", "paths-degraded",
    "blind", "not-deployed", "healthy",
)  # fmt: skip
_GRAVER = re.compile(rf"(?<![\w-])(?:{'|'.join(kind for kind in GRAVITY if kind not in _GOES_WITH_THE_DARK)})(?![\w-])")


def plug(site: str, *, going: bool, against: Iterable[str], holds: str) -> str:
    """What the person with the plug reads first: what speaks against it leads, from the first node to the last.

    `going`: some nodes are off already. `holds` is why the run itself would have to hold: an incident that tells of the
    dark alone says nothing new then.
    """
    told = holds if not going or _GRAVER.search(holds) else ""
    reasons = "; ".join(filter(None, (*against, told)))
    if reasons and going:
        return f"Do not switch off any more machines of {site}: {reasons}"
    if reasons:
        return f"Do not cut the power of {site} now: {reasons}"
    if going:
        return f"{site} is going dark: switch off the rest of its machines"
    return f"Switch off the machines of {site}: it is empty"
