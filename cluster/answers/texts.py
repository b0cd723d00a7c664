"""What one piece of advice is made of, and the names that stand in its texts for those of the cluster."""

from cluster.answers.affected import named_sids
from cluster.answers.model import Task
from cluster.answers.ways import words
from cluster.conditions import Condition, lost_site
from cluster.inventory import Inventory, Node
from cluster.nouns import Value
from cluster.units import are, shortly

# Whoever switches off what may be alive does not do it alone.
TWO = "two people together"
# What a break-glass runbook does with a task.
PLANNED = "planned, approved by two people and proven"
# Guests whose commands are written out; of more of them the first stands as the example.
WRITTEN_OUT = 3


class Advice(Value):
    """What to know about a condition: its name, how bad it is, what happens by itself, what to do, what never to do.

    In the tables the texts have places, as ``{winner}``; `filled` puts the cluster's own names there. What happens by
    itself is left out where the stake says it.
    """

    title: str
    stake: str
    alone: str = ""
    do: tuple[Task, ...] = ()
    never: str = ""

    def filled(self, condition: Condition, inventory: Inventory) -> "Advice":
        """With the names of this cluster."""
        names = places(condition, inventory)
        return Advice(
            title=self.title.format_map(names),
            stake=self.stake.format_map(names),
            alone=self.alone.format_map(names),
            do=tuple(
                Task(do=task.do.format_map(names), command=task.command.format_map(names), who=task.who)
                for task in self.do
            ),
            never=self.never.format_map(names),
        )


def do(what: str, command: str = "", who: str = "") -> Task:
    """One order, with the command that does it where there is one."""
    return Task(do=what, command=command, who=who)


def places(condition: Condition, inventory: Inventory) -> dict[str, str]:
    """By the name of the place in a text: names and addresses of what the condition is about."""
    where = condition.where
    sites = {site.name: site for site in inventory.sites}
    lost = (lost_site(condition) if where else "") or next((name for name in reversed(where) if name in sites), "")
    named = where[0] if where and where[0] in sites else ""
    winner = named if named and named != lost else inventory.other_site(lost).name if lost else ""
    witness = f"{inventory.decider} ({inventory.device})" if inventory.witness else inventory.decider
    found = {
        **words(inventory.transport),
        "where": shortly(where) or inventory.name,
        "is": are(where),
        "does": "does" if len(where) == 1 else "do",
        "its": "its" if len(where) == 1 else "their",
        "it": "it" if len(where) == 1 else "they",
        "them": "it" if len(where) == 1 else "them",
        "first": where[0] if where else inventory.name,
        "lost": lost or "the lost site",
        "winner": winner or "the other site",
        "power": _powers(sites[winner].nodes) if winner else "",
        "silent": _powers(_silent(condition, inventory)) or "the silent nodes",
        "witness": witness,
        "decides": f"the nodes at {inventory.decider}" if inventory.third else f"the witness {witness}",
        "third": inventory.decider,
        "address": inventory.device,
        "pod": " or ".join(condition.of or (pod.name for pod in inventory.all_pods)),
        "storage": " or ".join(condition.of or (storage.id for storage in inventory.all_storages)),
        **_pods(condition, inventory),
        "guests": "",
        "revive": "",
    }
    if condition.kind == "ha-error":
        found |= {
            "guests": named_sids(where, inventory),
            "revive": _each("ha-manager set {} --state disabled && ha-manager set {} --state started", where),
        }
    return found


def _pods(condition: Condition, inventory: Inventory) -> dict[str, str]:
    """Which pods a text is about: with one pod there is nothing to tell apart."""
    named = f"pod{'s' if len(condition.of) > 1 else ''} {' and '.join(condition.of)}" if condition.of else ""
    arrays = [array.name for array in inventory.arrays]
    other = inventory.peer(condition.where[0]).name if condition.where and condition.where[0] in arrays else ""
    return {
        "the pod": named or ("the pods" if len(inventory.all_pods) > 1 else "the pod"),
        "of pod": f" of {named}" if named else "",
        "on pod": f" on {named}" if named else "",
        "peer": other or "the other array",
    }


def _silent(condition: Condition, inventory: Inventory) -> tuple[Node, ...]:
    """The nodes that the condition names itself, or those of the sites that it names."""
    sites = {node.name for site in inventory.sites if site.name in condition.where for node in site.nodes}
    return tuple(node for node in inventory.nodes if node.name in (condition.nodes or sites))


def _powers(nodes: tuple[Node, ...]) -> str:
    """Nodes with the address of their management controllers: where the power is switched."""
    return ", ".join(f"{node.name} ({_controller(node)})" for node in nodes)


def _controller(node: Node) -> str:
    return f"BMC {node.bmc.address}" if node.bmc is not None else "no BMC in the inventory: at the rack"


def _each(command: str, sids: tuple[str, ...]) -> str:
    """The command for each of them; of many only the first."""
    return "; ".join(command.replace("{}", sid) for sid in sids[: WRITTEN_OUT if len(sids) <= WRITTEN_OUT else 1])
