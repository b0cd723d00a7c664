"""open-iscsi: targets from a discovery, sessions of a host, its own name."""

import re

from pydantic import BaseModel, ConfigDict

from activities.parsing import reader

_TARGET = re.compile(r"^(?P<portal>\S+:\d+),(?P<tag>-?\d+) (?P<iqn>\S+)$")
_SESSION = re.compile(r"^\w+: \[(?P<sid>\d+)\] (?P<portal>\S+:\d+),-?\d+ (?P<iqn>\S+)")
_INITIATOR = re.compile(r"^\s*InitiatorName\s*=\s*(?P<iqn>\S+)", re.MULTILINE)


class Target(BaseModel):
    """One portal of one target: ``10.22.1.1:3260`` and the array's iqn."""

    model_config = ConfigDict(frozen=True)

    portal: str
    iqn: str


@reader
def parse_targets(text: str) -> list[Target]:
    """What `iscsiadm -m discovery` or `iscsiadm -m node` lists."""
    return _targets(_TARGET, text)


@reader
def parse_sessions(text: str) -> list[Target]:
    """What `iscsiadm -m session` lists; it prints nothing on stdout when there is none."""
    return _targets(_SESSION, text)


def _targets(row: re.Pattern[str], text: str) -> list[Target]:
    targets = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if (found := row.match(line)) is None:  # passed over, it would be a portal that is not there
            raise ValueError(repr(line[:80]))
        targets.append(Target(portal=found["portal"], iqn=found["iqn"]))
    return targets


@reader
def parse_initiator(text: str) -> str:
    """The host's own name in `/etc/iscsi/initiatorname.iscsi`; a comment line may stand before it."""
    if found := _INITIATOR.search(text):
        return found["iqn"].lower()
    raise ValueError("it holds no InitiatorName line")
