"""No node that answers is quorate, or no node answers at all."""

from datetime import timedelta

from cluster.conditions import Condition, doubt
from cluster.evidence import FORGETS, client_numbers, clients_of
from cluster.inventory import Inventory
from cluster.looks import Facts, VotesLook
from cluster.memory import Memory


def nobody(facts: Facts, memory: Memory, inventory: Inventory) -> tuple[list[Condition], bool]:
    """No node answers here. The witness without clients says the same, unless it has just been started."""
    witness, last = facts.witness, max((*memory.alive.values(), *memory.counted.values()), default=facts.at)
    answering = [look for look in facts.arrays.values() if look.answered]
    answered = [look.source for look in facts.looks if look.answered]
    said = f"what answers: {', '.join(answered)}" if answered else "this worker may be cut off itself"
    silence = doubt("silence", f"no node reports its votes to this worker; {said}", unless="any node reports its votes")
    if witness is None or not witness.answered or witness.clients or any(look.logins for look in answering):
        return [silence], False
    patience = FORGETS + (memory.totem.detection if memory.totem else timedelta())
    if (facts.at - max(last, memory.unbroken or last)) * facts.speed < patience:
        return [silence], True
    arrays = f"{', '.join(look.by for look in answering)} answer" if answering else "and no array answers"
    reasons = [f"no node answers, {arrays}", f"{witness.by} answers and has no client"]
    if len(answered) == 1:
        reasons.append("a worker at a third place that is cut off from both sites would see the same")
    every = tuple(node.name for node in inventory.nodes)
    return [Condition(kind="quorum-lost", nodes=every, reasons=tuple(reasons), unless=("any node answers",))], False


def no_quorum(
    views: dict[str, VotesLook], facts: Facts, memory: Memory, inventory: Inventory
) -> tuple[list[Condition], bool]:
    """No node that answers is quorate; whether another one is, only the witness could know."""
    dark = [node.name for node in inventory.nodes if node.name not in views]
    here = ", ".join(views)
    if len(views) == 1 and not client_numbers(facts):
        return [doubt("one voice", f"only {here} answers; it has no quorum")], False
    if elsewhere := sorted(clients_of(facts, memory) - views.keys()):
        said = f"no quorum at {here}, and {inventory.decider} has clients that do not answer"
        return [doubt("elsewhere", f"{said} here: {', '.join(elsewhere)}")], False
    counts = sorted({f"{view.total} of {view.expected} votes" for view in views.values()})
    needed = max(view.quorum for view in views.values())
    reasons = [f"{here}: {', '.join(counts)}, {needed} are needed"]
    case, parts = _parts(views)
    if dark:
        case = ""
        reasons.append(f"no answer from {', '.join(dark)}")
    else:
        reasons.append(parts)
    reasons += _links(views)
    if facts.witness is not None and facts.witness.silent:
        reasons.append(f"{inventory.decider} does not answer: {facts.witness.silent}")
        if dark:
            reasons.append("a worker inside a site that is cut off from everything would see the same")
    sites = tuple(site.name for site in inventory.sites if all(node.name in dark for node in site.nodes))
    unless = ("any node counts a quorum again",)
    lost = Condition(
        kind="quorum-lost", where=sites, case=case, nodes=tuple(dark), reasons=tuple(reasons), unless=unless
    )
    return [lost], False


def _parts(views: dict[str, VotesLook]) -> tuple[str, str]:
    """Into which parts the nodes have fallen that all answer."""
    parts = {view.members for view in views.values()}
    if len(parts) == len(views) > 1:
        return "links", "all nodes answer and each sees only itself: check corosync's links"
    if len(parts) > 1:
        return "halves", f"all nodes answer, in {len(parts)} parts that do not see each other: check corosync's links"
    return "votes", "all nodes answer and see each other: the votes are not as designed"


def _links(views: dict[str, VotesLook]) -> list[str]:
    """What corosync says of its own links, where it was asked."""
    told = [f"{node} {view.links.down} of {view.links.ways}" for node, view in views.items() if view.links]
    return [f"connections to other nodes that are down: {', '.join(told)}"] if told else []
