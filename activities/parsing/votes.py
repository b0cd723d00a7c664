"""`pvecm status` (or `corosync-quorumtool -s`): the votes as one node counts them.

``Quorum:`` may carry text after the number, ``Flags:`` may be empty, and only current members are listed.
Take a state as settled only when `nodes`, the member list and `total` agree.
"""

import re

from pydantic import BaseModel, ConfigDict

from activities.parsing import reader

_LABEL = re.compile(r"^(?P<label>[A-Z][A-Za-z ]*):[ \t]*(?P<value>.*?)[ \t]*$")
_MEMBER = re.compile(
    r"^\s*(?P<id>0x[0-9a-f]+|\d+)\s+(?P<votes>\d+)(?:\s+(?P<device>(?:A|NA|NR)(?:,N?V,N?MW)?))?\s+(?P<name>\S.*?)\s*$"
)


class Member(BaseModel):
    """One row of the membership; `device` is the Qdevice column (``A,V,NMW``), empty without a device."""

    model_config = ConfigDict(frozen=True)

    node_id: int
    votes: int
    device: str = ""
    name: str


class VoteCount(BaseModel):
    """The votes as one node counts them."""

    model_config = ConfigDict(frozen=True)

    nodes: int
    expected: int
    total: int
    quorum: int
    quorate: bool
    flags: tuple[str, ...]
    members: tuple[Member, ...]
    device_votes: int | None

    @property
    def has_device(self) -> bool:
        """A quorum device is registered, voting or not."""
        return self.device_votes is not None

    @property
    def settled(self) -> bool:
        """Membership and votes were taken at the same moment of corosync's life."""
        return self.nodes == len(self.members) and self.total == sum(m.votes for m in self.members) + (
            self.device_votes or 0
        )


@reader
def parse_votes(text: str) -> VoteCount:
    """The votes in the output of `pvecm status`; it cannot be read when the quorum part is missing."""
    labels: dict[str, str] = {}
    members: list[Member] = []
    device_votes: int | None = None
    in_members = False
    for line in text.splitlines():
        in_members = in_members or line.startswith("Membership information")
        if in_members:
            if (row := _MEMBER.match(line)) is None:
                continue
            if int(row["id"], 0) == 0:
                device_votes = int(row["votes"])
            else:
                name = row["name"].removesuffix("(local)").strip()
                members.append(
                    Member(node_id=int(row["id"], 0), votes=row["votes"], device=row["device"] or "", name=name)
                )
        elif label := _LABEL.match(line):
            labels[label["label"]] = label["value"]
    missing = {"Nodes", "Expected votes", "Total votes", "Quorum", "Quorate"} - labels.keys()
    if missing:
        raise ValueError(f"no {', '.join(sorted(missing))} in {text.strip()[:200]!r}")
    return VoteCount(
        nodes=labels["Nodes"],
        expected=labels["Expected votes"],
        total=labels["Total votes"],
        quorum=labels["Quorum"].partition(" ")[0],
        quorate=labels["Quorate"] == "Yes",
        flags=tuple(labels.get("Flags", "").split()),
        members=tuple(members),
        device_votes=device_votes,
    )
