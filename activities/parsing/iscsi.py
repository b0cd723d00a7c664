"""open-iscsi: targets from a discovery, sessions of a host, its own name."""

import re

from pydantic import BaseModel, ConfigDict

_TARGET = re.compile(r"^(?P<portal>\S+:\d+),(?P<tag>-?\d+) (?P<iqn>\S+)$")
_SESSION = re.compile(r"^\w+: \[(?P<sid>\d+)\] (?P<portal>\S+:\d+),-?\d+ (?P<iqn>\S+)")
_INITIATOR = re.compile(r"^\s*InitiatorName\s*=\s*(?P<iqn>\S+)", re.MULTILINE)


class Target(BaseModel):
    """One portal of one target: ``10.22.1.1:3260`` and the array's iqn."""

    model_config = ConfigDict(frozen=True)

    portal: str
    iqn: str


def parse_targets(text: str) -> list[Target]:
    """What `iscsiadm -m discovery` or `iscsiadm -m node` lists."""
    lines = filter(None, map(str.strip, text.splitlines()))
    return [Target(portal=found["portal"], iqn=found["iqn"]) for line in lines if (found := _TARGET.match(line))]


def parse_sessions(text: str) -> list[Target]:
    """What `iscsiadm -m session` lists; it prints nothing on stdout when there is none."""
    lines = filter(None, map(str.strip, text.splitlines()))
    return [Target(portal=found["portal"], iqn=found["iqn"]) for line in lines if (found := _SESSION.match(line))]


def parse_initiator(text: str) -> str:
    """The host's own name in `/etc/iscsi/initiatorname.iscsi`; a comment line may stand before it."""
    if found := _INITIATOR.search(text):
        return found["iqn"].lower()
    raise ValueError("/etc/iscsi/initiatorname.iscsi holds no InitiatorName line")
