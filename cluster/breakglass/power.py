"""Switching the power of nodes: what is planned, for which nodes, in which order. Pure."""

from collections.abc import Iterable

from pydantic import Field

from cluster.approval import Approval, Veto
from cluster.breakglass.judged import HA_UNTOLD, Judged
from cluster.inventory import Inventory
from cluster.nouns import Value
from cluster.plan import Finding, Intent, Wish
from cluster.units import shortly


class MachineWish(Value):
    """A node whose management controller is asked whether it is that node's."""

    node: str


class MachineFinding(Finding):
    """Its power, by the word of its controller; `named`: it tells the machine's own name, and that is the node's."""

    on: bool
    named: bool = True


class PowerWish(Wish):
    """The power of one node, on or off; `turn` is its place in the plan.

    `nameless`: people have agreed to a controller that does not tell whose machine it switches.
    """

    node: str
    on: bool
    turn: int
    nameless: bool = False
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
    """Nodes in the order in which they are switched; `by_hand` are those that have no controller in the inventory.

    `left` are nodes that are off and stay off, with the reason. `outside` are running guests of these nodes that are
    not under HA, with their nodes; None where nobody tells. `heard`: HA's word is known: of now where nodes go off, of
    what it had in maintenance where they come.
    """

    on: bool
    nodes: tuple[str, ...]
    by_hand: tuple[str, ...] = ()
    left: dict[str, str] = Field(default_factory=dict)
    outside: dict[int, str] | None = Field(default_factory=dict)
    heard: bool = True

    @property
    def intents(self) -> tuple[Intent, ...]:
        """What people agree to."""
        return tuple(switched(node, on=self.on, turn=turn) for turn, node in enumerate(self.nodes, start=1))

    @property
    def vetoes(self) -> tuple[Veto, ...]:
        """What people waive by name: guests that stop with their node, or that HA's word is not known."""
        if self.on and not self.heard:
            why = "what HA had in maintenance is not known, as no watch remembers it"
            return (Veto(name="maintenance-not-known", text=f"{why}: make sure that no node is locked off"),)
        if self.on:
            return ()
        untold = Veto(name="ha-not-known", text=f"{HA_UNTOLD}, and an HA that is disarmed starts none")
        return (*(() if self.heard else (untold,)), *self._stopping)

    @property
    def _stopping(self) -> tuple[Veto, ...]:
        if self.outside == {}:
            return ()
        nodes = shortly(self.nodes, 10)
        if self.outside is None:
            text = f"which guests outside of HA run on {nodes} is not known: they stop, and HA starts them nowhere else"
        else:
            run = shortly([f"{vmid} on {node}" for vmid, node in self.outside.items()], 20)
            text = f"guests outside of HA run on {nodes} ({run}): they stop, and HA starts them nowhere else"
        return (Veto(name="guests-outside-ha", text=text),)

    def differs(self, now: "PowerPlan", done: Iterable[str]) -> str:
        """What is otherwise than it was agreed, apart from nodes that are switched; empty while it is the same."""
        gone = set(done)
        if more := [node for node in now.nodes if node not in self.nodes and node not in gone]:
            return f"the plan has changed: {', '.join(more)} would be switched too"
        if kept := {node: why for node, why in now.left.items() if node in self.nodes and node not in gone}:
            return f"the plan has changed: {'; '.join(f'{node}: {why}' for node, why in kept.items())}"
        known = self.outside
        if known is not None and now.outside is None:
            return "the plan has changed: which guests outside of HA run there is not known any more"
        if known is not None and (come := [one for one in (now.outside or {}).items() if one not in known.items()]):
            said = shortly([f"{vmid} on {node}" for vmid, node in come], 10)
            return f"the plan has changed: guests outside of HA run there now ({said})"
        return ""


def nameless(nodes: Iterable[str]) -> tuple[Veto, ...]:
    """What people waive by name, after a look at the device: it may be the controller of another machine."""
    return tuple(
        Veto(
            name=f"nameless-{node}",
            text=f"the controller of {node} tells no name of its machine: make sure at the device that it is {node}",
        )
        for node in nodes
    )


def plan_off(site: str, judged: Judged, inventory: Inventory) -> PowerPlan:
    """The nodes of a site that may be running: all that no controller calls off."""
    nodes = [node for node in inventory.site(site).nodes if node.name not in judged.off]
    mine = tuple(node.name for node in nodes if node.bmc is not None)
    told = judged.outside
    return PowerPlan(
        on=False,
        nodes=mine,
        by_hand=tuple(node.name for node in nodes if node.bmc is None),
        outside=None if told is None else {vmid: node for vmid, node in told.items() if node in mine},
        heard=judged.tells,
    )


def plan_on(judged: Judged, inventory: Inventory, leave: Iterable[str] = ()) -> PowerPlan:
    """The nodes that are off, those of a site whose array serves the pod first; the order of the inventory else.

    `leave` are nodes that people want left off, and HA's maintenance says the same: they are off on purpose.
    """
    left = dict.fromkeys(judged.resting, "HA had it in maintenance: switch it on by hand once that is over")
    left |= dict.fromkeys(leave, "the request says to leave it off")
    ranked = sorted(inventory.sites, key=lambda site: site.array not in judged.serving)
    # what has votes and no guests comes first: no guest starts beside a quorum that is not there yet
    places = (*((inventory.third,) if inventory.third else ()), *ranked)
    nodes = [node.name for place in places for node in place.nodes if node.name in judged.off]
    unknown = [node.name for node in inventory.nodes if node.bmc is None and node.name not in judged.answers]
    return PowerPlan(
        on=True,
        nodes=tuple(node for node in nodes if node not in left),
        by_hand=tuple(node for node in unknown if node not in left),
        left={node: left[node] for node in (*nodes, *unknown) if node in left},
        heard=judged.heard,
    )
