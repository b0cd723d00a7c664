"""A node's iSCSI sessions and the records they are made from: what is missing, and what a reboot would lose. Pure.

A host may have several interfaces for storage, each with sessions of its own, or one: how many paths lead to a portal
is the host's affair, as long as it is the same for each. Portals are spelt as `iscsiadm` does: ``10.22.1.1:3260``.
"""

from collections.abc import Iterable, Mapping, Sequence

from cluster.nouns import Value

DEFAULT_IFACE = "default"
LOGGED_IN = "LOGGED_IN"
AUTOMATIC, MANUAL = "automatic", "manual"


class Session(Value):
    """One session, through one of the host's iSCSI interfaces; `state` in the words of open-iscsi."""

    portal: str
    iqn: str
    iface: str = DEFAULT_IFACE
    state: str = LOGGED_IN

    @property
    def logged_in(self) -> bool:
        """It carries commands."""
        return self.state == LOGGED_IN


class Record(Value):
    """What open-iscsi has noted of a portal for one interface: `startup` is ``automatic`` or ``manual``."""

    portal: str
    iqn: str
    iface: str = DEFAULT_IFACE
    group: int = 1  # the target portal group's tag, part of where the record is kept
    startup: str = MANUAL
    auth_method: str = "None"
    username: str = ""


class Way(Value):
    """One portal of one target, through one interface."""

    iqn: str
    portal: str
    iface: str = DEFAULT_IFACE

    @property
    def shown(self) -> str:
        """For people: the interface is told where there is a choice."""
        return self.portal if self.iface == DEFAULT_IFACE else f"{self.portal} through {self.iface}"


def unconnected(iqn: str, portals: Sequence[str], sessions: Sequence[Session]) -> tuple[str, ...]:
    """The portals of a target without any session."""
    there = {one.portal for one in sessions if one.iqn == iqn}
    return tuple(portal for portal in portals if portal not in there)


def unused(iqn: str, portals: Sequence[str], sessions: Sequence[Session], records: Sequence[Record]) -> tuple[Way, ...]:
    """The ways that are recorded and have no session, at portals that have another one."""
    there = {(one.portal, one.iface) for one in sessions if one.iqn == iqn}
    connected = {portal for portal, _ in there}
    return tuple(
        Way(iqn=iqn, portal=one.portal, iface=one.iface)
        for one in records
        if one.iqn == iqn and one.portal in portals and one.portal in connected
        if (one.portal, one.iface) not in there
    )


def uneven(iqns: Mapping[str, str], portals: Mapping[str, Sequence[str]], sessions: Sequence[Session]) -> str:
    """Why the sessions are not the same number at each portal, in words; empty when they are.

    `iqns` and `portals` are by array. A session that is not logged in counts as none.
    """
    if failed := [one for one in sessions if not one.logged_in and _ours(one, iqns, portals)]:
        said = ", ".join(
            f"{Way(iqn=one.iqn, portal=one.portal, iface=one.iface).shown} is {one.state}" for one in failed
        )
        return f"not every session carries: {said}"
    counts = _counts(iqns, portals, sessions)
    if len({len(ifaces) for ifaces in counts.values()}) < 2:
        return ""
    most = max(len(ifaces) for ifaces in counts.values())
    few = {key: ifaces for key, ifaces in counts.items() if len(ifaces) < most}
    widest = next(ifaces for ifaces in counts.values() if len(ifaces) == most)
    said = ", ".join(
        f"{portal} of {array} has {len(ifaces)} ({', '.join(ifaces) or 'none'})"
        for (array, portal), ifaces in few.items()
    )
    return f"each portal needs the same number of sessions: {said}, others have {most} ({', '.join(widest)})"


def _counts(
    iqns: Mapping[str, str], portals: Mapping[str, Sequence[str]], sessions: Sequence[Session]
) -> dict[tuple[str, str], list[str]]:
    """The interfaces that have a session, by array and portal."""
    return {
        (array, portal): sorted(one.iface for one in sessions if (one.iqn, one.portal) == (iqn, portal))
        for array, iqn in iqns.items()
        for portal in portals[array]
    }


def _ours(one: Session, iqns: Mapping[str, str], portals: Mapping[str, Sequence[str]]) -> bool:
    return any(one.iqn == iqn and one.portal in portals[array] for array, iqn in iqns.items())


def widest(iqns: Mapping[str, str], portals: Mapping[str, Sequence[str]], sessions: Sequence[Session]) -> int:
    """How many sessions each portal should have: as many as any has, one at least."""
    return max(1, *(len(ifaces) for ifaces in _counts(iqns, portals, sessions).values()))


def beside(iqn: str, portals: Sequence[str], sessions: Sequence[Session]) -> tuple[str, ...]:
    """Portals of the target that have a session and are none of these."""
    return tuple(dict.fromkeys(one.portal for one in sessions if one.iqn == iqn and one.portal not in portals))


def manual(iqn: str, portals: Sequence[str], records: Iterable[Record]) -> tuple[Record, ...]:
    """Records of these portals that no boot logs in to."""
    return tuple(one for one in records if one.iqn == iqn and one.portal in portals and one.startup != AUTOMATIC)


def strangers(iqn: str, portals: Sequence[str], records: Iterable[Record]) -> tuple[Record, ...]:
    """Records of the target's other portals that a boot would log in to, and wait for."""
    return tuple(one for one in records if one.iqn == iqn and one.portal not in portals and one.startup == AUTOMATIC)
