"""Who is a member, and what that means: lost nodes and sites, parted sites, a lost quorum, or a doubt.

An incident is named by its consequence. All nodes of a site out of a settled, quorate membership is the loss of that
site's hosts: HA gives them up, whatever their array does. It is told when two vantage points in different failure
domains say so and the survivors agree, and never while a host of the site is seen as a member (design §2).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cluster.conditions import Condition, doubt, known_name, serves, voices
from cluster.evidence import (
    FORGETS,
    array_says,
    awake,
    away,
    client_numbers,
    clients_of,
    found_dark,
    seen_alive,
    too_early,
    unplaced,
)
from cluster.inventory import Inventory, Site
from cluster.judging.noquorum import no_quorum, nobody
from cluster.judging.third import third_lost
from cluster.judging.unrest import no_winner_yet, unrest
from cluster.looks import Facts, VotesLook
from cluster.memory import Memory
from cluster.units import are

Views = dict[str, VotesLook]
# Each says which site goes on without the other one.
WINS = ("site-lost", "site-isolated", "sites-parted")


@dataclass(frozen=True)
class _Case:
    """All that is known, and the quorate views without the site."""

    site: Site
    quorate: Views
    facts: Facts
    memory: Memory
    inventory: Inventory

    @property
    def names(self) -> set[str]:
        return {node.name for node in self.site.nodes}

    @property
    def says(self) -> str:
        return f"{', '.join(sorted(self.quorate))} {are(self.quorate)} quorate without {self.site.name}"

    @property
    def winner(self) -> Site:
        return self.inventory.other_site(self.site.name)


def membership(facts: Facts, memory: Memory, inventory: Inventory) -> tuple[list[Condition], bool]:
    """What is wrong with the membership, and whether it is still settling."""
    views = {node: look for node, look in facts.votes.items() if look.answered}
    if not views:
        return nobody(facts, memory, inventory)
    if restless := unrest(views, inventory):
        return [restless[0]], restless[1]
    if unsettled := [node for node, view in views.items() if not view.settled]:
        return [doubt("settling", f"the votes are settling on {', '.join(sorted(unsettled))}")], True
    if strange := _strangers((number for view in views.values() for number in view.members), memory):
        return [doubt("names", f"{strange} is a member, and no API has given its name", "an API gives its name")], False
    if odd := _disagreement(views, memory):
        return [doubt("disagreement", odd)], False
    quorate = {node: view for node, view in views.items() if view.quorate}
    if not quorate:
        return no_quorum(views, facts, memory, inventory)
    members = {known_name(number, memory) for view in quorate.values() for number in view.members}
    found: list[Condition] = []
    settling = False
    for site in inventory.sites:
        missing = [node.name for node in site.nodes if node.name not in members]
        if len(missing) == len(site.nodes):
            condition, early = _site(_Case(site, quorate, facts, memory, inventory))
            if condition.kind in WINS and (moment := no_winner_yet(site, facts, memory, inventory)):
                condition = moment
            found.append(condition)
            settling = settling or early
        elif missing:
            found.append(_nodes_lost(missing, sorted(quorate), facts))
    if inventory.third and (gone := [node.name for node in inventory.third.nodes if node.name not in members]):
        found.append(third_lost(inventory.third, gone, quorate, facts, inventory))
    return found, settling


def _strangers(numbers: Iterable[int], memory: Memory) -> str:
    """Those whose names were never told: they may be anyone."""
    return ", ".join(f"node {number}" for number in sorted(set(numbers) - memory.ids.keys()))


def _disagreement(views: Views, memory: Memory) -> str:
    """Nodes that cannot all be right: memberships are equal or have no node in common, and one of them is quorate."""
    named = {node: {known_name(number, memory) for number in view.members} for node, view in views.items()}
    for node, members in named.items():
        if node not in members:
            return f"{node} does not count itself"
        for other, theirs in named.items():
            if members == theirs:
                continue
            if other in members:
                return f"{node} counts {len(members)} members, {other} among them, which counts {len(theirs)}"
            if members & theirs:
                return f"{node} and {other} count different members, and {len(members & theirs)} in common"
            if views[node].quorate and views[other].quorate:
                return f"{node} and {other} are both quorate and do not count each other"
    return ""


def _nodes_lost(missing: list[str], sayers: list[str], facts: Facts) -> Condition:
    """They are no members any more, for whatever reason."""
    reasons = [f"{', '.join(missing)} left the membership, by the votes of {', '.join(sayers)}"]
    if speak := voices(missing, facts):
        reasons.append(_answer(speak))
    return Condition(kind="node-lost", where=tuple(missing), reasons=tuple(reasons), unless=("it is a member again",))


def _answer(speak: list[str]) -> str:
    return f"{', '.join(speak)} {'answers: it is' if len(speak) == 1 else 'answer: they are'} alive"


# --- all nodes of a site -------------------------------------------------------------------------------------------


def _site(case: _Case) -> tuple[Condition, bool]:
    """All nodes of a site are out of the quorate membership: lost, isolated, parted, or not to be told yet."""
    others = {node.name for node in case.winner.nodes}
    survivors = [node for node in case.quorate if node in others]
    alone = len(survivors) < min(2, len(others))
    one_voice = doubt("one voice", f"only {', '.join(survivors)} says that {case.site.name} is gone")
    if speak := voices(case.names, case.facts):
        return (one_voice, False) if alone else _alive(case, speak)
    if early := too_early(case.site, case.facts, case.memory, case.inventory):
        return doubt("settling", f"{case.says}{early}"), True
    if strange := _strangers(client_numbers(case.facts), case.memory):
        said = f"{case.says}; {strange} is a client of {case.inventory.decider} and no API has given its name"
        return doubt("names", said), False
    if alone:
        return one_voice, False
    if clients := sorted(case.names & clients_of(case.facts, case.memory)):
        return _parted(case, f"{case.inventory.decider} has {', '.join(clients)} as clients"), False
    return _silent(case), False


def _alive(case: _Case, speak: list[str]) -> tuple[Condition, bool]:
    """Hosts of the site answer: they hold together without quorum, or each is alone, as when they start.

    The only node of a site is always alone: it is parted when it has been awake, and not a member, for long enough.
    """
    own = [view for node, view in case.facts.votes.items() if node in case.names and view.answered]
    if any(len(view.members) > 1 for view in own):
        return _parted(case, _answer(speak)), False
    believers = [
        look.by
        for look in case.facts.cluster.values()
        if look.by in case.names and look.answered and look.quorate and look.by not in {view.by for view in own}
    ]
    late = away(case.names, case.facts, case.memory) * case.facts.speed >= FORGETS
    if believers and late:
        said = f"{case.says}, and the API of {', '.join(believers)} calls itself quorate"
        return doubt("disagreement", said), False
    single = len(case.names) == 1 and bool(own)
    late = late and not (single and awake(own[0], case.facts, case.memory) * case.facts.speed < FORGETS)
    if not late:
        return doubt("settling", f"{case.says}, but {_answer(speak)}, and may just be joining"), True
    if single:
        return _parted(case, _answer(speak)), False
    return _isolated(case, [_answer(speak), "none of them counts another one"]), False


def _silent(case: _Case) -> Condition:
    """No host of the site says anything: from how many places is that seen, and is one of them seen alive."""
    site, facts, memory, inventory = case.site, case.facts, case.memory, case.inventory
    seen = [one for signs in seen_alive(site, facts, memory, inventory) for one in signs]
    dark = found_dark(site, facts, memory, inventory)
    if seen:
        return _isolated(case, [*seen, *dark.values()])
    if len(dark) < 2:
        said = "; ".join(dark.values()) or "no other vantage point confirms it"
        hint = unplaced(site, facts, inventory)
        return doubt(
            "one domain", f"{case.says}; {said}; a vantage point in a second failure domain must confirm it{hint}"
        )
    return Condition(
        kind="site-lost",
        where=(site.name,),
        reasons=(case.says, *dark.values(), array_says(site, facts, inventory)),
        unless=(
            f"any node of {site.name} answers, or is {_counted_by(inventory)}",
            f"an array has a login of {site.name}, or a management controller there calls its node on",
        ),
    )


def _counted_by(inventory: Inventory) -> str:
    return f"counted by a node at {inventory.third.name}" if inventory.third else f"a client of {inventory.decider}"


def _isolated(case: _Case, signs: list[str]) -> Condition:
    """Hosts are seen alive, and none is a member: cut off, starting, or hung."""
    reasons = (case.says, *signs, *_fate(case), array_says(case.site, case.facts, case.inventory))
    unless = (f"any node of {case.site.name} is a member again",)
    return Condition(kind="site-isolated", where=(case.site.name,), reasons=reasons, unless=unless)


def _parted(case: _Case, sign: str) -> Condition:
    """Both sites are alive: who has the quorum, and who has the pod."""
    unless = (f"the nodes of {case.site.name} are members again",)
    where = (case.winner.name, case.site.name)
    pod = pod_at(case.facts, case.inventory)
    reasons = (case.says, sign, f"quorum: {case.winner.name}; pod: {pod}", *_fate(case))
    return Condition(kind="sites-parted", where=where, reasons=reasons, unless=unless)


def pod_at(facts: Facts, inventory: Inventory) -> str:
    """The sites whose arrays say that they serve the pod; of several pods each with its own where they differ."""
    found = {pod.name: _pod_at(facts.of(pod.name), inventory) for pod in inventory.all_pods}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return ", ".join(f"{pod} at {where}" for pod, where in found.items())


def _pod_at(facts: Facts, inventory: Inventory) -> str:
    holders = {look.by for look in facts.arrays.values() if serves(look)}
    return " and ".join(site.name for site in inventory.sites if site.array in holders) or "no array that answers"


def _fate(case: _Case) -> list[str]:
    """What becomes of hosts that are alive without quorum: HA resets those with services, the others go on."""
    homes = case.memory.homes(case.names)
    if homes is None:
        return ["nodes with HA guests there reset; other guests there may still be running"]
    resets = sorted(set(homes.values()))
    stay = sorted(case.names - set(resets))
    said = [f"HA's watchdog resets {', '.join(resets)} within about 70 s"] if resets else []
    if stay:
        said.append(f"no HA guest ran on {', '.join(stay)}: other guests there may still be running")
    return said
