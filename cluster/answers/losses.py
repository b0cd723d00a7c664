"""Advice for the loss of a quorum, a site, nodes or the pod (docs/incidents.md)."""

from cluster.answers.texts import TWO, Advice, do
from cluster.conditions import THIRD_PLACE, UNREST, Kind

LOSSES: dict[Kind, Advice] = {
    "quorum-lost": Advice(
        title="The quorum is lost",
        stake="No guest can start anywhere, and nodes with HA guests reset.",
        alone="without quorum HA neither fences nor restarts",
        do=(
            do("prove that {silent} are off: management controllers, power distribution, a person on site"),
            do("lock their power off, so that none comes back during the repair", who=TWO),
            do(
                "bring back {decides}, or the silent nodes one at a time; check paths and the volume group "
                "on each before quorum forms, since HA starts guests at once",
                "quorate plan cold-start",
            ),
        ),
        never="run `pvecm expected` without a second person and proof that the silent nodes are off",
    ),
    "storage-elsewhere": Advice(
        title="The quorum is at {winner}, the disks{of pod} are at {lost}",
        stake="This does not heal by itself: guests that HA starts at {winner} find no disks.",
        alone="nodes with HA guests at {lost} reset, and HA restarts these guests at {winner}, where they fail",
        do=(
            do(
                "give the quorum to {lost}: power off {power}; the witness then votes for {lost}, "
                "and HA recovers the guests there",
                "quorate plan hand-over-quorum",
                who=TWO,
            ),
            do("repair the link between the sites"),
        ),
        never="start guests by hand at either site, or promote the copy that is offline",
    ),
    "pod-offline": Advice(
        title="No array serves the pod {pod}",
        stake="Every guest on it has lost its disks.",
        alone="guests wait for their disks and fail; HA notices only failed starts",
        do=(
            do("look at both arrays: their copies, the link between them and the mediator", "purepod list"),
            do("call the vendor; note frozen_at of each copy: it is the recovery point"),
        ),
        never="force a copy online, or start guests elsewhere",
    ),
    "sites-parted": Advice(
        title="The sites are parted: {winner} has the quorum, {lost} is cut off",
        stake="Proxmox HA restarts the guests of {lost} at {winner}.",
        alone="nodes with HA guests at {lost} reset; the mediator gives the pod to one array",
        do=(
            do("follow the incident", "quorate incident watch"),
            do("repair the link between the sites"),
            do("treat guests outside HA at {lost} as running: HA does not stop them"),
        ),
        never="start guests by hand at either site",
    ),
    "site-lost": Advice(
        title="Site {lost} is lost",
        stake="Proxmox HA restarts its guests at {winner}.",
        alone="HA fences the lost nodes first",
        do=(do("follow the incident", "quorate incident watch"),),
        never="start guests of {lost} by hand: HA starts them once their nodes are fenced",
    ),
    "site-isolated": Advice(
        title="Site {lost} is cut off",
        stake="Proxmox HA restarts its guests at {winner}; guests outside HA go on at {lost}.",
        alone="its nodes with HA guests reset within about 70 s",
        do=(
            do("follow the incident", "quorate incident watch"),
            do("keep the site's network off until all of it works again"),
        ),
        never="start a guest outside HA at the other site before its node is proven off",
    ),
    "node-lost": Advice(
        title="{where} {is} lost",
        stake="Proxmox HA restarts {its} guests on other nodes, at either site.",
        alone="HA fences {them} first",
        do=(
            do("check where {its} guests run now", "quorate incident watch"),
            do("find out why {it} failed before guests return to {them}"),
        ),
        never="start {its} guests by hand before HA has fenced {them}",
    ),
    "undetermined": Advice(
        title="What has happened is not certain",
        stake="The vantage points contradict each other, or too few of them answer.",
        alone="only what HA and the arrays decide: Quorate acts on no verdict that is in doubt",
        do=(
            do("compare the evidence with what you see yourself", "quorate watch show"),
            do("check the vantage points that do not answer"),
        ),
        never="act on one source alone",
    ),
}

CASES: dict[tuple[Kind, str], Advice] = {
    ("quorum-lost", "links"): Advice(
        title="The quorum is lost: no node sees another one",
        stake="No guest can start anywhere, and nodes with HA guests reset within about 70 s.",
        alone="HA starts guests as soon as the nodes see each other",
        do=(
            do(
                "all nodes answer: repair corosync's network (switches, VLANs, LACP, MTU); look at its links",
                "corosync-cfgtool -s",
            ),
            do(
                "check paths and the volume group on each node before the network works again: HA starts guests at "
                "once when quorum forms",
                "vgs; multipath -ll",
            ),
        ),
        never="run `pvecm expected`: every node would go on alone",
    ),
    ("quorum-lost", "halves"): Advice(
        title="The quorum is lost: the nodes have fallen into parts",
        stake="No guest can start anywhere, and nodes with HA guests reset within about 70 s.",
        alone="HA starts guests as soon as there is a quorum",
        do=(
            do(
                "both sites answer: repair the link between the sites, or bring back {decides}; either gives the quorum"
            ),
            do("check which array serves the pod before quorum forms: HA starts guests at once", "purepod list"),
        ),
        never="run `pvecm expected`: both sites would go on alone",
    ),
    ("quorum-lost", UNREST): Advice(
        title="The quorum is lost: the sites reach {decides}, and not each other",
        stake="Nothing is written to the cluster's configuration, and nodes with HA guests reset within about 70 s, at "
        "both sites.",
        alone="corosync makes memberships without end; HA starts guests as soon as one of them lasts",
        do=(
            do("repair the link between the sites: that alone brings all nodes together"),
            do("where that takes long, choose the site that shall go on, and see that it has the pod", "purepod list"),
            do(
                "power off every node of the other site, by its management controller, and no other node: the rest has "
                "the quorum then, and HA restarts the guests",
                who=TWO,
            ),
        ),
        never="run `pvecm expected`: the memberships would write against each other",
    ),
    ("quorum-lost", "votes"): Advice(
        title="The quorum is lost although all nodes see each other: the votes are not as designed",
        stake="No guest can start anywhere, and nodes with HA guests reset within about 70 s.",
        alone="HA starts guests as soon as there is a quorum",
        do=(
            do("compare the votes of all nodes with the design, and find who has changed them", "pvecm status"),
            do("bring back {decides}, or the votes in corosync.conf; either gives the quorum"),
        ),
        never="restart corosync on all nodes at once",
    ),
    ("storage-elsewhere", THIRD_PLACE): Advice(
        title="The quorum is at {winner}, the disks{of pod} are at {lost}",
        stake="This does not heal by itself: guests that HA starts at {winner} find no disks.",
        alone="nodes with HA guests at {lost} reset, and HA restarts these guests at {winner}, where they fail",
        do=(
            do("repair the link between the sites, and the one between {lost} and {third}"),
            do("check which array serves the pod", "purepod list"),
        ),
        never="start guests by hand at either site, or promote the copy that is offline",
    ),
    ("storage-elsewhere", "apart"): Advice(
        title="The quorum is at {winner}, the disks{of pod} are at {lost}",
        stake="Guests{on pod} that HA starts at {winner} find no disks; the other guests have theirs there.",
        alone="nodes with HA guests at {lost} reset, and HA restarts these guests at {winner}",
        do=(
            do("repair the link between the sites, and the storage network between them"),
            do("look for guests that are paused with an I/O error: HA does not notice them", "qm list"),
        ),
        never="power off the nodes of {winner}, start guests by hand at either site, or promote a copy that is offline",
    ),
    ("storage-elsewhere", "reached"): Advice(
        title="The quorum is at {winner}, the disks{of pod} are at {lost}",
        stake="Guests{on pod} at {winner} reach their disks only over the storage network between the sites.",
        alone="nodes with HA guests at {lost} reset, and HA restarts these guests at {winner}",
        do=(
            do("follow the incident; check that the guests that HA starts get their disks", "quorate incident watch"),
            do("repair the link between the sites before their storage network fails too"),
        ),
        never="shut down the array that serves {the pod}, or start guests by hand",
    ),
}
