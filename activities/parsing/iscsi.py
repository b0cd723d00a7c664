"""open-iscsi: targets from a discovery, records and sessions of a host, its own name."""

import re

from pydantic import BaseModel, ConfigDict

from activities.parsing import reader
from cluster.addresses import netloc
from cluster.sessions import Record, Session

_TARGET = re.compile(r"^(?P<portal>\S+:\d+),(?P<tag>-?\d+) (?P<iqn>\S+)$")
_INITIATOR = re.compile(r"^\s*InitiatorName\s*=\s*(?P<iqn>\S+)", re.MULTILINE)
# `iscsiadm -m session -P 1`: what is at which indent says what it belongs to, so the words before the colon count.
_SESSION = re.compile(r"^\s*(?P<name>Target|Persistent Portal|Iface Name|iSCSI Session State): (?P<value>.*)$")
_FIELD = re.compile(r"^(?P<name>[\w.\[\]]+) = ?(?P<value>.*)$")
_BEGIN, _END, _EMPTY = "# BEGIN RECORD", "# END RECORD", "<empty>"


class Target(BaseModel):
    """One portal of one target: ``10.22.1.1:3260`` and the array's iqn."""

    model_config = ConfigDict(frozen=True)

    portal: str
    iqn: str


@reader
def parse_targets(text: str) -> list[Target]:
    """What `iscsiadm -m discovery` or `iscsiadm -m node` lists."""
    targets = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if (found := _TARGET.match(line)) is None:  # passed over, it would be a portal that is not there
            raise ValueError(repr(line[:80]))
        targets.append(Target(portal=found["portal"], iqn=found["iqn"]))
    return targets


@reader
def parse_sessions(text: str) -> tuple[Session, ...]:
    """`iscsiadm -m session -P 1`: each session with its interface; it prints nothing on stdout when there is none.

    The portal is the persistent one, which the record and the array know; a target may have moved the login.
    """
    sessions: list[Session] = []
    known: dict[str, str] = {}
    for line in filter(str.strip, text.splitlines()):
        if not (found := _SESSION.match(line)):
            continue
        known[found["name"]] = found["value"].strip()
        if found["name"] == "iSCSI Session State":  # the last line of a session that is read
            sessions.append(_session(known))
    if text.strip() and not sessions:
        raise ValueError(f"no session in {text.strip()[:80]!r}")
    return tuple(sessions)


def _session(known: dict[str, str]) -> Session:
    try:
        return Session(
            portal=known["Persistent Portal"].rsplit(",", 1)[0],
            iqn=known["Target"].split(" ", 1)[0],
            iface=known["Iface Name"],
            state=known["iSCSI Session State"],
        )
    except KeyError as missing:
        raise ValueError(f"a session without {missing}") from None


@reader
def parse_records(text: str) -> tuple[Record, ...]:
    """`iscsiadm -m node -o show`: every record; secrets are stars in it."""
    records: list[Record] = []
    fields: dict[str, str] | None = None
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith(_BEGIN):
            fields = {}
        elif line == _END and fields is not None:
            records.append(_record(fields))
            fields = None
        elif fields is not None and (found := _FIELD.match(line)):
            value = found["value"].strip()
            fields[found["name"]] = "" if value == _EMPTY else value
        else:
            raise ValueError(repr(line[:80]))
    if fields is not None:
        raise ValueError("it ends within a record")
    return tuple(records)


def _record(fields: dict[str, str]) -> Record:
    try:
        host, port = fields["node.conn[0].address"], fields["node.conn[0].port"]
        return Record(
            portal=f"{netloc(host)}:{port}",
            iqn=fields["node.name"],
            iface=fields["iface.iscsi_ifacename"],
            group=int(fields["node.tpgt"]),
            startup=fields["node.startup"],
            auth_method=fields.get("node.session.auth.authmethod", "None"),
            username=fields.get("node.session.auth.username", ""),
        )
    except KeyError as missing:
        raise ValueError(f"a record without {missing}") from None


@reader
def parse_initiator(text: str) -> str:
    """The host's own name in `/etc/iscsi/initiatorname.iscsi`; a comment line may stand before it."""
    if found := _INITIATOR.search(text):
        return found["iqn"].lower()
    raise ValueError("it holds no InitiatorName line")
