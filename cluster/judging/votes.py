"""The votes, the quorum device and corosync's links, against the design. Views are those of the quorate part."""

from collections.abc import Iterator

from cluster.conditions import Condition, known_name
from cluster.inventory import Inventory
from cluster.looks import Facts, VotesLook
from cluster.memory import Memory
from cluster.units import counted

Views = dict[str, VotesLook]


def votes_conditions(
    views: Views, facts: Facts, memory: Memory, inventory: Inventory, absent: frozenset[str]
) -> Iterator[Condition]:
    """A device that gives no vote, votes that are not as designed, links that are down."""
    if inventory.witness is None:  # a device that votes although there is to be none changes the votes
        yield from _changed(views, memory, inventory)
        yield from _links_down(views, memory, inventory)
        return
    removed = {node for node, view in views.items() if _removed(view, inventory)}
    if removed and "device" not in absent:
        yield _not_configured(removed, views, inventory)
    without = [node for node, view in views.items() if not view.device and node not in removed]
    if without:
        yield _no_vote(without, views, facts, inventory)
    elif not removed:
        yield from _elsewhere(views, facts, memory, inventory)
    yield from _changed({node: view for node, view in views.items() if node not in removed}, memory, inventory)
    yield from _links_down(views, memory, inventory)


def _removed(view: VotesLook, inventory: Inventory) -> bool:
    """No device is registered: the node expects as many votes as there are nodes."""
    if view.device or view.configured:
        return False
    return view.configured is False or view.expected == len(inventory.nodes)


def _not_configured(removed: set[str], views: Views, inventory: Inventory) -> Condition:
    totals = "/".join(str(total) for total in sorted({views[node].total for node in removed}))
    everywhere = len(removed) == len(views)
    on = "" if everywhere else f" on {', '.join(sorted(removed))}"
    sites = () if everywhere else tuple(sorted({inventory.site_of(node).name for node in removed}))
    return Condition(
        kind="witness-lost",
        where=(inventory.decider, *sites),
        case="not configured",
        reasons=(
            f"no quorum device is configured{on}: {totals} of {inventory.votes} votes",
            "the loss of a site stops everything",
        ),
        unless=("the nodes count the quorum device's vote again",),
    )


def _no_vote(without: list[str], views: Views, facts: Facts, inventory: Inventory) -> Condition:
    """The device is there and gives no vote, to all nodes or to those of one site."""
    witness, total = inventory.decider, {views[node].total for node in without}
    reasons = [f"{', '.join(without)} count {'/'.join(map(str, sorted(total)))} votes, none of the quorum device"]
    look = facts.witness
    if look is not None:
        said = (
            f"does not answer: {look.silent}"
            if look.silent
            else f"answers and has {counted(len(look.clients), 'client')}"
        )
        reasons.append(f"{witness} {said}")
    sites = {inventory.site_of(node).name for node in without}
    # at both sites it is one and the same thing, whichever nodes have noticed it by now
    where = (witness,) if len(without) == len(views) or len(sites) > 1 else (witness, *sorted(sites))
    unless = ("the nodes count the quorum device's vote again",)
    return Condition(kind="witness-lost", where=where, reasons=tuple(reasons), unless=unless)


def _elsewhere(views: Views, facts: Facts, memory: Memory, inventory: Inventory) -> Iterator[Condition]:
    """Nodes count a device's vote that our witness has not given: they are clients of another host.

    A client whose number no node has is one of a cluster that is not as designed.
    """
    look = facts.witness
    if look is None or not look.answered or not memory.ids:
        return
    clients = {known_name(number, memory) for number in look.clients}
    stray = sorted(node for node, view in views.items() if view.settled and node not in clients)
    strange = sorted(clients - {node.name for node in inventory.nodes})
    if not stray and not strange:
        return
    reasons = []
    if stray:
        reasons.append(f"{', '.join(stray)} count the device's vote, and {look.by} does not have them as clients")
    if strange:
        reasons.append(f"{look.by} has {', '.join(strange)} as clients of this cluster: not in the inventory")
    sites = sorted({inventory.site_of(node).name for node in stray}) if 0 < len(stray) < len(views) else []
    yield Condition(
        kind="witness-lost",
        where=(inventory.decider, *sites),
        case="elsewhere",
        reasons=tuple(reasons),
        unless=(f"{look.by} has the nodes that count its vote as clients, and no others",),
    )


def _changed(views: Views, memory: Memory, inventory: Inventory) -> Iterator[Condition]:
    """Expected votes, quorum, and the votes of each node: which way they differ."""
    reasons: list[str] = []
    for node, view in views.items():
        if view.expected != inventory.votes:
            reasons.append(f"{node} expects {view.expected} votes, the design has {inventory.votes}")
        elif view.quorum != inventory.quorum:
            reasons.append(f"{node} needs {view.quorum} votes for a quorum, the design has {inventory.quorum}")
    odd = {
        known_name(number, memory): votes
        for view in views.values()
        for number, votes in view.votes.items()
        if votes != 1
    }
    reasons += [f"{node} has {votes} votes, the design has 1" for node, votes in sorted(odd.items())]
    if not odd:
        reasons += [
            f"{node} counts {view.total} votes of {len(view.members)} nodes{' and the device' if view.device else ''}"
            for node, view in views.items()
            if view.total != len(view.members) + view.device
        ]
    if reasons:
        said = _consequence(next(iter(views.values())), memory, inventory)
        yield Condition(
            kind="votes-changed",
            where=tuple(sorted(odd)),
            reasons=(*_grouped(reasons), *said),
            unless=("every node has one vote and expects as many as the design has",),
        )


def _grouped(reasons: list[str]) -> list[str]:
    """What several nodes say alike is said once."""
    alike: dict[str, list[str]] = {}
    for reason in reasons:
        node, _, rest = reason.partition(" ")
        alike.setdefault(rest, []).append(node)
    return [f"{', '.join(nodes)}: {rest}" if len(nodes) > 1 else f"{nodes[0]} {rest}" for rest, nodes in alike.items()]


def _consequence(view: VotesLook, memory: Memory, inventory: Inventory) -> Iterator[str]:
    """Which site would not live without the other one."""
    votes = {known_name(number, memory): count for number, count in view.votes.items()}
    for site in inventory.sites:
        third = inventory.third.nodes if inventory.third else ()
        left = sum(votes.get(node.name, 1) for node in (*site.nodes, *third)) + view.device
        if left < view.quorum:
            other = inventory.third.name if inventory.third else "the witness"
            short = f"{site.name} and {other} have {left} of {view.quorum} votes"
            yield f"{short}: the loss of the other site stops everything"


def _links_down(views: Views, memory: Memory, inventory: Inventory) -> Iterator[Condition]:
    """Ways to members that are disconnected, and nodes that lack a link which others have.

    Ways to lost nodes are no fault of the links.
    """
    told = {node: view.links for node, view in views.items() if view.links is not None}
    most = max((links.links for links in told.values()), default=0)
    lacking = {node: links.links for node, links in told.items() if links.links < most}
    excess = {
        node: links.down - (len(inventory.nodes) - len(views[node].members)) * links.links
        for node, links in told.items()
    }
    bad = {node: count for node, count in excess.items() if count > 0}
    if not bad and not lacking:
        return
    # a link that is down at one node is seen by each of the others as one way that is down
    worst = [node for node, count in bad.items() if count > 1 and count >= len(views[node].members) - 1] or list(bad)
    yield Condition(
        kind="links-down",
        where=tuple(sorted({*worst, *lacking})),
        reasons=(
            *(
                f"{node}: {bad[node]} of {told[node].ways} connections to other nodes are down, "
                f"over {told[node].links} links"
                for node in sorted(worst)
            ),
            *(
                f"{node} has {counted(count, 'link')}, other nodes have {most}"
                for node, count in sorted(lacking.items())
            ),
        ),
        unless=("all connections over all links are up",),
    )
