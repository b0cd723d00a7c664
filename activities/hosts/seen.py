"""A node's map and sessions against the paths that are wished. Pure."""

from dataclasses import dataclass

from activities.parsing.multipath import Map
from cluster.contracts.hosts import ArrayPaths, PathsWish
from cluster.sessions import Session, beside, uneven, widest


@dataclass(frozen=True)
class Seen:
    """What a node has before it is judged; `map` is None where multipath knows no such device."""

    map: Map | None
    sessions: tuple[Session, ...]

    def usable(self, array: ArrayPaths) -> int:
        """The usable paths through an array, of the priority that it should give them."""
        return self.map.usable(array.priority, array.lun) if self.map else 0

    def wrong(self, wish: PathsWish) -> str:
        """What differs from the wished paths, in words; empty when nothing does."""
        if self.map is None:
            return f"multipath shows no device {wish.wwid}"
        wrong = [] if self.map.handler == "1 alua" else [f"hwhandler is '{self.map.handler}', not '1 alua'"]
        wrong += filter(None, (self._lacking(wish, array) for array in wish.arrays))
        total = sum(len(group.paths) for group in self.map.groups)
        if not wrong and (len(self.map.groups) != 2 or total != sum(self._expected(wish, one) for one in wish.arrays)):
            wrong.append(f"{len(self.map.groups)} path groups with {total} paths instead of 2 groups")
        # paths may be whole while sessions are not: a session that carries nothing has none
        return "; ".join(wrong) or uneven(_iqns(wish), _portals(wish), self.sessions)

    def _lacking(self, wish: PathsWish, array: ArrayPaths) -> str:
        if more := beside(array.iqn, array.portals, self.sessions):
            return (
                f"there are sessions to {', '.join(more)} of {array.array}, which arrays.portals leaves out; log them "
                f"out by hand: iscsiadm -m node -T {array.iqn} -p {more[0]} --logout"
            )
        usable, expected = self.usable(array), self._expected(wish, array)
        if usable == expected:
            return ""
        said = f"{usable} of {expected} paths with prio={array.priority} through {array.shown}"
        well = {one.portal for one in self.sessions if one.iqn == array.iqn and one.logged_in}
        dark = [portal for portal in array.portals if portal not in well]
        return f"{said}, no session carries at {', '.join(dark)}" if dark else said

    def _expected(self, wish: PathsWish, array: ArrayPaths) -> int:
        """How many paths there should be through an array: as many to each portal as any portal has."""
        return len(array.portals) * widest(_iqns(wish), _portals(wish), self.sessions)


def _iqns(wish: PathsWish) -> dict[str, str]:
    return {one.array: one.iqn for one in wish.arrays}


def _portals(wish: PathsWish) -> dict[str, tuple[str, ...]]:
    return {one.array: one.portals for one in wish.arrays}
