"""While a person switches an emptied site off: which nodes are on, and what speaks against going on. All reads."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio import activity

from activities.attempt import look_again
from activities.errors import Refuted
from activities.maintenance import Maintenance
from activities.quarantine import QuarantineWard
from cluster.evacuation import DarkFinding, DarkWish
from cluster.quarantine import Check, QuarantineWish

if TYPE_CHECKING:
    from activities.vantage import Clients

# Between two looks, in seconds of the cluster's time.
EVERY = 5.0
# What a person who holds the plug has to see, with the check that tells it.
LIVE = {"votes": "All votes are back", "pod": "Pod is online on both arrays"}
# What says nothing of how well the survivor is.
BESIDE = ("No lock and no task is left over",)


class Dark:
    """Activities on a site that is being switched off. `speed` is how much faster than the wall a rehearsal runs."""

    def __init__(self, clients: "Clients", ha: Maintenance, ward: QuarantineWard, speed: float = 1.0) -> None:
        self._clients, self._ha, self._ward, self._speed = clients, ha, ward, speed

    @activity.defn(name="ha.dark")
    async def dark(self, wish: DarkWish) -> DarkFinding:
        """Tell how things stand, as soon as that is news; Refuted when HA fences a node, which then was not empty."""
        while True:
            found = await self._looked(wish)
            if wish.known is None or not found.on or found.key != wish.known:
                return found
            await look_again(EVERY / self._speed, found.finding)

    async def _looked(self, wish: DarkWish) -> DarkFinding:
        at = wish.at
        node, view = await self._ha.quorate(at.others)
        if fenced := [name for name in at.nodes if view.nodes.get(name) == "fence"]:
            raise Refuted(f"HA fences {', '.join(fenced)}: it was not in maintenance, or not empty")
        entries = await self._clients.get("cluster/status", node)
        on = _on(entries, at.nodes)
        if not on:
            return DarkFinding(finding=f"{len(at.nodes)} nodes are off, none was fenced", on=())
        if len(on) < len(at.nodes):
            return DarkFinding(finding=f"on: {', '.join(on)}; going dark", on=on)
        checks = await self._ward.checks(QuarantineWish(site=wish.survivor, soak=timedelta(), without=BESIDE))
        against = tuple(f"{check.title}: {check.said}" for check in checks if not check.holds)
        states = {name: view.nodes.get(name, "unknown") for name in at.nodes}
        awake = [f"{name} is {state} to HA" for name, state in states.items() if state != "maintenance"]
        live = _live(checks)
        said = f"on: {', '.join(on)}; {live}"
        return DarkFinding(finding=said, on=on, against=(*against, *awake), live=live)


def _on(entries: list[dict[str, Any]], nodes: tuple[str, ...]) -> tuple[str, ...]:
    online = {one["name"] for one in entries if one["type"] == "node" and one.get("online")}
    return tuple(node for node in nodes if node in online)


def _live(checks: tuple[Check, ...]) -> str:
    """Votes, which count the witness, and the pod, in the words of their checks."""
    said = {check.title: check.said for check in checks}
    return "; ".join(f"{word}: {said[title]}" for word, title in LIVE.items() if title in said)
