"""What speaks for a site's hosts being gone and what for their being alive, from whom, and how old it may be. Pure."""

from datetime import datetime, timedelta

from cluster.conditions import known_name, serves
from cluster.inventory import Inventory, Site
from cluster.looks import WITNESS, ArrayLook, Facts, Look, VotesLook
from cluster.memory import Memory
from cluster.units import are

# qnetd forgets a silent client after 12 s (reference: proxmox-api §10), and an array is taken to forget a silent
# initiator about as soon: what they say of a dead node is worth nothing earlier.
FORGETS = timedelta(seconds=14)
# What an array calls a link to its peer that carries data (reference: flasharray-rest §5.2).
UP = ("connected", "partially_connected", "unbalanced")

# What a copy is called whose array is there.
ALIVE = ("online", "resyncing")


def too_early(site: Site, facts: Facts, memory: Memory, inventory: Inventory) -> str:
    """Why nothing can be said of its silence yet; empty when it is late enough."""
    names = {node.name for node in site.nodes}
    if unasked := sorted(names - facts.votes.keys()):
        return f"; not asked yet: {', '.join(unasked)}"
    if memory.totem is None:
        return "; corosync's own times have not been read yet"
    silent = silence(names, facts, memory) * facts.speed
    if silent < memory.totem.detection:
        return f"; {site.name} was alive {silent.total_seconds():.0f} s ago"
    seen, _ = seen_alive(site, facts, memory, inventory)
    gone = away(names, facts, memory) * facts.speed
    if seen and (silent < FORGETS + memory.totem.detection or gone < FORGETS):
        return f", but {'; '.join(seen)}, which may be old"
    return ""


def silence(names: set[str], facts: Facts, memory: Memory) -> timedelta:
    """How long the nodes have been silent, for all that is known; a year where they were never heard."""
    return _since(memory.alive, names, facts, memory)


def away(names: set[str], facts: Facts, memory: Memory) -> timedelta:
    """How long the nodes have not been counted, for all that is known; a year where they never were."""
    return _since(memory.counted, names, facts, memory)


def awake(look: Look, facts: Facts, memory: Memory) -> timedelta:
    """For how long a source has answered without a silence, for all that is known; a year where none is remembered."""
    woke = memory.woke.get(look.source)
    return facts.at - woke if woke else timedelta(days=365)


def _since(when: dict[str, datetime], names: set[str], facts: Facts, memory: Memory) -> timedelta:
    """A time from before the looks were broken proves nothing of what was in between."""
    last = max((when[name] for name in names if name in when), default=None)
    if last is None:
        return timedelta(days=365)
    return facts.at - max(last, memory.unbroken or last)


def client_numbers(facts: Facts) -> tuple[int, ...]:
    """The ids of the witness's clients."""
    return facts.witness.clients if facts.witness and facts.witness.answered else ()


def clients_of(facts: Facts, memory: Memory) -> set[str]:
    """The names of the witness's clients."""
    return {known_name(number, memory) for number in client_numbers(facts)}


def seen_alive(site: Site, facts: Facts, memory: Memory, inventory: Inventory) -> tuple[list[str], list[str]]:
    """Who sees the site alive: from memory, which may be old, and just now.

    An array that answers speaks for itself: that the other one replicates with it says nothing of the hosts.
    """
    names = {node.name for node in site.nodes}
    seen = [
        f"{look.by} has {', '.join(sorted(names & set(look.logins)))} logged in"
        for look in facts.arrays.values()
        if look.answered and names & set(look.logins)
    ]
    own = facts.arrays.get(site.array)
    for look in (one for each in facts.arrays.values() for one in each.each):  # a sign of life is in any of its pods
        copy = look.copies.get(site.array)
        if look.by == site.array or not serves(look) or (own and own.answered):
            continue
        if copy and copy.status in ALIVE:
            seen.append(f"{look.by} calls the copy of {site.array} {copy.status}")
        elif look.replication in UP:
            seen.append(f"{look.by} calls the link to {site.array} {look.replication}")
    if clients := sorted(names & clients_of(facts, memory)):
        seen.append(f"{inventory.decider} has {', '.join(clients)} as clients")
    on = sorted(look.by for look in facts.power.values() if look.by in names and look.answered and look.on)
    return seen, [f"the management controllers say that {', '.join(on)} {are(on)} on"] if on else []


def found_dark(site: Site, facts: Facts, memory: Memory, inventory: Inventory) -> dict[str, str]:
    """Failure domain to what was found gone from there; each word is newer than the last sign of life.

    What stands at one place is one domain: the engine counts where its worker stands, and not at all where it does not
    say, or says that it stands at the site itself. The lost site's own array may testify that its hosts are gone, its
    management controllers that they are off.
    """
    names = {node.name for node in site.nodes}
    heard = max((memory.alive[name] for name in names if name in memory.alive), default=None)
    found: dict[str, list[str]] = {}

    def add(domain: str, said: str, at: datetime) -> None:
        if heard is None or at > heard:
            found.setdefault(domain, []).append(said)

    clients, witness = clients_of(facts, memory), facts.witness
    if witness and clients and not clients & names:
        add(witness.domain, f"{inventory.decider} has no client of {site.name}", witness.at)
    for vote in _from_third(facts, inventory):
        if not {known_name(number, memory) for number in vote.members} & names:
            add(vote.domain, f"{vote.by} at {inventory.decider} counts no node of {site.name}", vote.at)
    for look in facts.arrays.values():
        if look.answered and look.logins and not names & set(look.logins):
            add(look.domain, _no_login(look, site), look.at)
    off = {look.by: look.at for look in facts.power.values() if look.answered and look.on is False}
    if names <= off.keys():
        said = f"the management controllers say that all nodes of {site.name} are off"
        add(site.name, said, min(off[name] for name in names))
    asked = [look for look in (*facts.votes.values(), *facts.cluster.values()) if look.by in names]
    # who stands in the dark with the site says nothing of it: what reaches nobody there may be the worker itself
    outside = facts.place and place(facts, inventory) != site.name
    if asked and outside and not any(look.answered for look in asked):
        add(place(facts, inventory), f"no node of {site.name} answers at {facts.place}", facts.at)
    return {domain: "; ".join(said) for domain, said in found.items()}


def _from_third(facts: Facts, inventory: Inventory) -> list[VotesLook]:
    """What nodes at a third place count, where they are quorate and nothing is under way."""
    there = {node.name for node in inventory.third.nodes} if inventory.third else set()
    found = [look for name, look in facts.votes.items() if name in there]
    return [look for look in found if look.answered and look.settled and look.quorate]


def _no_login(look: ArrayLook, site: Site) -> str:
    """What the array says of hosts that are gone, and of the copy at their site."""
    if look.by == site.array:
        return f"{look.by} has no login of its own site's hosts"
    copy = look.copies.get(site.array)
    beside = f" and calls the copy of {site.array} {copy.status}" if copy else ""
    return f"{look.by} has no login of {site.name}{beside}"


def place(facts: Facts, inventory: Inventory) -> str:
    """The failure domain that the engine stands in: a site, the witness's place, or one of its own.

    Who stands beside a node or an array stands at its site.
    """
    if inventory.third and facts.place in (inventory.third.name, *(node.name for node in inventory.third.nodes)):
        return inventory.third.name
    if inventory.witness and facts.place in (WITNESS, inventory.witness.name):
        return WITNESS
    for site in inventory.sites:
        if facts.place in (site.array, *(node.name for node in site.nodes)):
            return site.name
    return facts.place


def unplaced(site: Site, facts: Facts, inventory: Inventory) -> str:
    """A word to the operator whose worker does not say where it stands, or says that it stands at the dark site."""
    if not facts.place:
        return "; this worker does not say where it stands (quorate worker --at PLACE)"
    if place(facts, inventory) == site.name:
        return f"; this worker says that it stands at {site.name} itself and does not count (quorate worker --at PLACE)"
    return ""


def array_says(site: Site, facts: Facts, inventory: Inventory) -> str:
    """What the site's array does, beside what its hosts do."""
    own = facts.arrays.get(site.array)
    if own is not None and own.answered:
        copy = own.copies.get(site.array)
        if copy is None:
            return f"{site.array} answers and has no copy of the pod"
        of = f" of {copy.pod}" if copy.pod else ""
        return f"{site.array} answers and {'serves the pod' if serves(own) else f'calls its copy{of} {copy.status}'}"
    peer = facts.arrays.get(inventory.peer(site.array).name)
    # it knows only of the pods that it serves itself, and one that is alive in any of them is not dark
    copies = [look.copies.get(site.array) for look in (peer.each if peer is not None else ()) if serves(look)]
    known = [copy for copy in copies if copy is not None]
    told = next((copy for copy in known if copy.status in ALIVE), known[0] if known else None)
    if peer is None or told is None:
        return f"{site.array} does not answer here"
    dark = told.status not in ALIVE
    return f"{site.array} {'is dark' if dark else 'does not answer here'}: {peer.by} calls its copy {told.status}"
