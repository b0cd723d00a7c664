"""From facts to what has happened: a pure function, with its reasons and what would change its mind.

A management interface that is silent proves nothing about the data path, and no single source proves anything. A site
is lost when its nodes are out of a settled, quorate membership, when two vantage points in different failure domains
find it dark, and when nobody sees it alive (design §2.3). All else is told as it is, or called undetermined.
"""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from cluster.conditions import GRAVITY, Condition, Kind, known_name, storage_conditions, witness_conditions
from cluster.facts import ENGINE, WITNESS, Facts, Memory, VotesLook
from cluster.inventory import Inventory, Site

# qnetd forgets a silent client after 12 s, an array a silent initiator after two unanswered NOPs of 5 s
# (reference: proxmox-api §10, host-outputs): what they say of a dead node is worth nothing earlier.
FORGETS = timedelta(seconds=14)
# Six turns within five minutes are no incident that anybody understands.
FLAPPING, WITHIN = 6, timedelta(minutes=5)


class Verdict(BaseModel):
    """What has happened, gravest first. `settling`: wait, the cluster is still making up its mind."""

    model_config = ConfigDict(frozen=True)

    main: Condition
    also: tuple[Condition, ...] = ()
    silent: tuple[str, ...] = ()
    settling: bool = False

    @property
    def kind(self) -> Kind:
        """In one word."""
        return self.main.kind

    @property
    def key(self) -> str:
        """Equal for two looks that found the same."""
        return " + ".join(condition.key for condition in (self.main, *self.also))

    @property
    def sentence(self) -> str:
        """What a person reads first."""
        where = f" ({', '.join(self.main.where)})" if self.main.where else ""
        return f"{self.kind.replace('-', ' ')}{where}"


def judge(facts: Facts, memory: Memory, inventory: Inventory) -> Verdict:
    """What these facts mean, given what is remembered."""
    found, settling = _membership(facts, memory, inventory)
    views = {node: look for node, look in facts.votes.items() if look.answered}
    lost = {name for condition in found for name in condition.where}
    gone = {node.name for site in inventory.sites if site.name in lost for node in site.nodes} | lost
    alive = {node.name for node in inventory.nodes} - gone
    quorate = {node: view for node, view in views.items() if view.quorate and node in alive}
    if not settling:
        found += witness_conditions(quorate, facts, inventory)
        found += [one for one in storage_conditions(facts, alive, inventory) if not _explained(one, lost, inventory)]
    ranked = sorted(found, key=lambda condition: condition.gravity)
    main = ranked[0] if ranked else Condition(kind="healthy", reasons=_well(views, inventory))
    verdict = Verdict(main=main, also=tuple(ranked[1:]), silent=facts.silent, settling=settling)
    return _unless_flapping(verdict, memory, facts.at, inventory.speed)


def turned(memory: Memory, verdict: Verdict, now: datetime) -> Memory:
    """Remember when the judgement changed. What is still settling is no judgement."""
    if verdict.settling or verdict.main.key == memory.judged:
        return memory
    turns = tuple(turn for turn in (*memory.turns, now) if now - turn < WITHIN) if memory.judged else ()
    return memory.model_copy(update={"judged": verdict.main.key, "steady": now, "turns": turns})


def _unless_flapping(verdict: Verdict, memory: Memory, now: datetime, speed: float) -> Verdict:
    recent = [turn for turn in memory.turns if (now - turn) * speed < WITHIN]
    if len(recent) < FLAPPING or verdict.kind in ("healthy", "undetermined"):
        return verdict
    doubt = Condition(
        kind="undetermined",
        where=("flapping",),
        reasons=(f"the judgement has changed {len(recent)} times in five minutes, now: {verdict.sentence}",),
        unless=("it stays the same for five minutes",),
    )
    return verdict.model_copy(update={"main": doubt, "also": (verdict.main, *verdict.also)})


# --- membership ----------------------------------------------------------------------------------------------------


def _membership(facts: Facts, memory: Memory, inventory: Inventory) -> tuple[list[Condition], bool]:
    """What is wrong with the membership, and whether it is still settling."""
    views = {node: look for node, look in facts.votes.items() if look.answered}
    if not views:
        return [_nobody(facts)], False
    if unsettled := [node for node, view in views.items() if not view.settled]:
        return [_doubt("settling", f"the votes are settling on {', '.join(sorted(unsettled))}")], True
    if odd := _disagreement(views, memory):
        return [_doubt("disagreement", odd)], False
    quorate = {node: view for node, view in views.items() if view.quorate}
    if not quorate:
        return _no_quorum(views, facts, memory, inventory)
    members = {known_name(number, memory) for view in quorate.values() for number in view.members}
    outside = [node.name for node in inventory.nodes if node.name not in members]
    found: list[Condition] = []
    settling = False
    for site in inventory.sites:
        missing = [node.name for node in site.nodes if node.name in outside]
        if len(missing) == len(site.nodes):
            condition, early = _site(site, quorate, facts, memory, inventory)
            found.append(condition)
            settling = settling or early
        elif missing:
            found.append(_nodes(missing, sorted(quorate), facts))
    return found, settling


def _disagreement(views: dict[str, VotesLook], memory: Memory) -> str:
    """Two nodes that call each other members and count different ones; empty when all agree."""
    for node, view in sorted(views.items()):
        for other, different in sorted(views.items()):
            together = other in {known_name(number, memory) for number in view.members}
            if together and set(different.members) != set(view.members):
                return (
                    f"{node} counts {len(view.members)} members, {other} among them, "
                    f"which counts {len(different.members)}"
                )
    return ""


def _nobody(facts: Facts) -> Condition:
    witness = facts.witness
    others = [look.by for look in facts.arrays.values() if look.answered]
    if witness is not None and witness.answered and not witness.clients:
        arrays = f"{', '.join(others)} answer" if others else "nor does an array"
        return Condition(
            kind="quorum-lost",
            reasons=(f"no node answers, {arrays}", f"{witness.by} answers and has no client"),
            unless=("any node answers",),
        )
    answered = [look.by for look in facts.looks if look.answered]
    said = f"only {', '.join(answered)} answer" if answered else "this worker may be cut off itself"
    return _doubt("silence", f"no node answers here; {said}", unless="any node answers")


def _no_quorum(
    views: dict[str, VotesLook], facts: Facts, memory: Memory, inventory: Inventory
) -> tuple[list[Condition], bool]:
    """Nobody who answers is quorate; whether somebody else is, only the witness could know."""
    dark = [node.name for node in inventory.nodes if node.name not in views]
    clients = _clients(facts, memory)
    if elsewhere := sorted(set(dark) & clients):
        said = f"{', '.join(sorted(views))} have no quorum, and {inventory.witness.name} has clients that do not answer"
        return [_doubt("elsewhere", f"{said} here: {', '.join(elsewhere)}")], False
    counts = sorted({f"{view.total} of {view.expected} votes" for view in views.values()})
    reasons = [f"{', '.join(sorted(views))}: {', '.join(counts)}, {next(iter(views.values())).quorum} are needed"]
    if dark:
        reasons.append(f"{', '.join(dark)} do not answer")
    if facts.witness is not None and facts.witness.silent:
        reasons.append(f"{inventory.witness.name} does not answer: {facts.witness.silent}")
        reasons.append("seen from inside a site that is cut off from everything it would look the same")
    sites = tuple(site.name for site in inventory.sites if all(node.name in dark for node in site.nodes))
    condition = Condition(
        kind="quorum-lost", where=sites, reasons=tuple(reasons), unless=("any node counts a quorum again",)
    )
    return [condition], False


def _site(
    site: Site, quorate: dict[str, VotesLook], facts: Facts, memory: Memory, inventory: Inventory
) -> tuple[Condition, bool]:
    """All nodes of a site are out of the quorate membership: lost, isolated, parted, or not to be told yet."""
    names = {node.name for node in site.nodes}
    says = f"{', '.join(sorted(quorate))} are quorate without {site.name}"
    since = _darkness(names, facts, memory) * inventory.speed
    if voices := _voices(names, facts):
        return _parted(site, says, voices, facts, inventory), False
    if memory.totem is None:
        return _doubt("totem", f"{says}; corosync's own times have not been read yet"), True
    if since < memory.totem.detection:
        return _doubt("settling", f"{says}; {site.name} was alive {since.total_seconds():.0f} s ago"), True
    seen, strong = _seen_alive(site, facts, memory, inventory)
    if seen and since < FORGETS + memory.totem.detection and not strong:
        return _doubt("settling", f"{says}, but {'; '.join(seen)}, which may be old"), True
    if clients := sorted(names & _clients(facts, memory)):
        return _parted(
            site, says, [f"{inventory.witness.name} has {', '.join(clients)} as clients"], facts, inventory
        ), False
    own = facts.arrays.get(site.array)
    if own and own.answered:  # its array runs: its nodes are gone, not the site
        return _nodes(sorted(names), sorted(quorate), facts), False
    survivors = [node for node in quorate if node not in names]
    if len(survivors) < min(2, len(inventory.other_site(site.name).nodes)):
        return _doubt("one voice", f"only {', '.join(survivors)} says that {site.name} is gone"), False
    dark = _dark(site, facts, memory, inventory)
    if seen:
        reasons = (says, *seen, *dark.values())
        unless = (f"any node of {site.name} is a member again",)
        return Condition(kind="site-isolated", where=(site.name,), reasons=reasons, unless=unless), False
    if len(dark) < 2:
        said = "; ".join(dark.values()) or "nobody outside confirms it"
        return _doubt("one domain", f"{says}; {said}; a second failure domain must say so"), False
    return Condition(
        kind="site-lost",
        where=(site.name,),
        reasons=(says, *dark.values()),
        unless=(
            f"any node of {site.name} answers, or is a client of {inventory.witness.name}",
            f"an array has a login of {site.name}, or a management controller there calls its node on",
        ),
    ), False


def _darkness(names: set[str], facts: Facts, memory: Memory) -> timedelta:
    """For how long nobody of them has been heard, by the worker's clock."""
    last = max((memory.alive[name] for name in names if name in memory.alive), default=None)
    return facts.at - last if last else timedelta.max / 1000


def _voices(names: set[str], facts: Facts) -> list[str]:
    """The site's nodes that answer for themselves."""
    speak = sorted({look.by for look in (*facts.votes.values(), *facts.cluster.values()) if look.answered} & names)
    return [f"{', '.join(speak)} answer: they are alive"] if speak else []


def _clients(facts: Facts, memory: Memory) -> set[str]:
    clients = facts.witness.clients if facts.witness and facts.witness.answered else ()
    return {known_name(number, memory) for number in clients}


def _seen_alive(site: Site, facts: Facts, memory: Memory, inventory: Inventory) -> tuple[list[str], bool]:
    """Who sees the site alive, and whether one of them sees it now and not from memory."""
    names = {node.name for node in site.nodes}
    seen = [
        f"{look.by} has {', '.join(sorted(names & set(look.logins)))} logged in"
        for look in facts.arrays.values()
        if look.answered and names & set(look.logins)
    ]
    if clients := sorted(names & _clients(facts, memory)):
        seen.append(f"{inventory.witness.name} has {', '.join(clients)} as clients")
    on = sorted(look.by for look in facts.power.values() if look.by in names and look.answered and look.on)
    powered = [f"the management controllers call {', '.join(on)} on"] if on else []
    return [*seen, *powered], bool(on)


def _dark(site: Site, facts: Facts, memory: Memory, inventory: Inventory) -> dict[str, str]:
    """Failure domain to what was found dark from there."""
    names = {node.name for node in site.nodes}
    found: dict[str, str] = {}
    asked = [look for look in facts.looks if look.by in names or look.by == site.array]
    if asked and not any(look.answered for look in asked):
        found[ENGINE] = f"nothing of {site.name} answers here: nodes, {site.array}, management controllers"
    clients = _clients(facts, memory)
    if clients and not clients & names:
        found[WITNESS] = f"{inventory.witness.name} has no client of {site.name}"
    for look in facts.arrays.values():
        copy = look.copies.get(site.array)
        if (
            look.by != site.array
            and look.answered
            and copy
            and copy.status != "online"
            and not names & set(look.logins)
        ):
            found[look.domain] = (
                f"{look.by} has no login of {site.name} and calls the copy of {site.array} {copy.status}"
            )
    powers = [look for look in facts.power.values() if look.by in names]
    if powers and all(look.answered and look.on is False for look in powers):
        found[site.name] = f"the management controllers call all nodes of {site.name} off"
    return found


def _parted(site: Site, says: str, voices: list[str], facts: Facts, inventory: Inventory) -> Condition:
    """Both are alive: who has the quorum, and who has the pod."""
    winner = inventory.other_site(site.name)
    holders = [
        name for name, look in facts.arrays.items()
        if look.answered and (copy := look.copies.get(name)) and copy.status == "online"
    ]  # fmt: skip
    sites = {inner.array: inner.name for inner in inventory.sites}
    pod = " and ".join(sites[name] for name in holders) or "nobody who answers"
    trap = () if winner.array in holders or not holders else (
        f"{winner.name} has the quorum and no storage: its guests fail, and HA does not help them",
    )  # fmt: skip
    return Condition(
        kind="sites-parted",
        where=(winner.name, site.name),
        reasons=(says, *voices, f"quorum: {winner.name}; pod: {pod}", *trap),
        unless=(f"the nodes of {site.name} are members again",),
    )


def _nodes(missing: list[str], sayers: list[str], facts: Facts) -> Condition:
    speak = [f"{', '.join(missing)} left the membership, say {', '.join(sayers)}", *_voices(set(missing), facts)]
    return Condition(kind="node-lost", where=tuple(missing), reasons=tuple(speak), unless=("it is a member again",))


def _doubt(about: str, reason: str, unless: str = "the vantage points agree") -> Condition:
    return Condition(kind="undetermined", where=(about,), reasons=(reason,), unless=(unless,))


def _explained(condition: Condition, lost: set[str], inventory: Inventory) -> bool:
    """What follows from a site's loss is not a second one."""
    arrays = {site.array for site in inventory.sites if site.name in lost}
    if condition.kind in ("array-lost", "replication-lost", "resyncing") and arrays:
        return True
    return condition.kind == "mediator-lost" and set(condition.where) <= arrays


def _well(views: dict[str, VotesLook], inventory: Inventory) -> tuple[str, ...]:
    total = max((view.total for view in views.values()), default=0)
    return (f"{total} of {inventory.votes} votes, {len(views)} of {len(inventory.nodes)} nodes answer",)


__all__ = ["GRAVITY", "Condition", "Kind", "Verdict", "judge", "turned"]
