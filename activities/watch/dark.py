"""While a person switches an emptied site off: which nodes are on, and what speaks against going on. All reads."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio.exceptions import ApplicationError

from activities.attempt import look_again, paced
from activities.clients.quick import LIMIT
from activities.errors import Refuted
from activities.ha.maintenance import Maintenance
from activities.parsing.looks import array_view
from activities.parsing.votes import VoteCount, parse_votes
from activities.serving import serves
from activities.watch.quarantine import QuarantineWard
from cluster.contracts import watch
from cluster.dark import about
from cluster.evacuation import DarkFinding, DarkWish
from cluster.inventory import Inventory
from cluster.quarantine import Check, QuarantineWish

if TYPE_CHECKING:
    from activities.clients.quick import Clients
from cluster.units import counted

# Between two looks, in seconds of the cluster's time.
EVERY = 5.0
# What a person who holds the plug has to see, with the check that tells it.
LIVE = {"votes": "All votes are back", "pod": "Pod is online on both arrays"}
# What says nothing of how well the survivor is.
BESIDE = ("No lock and no task is left over",)


class Dark:
    """Activities on a site that is being switched off. `speed` is how much faster than the wall its time runs."""

    def __init__(
        self, inventory: Inventory, clients: "Clients", ha: Maintenance, ward: QuarantineWard, speed: float = 1.0
    ) -> None:
        self._inventory, self._clients, self._ha, self._ward, self._speed = inventory, clients, ha, ward, speed

    @serves(watch.dark)
    async def dark(self, wish: DarkWish) -> DarkFinding:
        """Tell how things stand, as soon as that is news; Refuted when HA fences a node, which then was not empty."""
        while True:
            found = await self._looked(wish)
            if wish.known is None or not found.on or found.key != wish.known:
                return found
            await look_again(paced(EVERY, self._speed), found.finding)

    async def _looked(self, wish: DarkWish) -> DarkFinding:
        at = wish.at
        node, view = await self._ha.quorate(at.others)
        if fenced := [name for name in at.nodes if view.nodes.get(name) == "fence"]:
            raise Refuted(f"HA fences {', '.join(fenced)}: it was not in maintenance, or not empty")
        entries = await self._clients.get("cluster/status", node)
        on = _on(entries, at.nodes)
        if not on:
            return DarkFinding(finding=f"{counted(len(at.nodes), 'node is', 'nodes are')} off, none was fenced", on=())
        going = len(on) < len(at.nodes)
        if going:
            against, live = await self._survivor(wish), "going dark"
        else:
            checks = await self._ward.checks(QuarantineWish(site=wish.survivor, soak=timedelta(), without=BESIDE))
            against = [(check.title, f"{check.title}: {check.said}") for check in checks if not check.holds]
            states = {name: view.nodes.get(name, "unknown") for name in at.nodes}
            resting = [(name, f"{name} is {state} to HA") for name, state in states.items() if state != "maintenance"]
            against, live = [*against, *resting], _live(checks)
        return DarkFinding(
            finding=f"on: {', '.join(on)}; {live}",
            on=on,
            against=tuple(said for _, said in against),
            about=tuple(about(kind, said, self._names) for kind, said in against),
            live="" if going else live,
        )

    @property
    def _names(self) -> tuple[str, ...]:
        inventory = self._inventory
        nodes = (node.name for node in inventory.nodes)
        return (*nodes, *(array.name for array in inventory.arrays), inventory.decider)

    async def _survivor(self, wish: DarkWish) -> list[tuple[str, str]]:
        """What the survivor cannot do without once nodes of the other site are off, by kind: witness, quorum, pod."""
        site = self._inventory.site(wish.survivor)
        views = await asyncio.gather(*(self._votes(node.name) for node in site.nodes))
        told = [view for view in views if view is not None]
        return [*self._decided(told, wish), *await self._pod(site.array)]

    def _decided(self, told: list[tuple[str, VoteCount]], wish: DarkWish) -> list[tuple[str, str]]:
        """By the quorum device, or by the nodes at a third place."""
        if self._inventory.third is None:
            return _votes(told, wish, self._inventory.decider)
        stand = [self._inventory.node(name) for name in wish.at.nodes]
        there = {spelt for node in stand for spelt in (node.name, node.address, *node.links)}
        return _without(told, wish, there, self._inventory.third.name)

    async def _votes(self, node: str) -> tuple[str, VoteCount] | None:
        try:
            answer = await self._clients.ssh.run(node, "pvecm", "status", limit=LIMIT)
            return node, parse_votes(answer.stdout)
        except ApplicationError:
            return None

    async def _pod(self, array: str) -> list[tuple[str, str]]:
        """The survivor's own copies, in its array's own words."""
        found = await asyncio.gather(*(self._copy(array, pod.name) for pod in self._inventory.all_pods))
        return [said for one in found for said in one]

    def _told(self, pod: str) -> str:
        return pod if len(self._inventory.all_pods) > 1 else "the pod"

    async def _copy(self, array: str, pod: str) -> list[tuple[str, str]]:
        try:
            found = await self._clients.threaded(lambda: self._clients.arrays[array].pod(pod))
        except ApplicationError as error:
            return [("pod", f"{array} does not report its copy of {self._told(pod)}: {error.message}")]
        copy = array_view(found, None, [], [], {})["copies"].get(array)
        word = copy.status if copy else "missing"
        return [] if word == "online" else [("pod", f"the copy of {pod} on {array} is {word}")]


def _without(told: list[tuple[str, VoteCount]], wish: DarkWish, there: set[str], third: str) -> list[tuple[str, str]]:
    """What is left once the nodes that are called so, `there`, are off."""
    if not told or not all(view.quorate for _, view in told):
        return _votes(told, wish, third)
    left = min(view.total - sum(member.name in there for member in view.members) for _, view in told)
    needed = max(view.quorum for _, view in told)
    said = f"without {wish.at.site} {left} votes are left, {needed} are needed: bring {third} back first"
    return [("witness", said)] if left < needed else []


def _votes(told: list[tuple[str, VoteCount]], wish: DarkWish, witness: str) -> list[tuple[str, str]]:
    if not told:
        return [("quorum", f"no node of {wish.survivor} reports its votes")]
    if lost := [node for node, view in told if not view.quorate]:
        return [("quorum", f"{', '.join(lost)} have no quorum")]
    if without := [node for node, view in told if view.settled and not view.device_votes]:
        said = f"{witness} gives {', '.join(without)} no vote: the quorum goes with {wish.at.site}"
        return [("witness", said)]
    return []


def _on(entries: list[dict[str, Any]], nodes: tuple[str, ...]) -> tuple[str, ...]:
    online = {one["name"] for one in entries if one["type"] == "node" and one.get("online")}
    return tuple(node for node in nodes if node in online)


def _live(checks: tuple[Check, ...]) -> str:
    """Votes, which count the witness, and the pod, in the words of their checks."""
    said = {check.title: check.said for check in checks}
    return "; ".join(f"{word}: {said[title]}" for word, title in LIVE.items() if title in said)
