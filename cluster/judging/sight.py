"""What cannot be judged: sources that are silent or refuse, and a cluster that is not deployed yet."""

from collections.abc import Iterator
from datetime import timedelta

from cluster.conditions import Condition
from cluster.inventory import Inventory
from cluster.judging.pulse import newest
from cluster.looks import Facts, Look, VotesLook
from cluster.memory import Memory

# A restarted daemon is back by then.
PATIENCE = timedelta(minutes=1)
REFUSED = ("Unauthorized", "Rejected")


def blindness(facts: Facts, memory: Memory, inventory: Inventory, explained: set[str]) -> Iterator[Condition]:
    """Sources that have said nothing for a minute, or never, and are not lost: `explained` are the names of the lost.

    Who refuses is told apart from who is silent: that is a matter of rights, not of networks.
    """
    silent: dict[str, tuple[str, str]] = {}
    for look in facts.looks:
        if look.answered or look.by in explained:
            continue
        since = memory.quiet.get(look.source, look.at)
        if look.source not in memory.heard or (facts.at - since) * facts.speed >= PATIENCE:
            silent[look.source] = (look.by, look.silent)
    for name, source in _wanted(inventory):
        asked = source in memory.heard or source in memory.quiet
        if not asked and name not in explained:
            silent[source] = (name, "has not been asked yet")
    told = newest(facts)
    hidden = told.hidden if told else ()
    refused = {source: said for source, said in silent.items() if said[1].startswith(REFUSED)}
    yield from _blind("", {source: said for source, said in silent.items() if source not in refused})
    yield from _blind("refused", refused)
    if hidden:
        yield Condition(
            kind="blind",
            where=hidden,
            case="hidden",
            reasons=(f"the API does not show {', '.join(hidden)}: VM.Audit is missing there",),
            unless=("the API shows them",),
        )


def unknown(facts: Facts) -> Condition | None:
    """Layers that nobody at all tells just now; None where each has a source that does.

    Told at once, whoever was heard a moment ago, where all else is well: what nobody knows is not healthy.
    """
    unheard: list[Look] = []
    if not any(look.answered for look in facts.arrays.values()):
        unheard += facts.arrays.values()
    if newest(facts) is None:
        unheard += facts.cluster.values()
    said = {look.source: (look.by, look.silent or "it has no quorum, and HA's state is not known") for look in unheard}
    refused = bool(said) and all(why.startswith(REFUSED) for _, why in said.values())
    return next(_blind("refused" if refused else "", said), None)


def _blind(case: str, silent: dict[str, tuple[str, str]]) -> Iterator[Condition]:
    if not silent:
        return
    alike: dict[str, list[str]] = {}
    for source, (_, why) in sorted(silent.items()):
        alike.setdefault(why, []).append(source)
    verb = "refused by" if case else "no answer from"
    reasons = [f"{verb} {', '.join(sources)}: {why}" for why, sources in alike.items()]
    yield Condition(
        kind="blind",
        where=tuple(sorted({name for name, _ in silent.values()})),
        case=case,
        reasons=tuple(reasons),
        unless=("they answer again",),
    )


def _wanted(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """What the design needs to be seen: names and sources."""
    for node in inventory.nodes:
        yield node.name, f"{node.name} (ssh)"
        yield node.name, f"{node.name} (api)"
    for array in inventory.arrays:
        yield array.name, f"{array.name} (api)"
    if inventory.witness:
        yield inventory.witness.name, f"{inventory.witness.name} (ssh)"


def not_deployed(
    facts: Facts, memory: Memory, views: dict[str, VotesLook], inventory: Inventory
) -> tuple[frozenset[str], list[Condition]]:
    """Layers of the design that were never there, and the one condition that tells them all.

    A layer that was seen once, or that guests under HA need, is lost when it is missing, not waiting to be deployed.
    A cluster of which nothing stands, neither pod nor guests, is not deployed whatever was seen before.
    """
    absent = _absent(facts, views, inventory)
    told = newest(facts)
    if told is not None and _guests_of(inventory) & told.services.keys():
        return frozenset(), []
    if told is not None and not _guests_of(inventory) and told.services:
        return frozenset(), []
    pods = {f"pod {array.name}" for array in inventory.arrays}
    # what nobody tells is not bare: where HA's list is not known, or has guests, a layer that was seen is lost
    bare = pods <= absent.keys() and told is not None and not told.services
    missing = {layer: text for layer, text in absent.items() if bare or layer not in memory.layers}
    if not missing:
        return frozenset(), []
    reasons = list(dict.fromkeys(missing.values()))
    if told is not None and _guests_of(inventory):
        reasons.append(f"HA does not know {', '.join(sorted(_guests_of(inventory)))}")
    condition = Condition(
        kind="not-deployed",
        where=(inventory.name,),
        reasons=tuple(reasons),
        unless=("everything in the inventory exists",),
    )
    return frozenset(missing), [condition]


def _guests_of(inventory: Inventory) -> set[str]:
    return {f"vm:{guest.vmid}" for guest in inventory.guests}


def _absent(facts: Facts, views: dict[str, VotesLook], inventory: Inventory) -> dict[str, str]:
    """What is not there, by layer, with a word for people."""
    found = {}
    nodes = {node.name for node in inventory.nodes}
    for name, look in sorted(facts.arrays.items()):
        if look.answered and name not in look.copies:
            lacking = [pod.name for pod in inventory.all_pods if name not in look.of(pod.name).copies]
            found[f"pod {name}"] = "; ".join(f"pod {pod} is not on {name}" for pod in lacking)
        if look.answered and not nodes & look.logins.keys():
            found[f"sessions {name}"] = f"no node is logged in at {name}"
    if inventory.witness and views and not any(view.device or view.configured for view in views.values()):
        found["device"] = "no quorum device is configured"
    return found
