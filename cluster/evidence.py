"""What speaks for a site being dark and what for its being alive, from whom, and how old it may be. Pure."""

from datetime import datetime, timedelta

from cluster.conditions import known_name, serves
from cluster.facts import ENGINE, WITNESS, Facts, Memory
from cluster.inventory import Inventory, Site

# qnetd forgets a silent client after 12 s, an array a silent initiator after two unanswered NOPs of 5 s
# (reference: proxmox-api §10, host-outputs): what they say of a dead node is worth nothing earlier.
FORGETS = timedelta(seconds=14)
# What an array calls a link to its peer that carries data (reference: flasharray-rest).
UP = ("connected", "partially_connected", "unbalanced")


def too_early(site: Site, facts: Facts, memory: Memory, inventory: Inventory) -> str:
    """Why nothing can be said of its silence yet; empty when it is late enough."""
    names = {node.name for node in site.nodes}
    if unasked := sorted(names - facts.votes.keys()):
        return f"; {', '.join(unasked)} have not been asked yet"
    if memory.totem is None:
        return "; corosync's own times have not been read yet"
    silent = silence(memory.alive, names, facts) * inventory.speed
    if silent < memory.totem.detection:
        return f"; {site.name} was alive {silent.total_seconds():.0f} s ago"
    seen, _ = seen_alive(site, facts, memory, inventory)
    away = silence(memory.counted, names, facts) * inventory.speed
    if seen and (silent < FORGETS + memory.totem.detection or away < FORGETS):
        return f", but {'; '.join(seen)}, which may be old"
    return ""


def silence(when: dict[str, datetime], names: set[str], facts: Facts) -> timedelta:
    """How long ago the latest of these times is, by the worker's clock; a year where there is none."""
    last = max((when[name] for name in names if name in when), default=None)
    return facts.at - last if last else timedelta(days=365)


def client_numbers(facts: Facts) -> tuple[int, ...]:
    """The ids of the witness's clients."""
    return facts.witness.clients if facts.witness and facts.witness.answered else ()


def clients_of(facts: Facts, memory: Memory) -> set[str]:
    """The names of the witness's clients."""
    return {known_name(number, memory) for number in client_numbers(facts)}


def seen_alive(site: Site, facts: Facts, memory: Memory, inventory: Inventory) -> tuple[list[str], list[str]]:
    """Who sees the site alive: from memory, which may be old, and just now."""
    names = {node.name for node in site.nodes}
    seen = [
        f"{look.by} has {', '.join(sorted(names & set(look.logins)))} logged in"
        for look in facts.arrays.values()
        if look.answered and names & set(look.logins)
    ]
    for look in facts.arrays.values():
        copy = look.copies.get(site.array)
        if look.by == site.array or not serves(look):
            continue
        if copy and copy.status in ("online", "resyncing"):
            seen.append(f"{look.by} calls the copy of {site.array} {copy.status}")
        elif look.replication in UP:
            seen.append(f"{look.by} calls the link to {site.array} {look.replication}")
    if clients := sorted(names & clients_of(facts, memory)):
        seen.append(f"{inventory.witness.name} has {', '.join(clients)} as clients")
    on = sorted(look.by for look in facts.power.values() if look.by in names and look.answered and look.on)
    return seen, [f"the management controllers call {', '.join(on)} on"] if on else []


def found_dark(site: Site, facts: Facts, memory: Memory, inventory: Inventory) -> dict[str, str]:
    """Failure domain to what was found dark from there; nobody's word is older than the last sign of life."""
    names = {node.name for node in site.nodes}
    heard = facts.at - silence(memory.alive, names, facts)
    found: dict[str, str] = {}
    asked = [look for look in facts.looks if look.by in names or look.by == site.array]
    if asked and not any(look.answered for look in asked):
        found[ENGINE] = f"nothing of {site.name} answers here: nodes, {site.array}, management controllers"
    clients, witness = clients_of(facts, memory), facts.witness
    if witness and clients and not clients & names and witness.at > heard:
        found[WITNESS] = f"{inventory.witness.name} has no client of {site.name}"
    for look in facts.arrays.values():
        copy = look.copies.get(site.array)
        if copy is None or copy.status not in ("offline", "unknown") or names & set(look.logins):
            continue
        if look.by != site.array and serves(look) and look.at > heard:
            said = f"{look.by} has no login of {site.name} and calls the copy of {site.array} {copy.status}"
            found[look.domain] = said
    off = {look.by for look in facts.power.values() if look.answered and look.on is False and look.at > heard}
    if names <= off:
        found[site.name] = f"the management controllers call all nodes of {site.name} off"
    return found
