"""Switching the power of nodes: what is planned, for which nodes, in which order. Pure."""

from collections.abc import Iterable

from cluster.approval import Approval
from cluster.breakglass.judged import Judged
from cluster.inventory import Inventory
from cluster.nouns import Value
from cluster.plan import Finding, Intent, Wish


class MachineWish(Value):
    """A node whose management controller is asked whether it is that node's."""

    node: str


class MachineFinding(Finding):
    """Its power, by the word of its controller."""

    on: bool


class PowerWish(Wish):
    """The power of one node, on or off; `turn` is its place in the plan."""

    node: str
    on: bool
    turn: int
    approval: Approval | None = None

    @property
    def intent(self) -> Intent:
        """The change."""
        return switched(self.node, on=self.on, turn=self.turn)


def switched(node: str, *, on: bool, turn: int) -> Intent:
    """The change of one node's power."""
    what = "power on" if on else "power off"
    return Intent(where="BMC", what=what, target=node, turn=turn, verb="start" if on else "disable")


class PowerPlan(Value):
    """Nodes in the order in which they are switched; `by_hand` are those that have no controller in the inventory."""

    on: bool
    nodes: tuple[str, ...]
    by_hand: tuple[str, ...] = ()

    @property
    def intents(self) -> tuple[Intent, ...]:
        """What people agree to."""
        return tuple(switched(node, on=self.on, turn=turn) for turn, node in enumerate(self.nodes, start=1))

    def differs(self, now: "PowerPlan", done: Iterable[str]) -> str:
        """What is otherwise than it was agreed, apart from nodes that are switched; empty while it is the same."""
        gone = set(done)
        if more := [node for node in now.nodes if node not in self.nodes and node not in gone]:
            return f"the plan has changed: {', '.join(more)} would be switched too"
        return ""


def plan_off(site: str, judged: Judged, inventory: Inventory) -> PowerPlan:
    """The nodes of a site that may be running: all that no controller calls off."""
    nodes = [node for node in inventory.site(site).nodes if node.name not in judged.off]
    return PowerPlan(
        on=False,
        nodes=tuple(node.name for node in nodes if node.bmc is not None),
        by_hand=tuple(node.name for node in nodes if node.bmc is None),
    )


def plan_on(judged: Judged, inventory: Inventory) -> PowerPlan:
    """The nodes that are off, those of a site whose array serves the pod first; the order of the inventory else."""
    ranked = sorted(inventory.sites, key=lambda site: site.array not in judged.serving)
    nodes = [node for site in ranked for node in site.nodes if node.name in judged.off]
    unknown = [node.name for node in inventory.nodes if node.bmc is None and node.name not in judged.answers]
    return PowerPlan(on=True, nodes=tuple(node.name for node in nodes), by_hand=tuple(unknown))
