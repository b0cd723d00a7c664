"""What a person should know about each verdict: what happens by itself, what to do, what never to do.

The responses of the incident catalogue in one place; a page shows them, nothing acts on them. Where the same name needs
another answer, a condition has a `case`.
"""

from pydantic import BaseModel, ConfigDict

from cluster.conditions import Condition, Kind


class Advice(BaseModel):
    """Three short texts for the page."""

    model_config = ConfigDict(frozen=True)

    alone: str
    do: tuple[str, ...]
    never: str = ""


_LOSS: dict[Kind, Advice] = {
    "quorum-lost": Advice(
        alone="no guest starts anywhere: without quorum HA neither fences nor restarts; nodes with HA guests reset",
        do=(
            "prove that the silent nodes are off: management controllers, power distribution, a person on site",
            "lock their power off, so that none comes back during the repair",
            "bring back the witness, or the silent nodes one at a time; check paths and the volume group on each "
            "before quorum forms, since HA starts guests at once",
        ),
        never="run `pvecm expected` without a second person and proof that the silent nodes are off",
    ),
    "storage-elsewhere": Advice(
        alone="HA restarts guests at the site with the quorum, where they find no disks and fail; "
        "the nodes at the site with the pod reset",
        do=(
            "give the quorum to the site with the pod: with a second person, power off the quorate nodes without "
            "storage by their management controllers; the witness then votes for the other site, and HA recovers there",
            "repair the link between the sites",
        ),
        never="start guests by hand at either site, or promote the copy that is offline",
    ),
    "pod-offline": Advice(
        alone="guests wait for their disks and fail; HA does not help, since it only notices failed starts",
        do=(
            "look at both arrays: their copies, the link between them and the mediator",
            "call the vendor; note frozen_at of each copy: it is the recovery point",
        ),
        never="force a copy online, or start guests elsewhere",
    ),
    "sites-parted": Advice(
        alone="the witness gives its vote to one site, the mediator gives the pod to one array; nodes with HA guests "
        "at the losing site reset, and HA restarts these guests at the site with the quorum",
        do=(
            "follow the incident",
            "repair the link between the sites",
            "treat guests outside HA at the losing site as running: HA does not stop them",
        ),
        never="start guests by hand at either site",
    ),
    "site-lost": Advice(
        alone="HA fences the lost nodes and restarts their guests at the other site", do=("follow the incident",)
    ),
    "site-isolated": Advice(
        alone="its nodes with HA guests reset within about 70 s; guests outside HA go on running there",
        do=("follow the incident", "keep the site's network off until all of it works again"),
        never="start a guest outside HA at the other site before its node is proven off",
    ),
    "node-lost": Advice(
        alone="HA fences the node and restarts its guests on any other node, at either site",
        do=("check where its guests run now", "find out why the node failed before guests return to it"),
        never="start its guests by hand before HA has fenced the node",
    ),
    "undetermined": Advice(
        alone="only what HA and the arrays decide: Quorate acts on no verdict that is in doubt",
        do=("compare the evidence above with what you see yourself", "check the vantage points that do not answer"),
        never="act on one source alone",
    ),
}

_STORAGE: dict[Kind, Advice] = {
    "array-lost": Advice(
        alone="the other array serves the pod; nodes beside the lost one use their non-optimized paths",
        do=(
            "look for guests that are paused with an I/O error",
            "start no planned work: there is no redundancy until the array is back",
        ),
        never="move all guests to the other site: they go on where they are",
    ),
    "pod-unstretched": Advice(
        alone="one array serves the pod; the loss of that array is an outage",
        do=(
            "find out who took the pod off the array, in the array's audit log",
            "stretch the pod again from the array that has it, and wait until both copies are online",
        ),
        never="delete the copy that is left",
    ),
    "paths-lost": Advice(
        alone="guests go on over the other array; when that one is lost, these nodes lose their disks",
        do=(
            "check the array's iSCSI ports and the storage network between the nodes and this array",
            "check that the hosts and the volume are connected on this array too",
            "log in again: iscsiadm -m node --login, then rescan and check multipath",
        ),
        never="start planned work on the other array or its site",
    ),
    "replication-lost": Advice(
        alone="one array takes its copy offline and the other one serves; hosts go on over the winner's paths",
        do=(
            "check that the array that serves is at the site that keeps the quorum",
            "count the paths from the other site's nodes to that array: HA does not notice a guest without its disk",
        ),
        never="start a second copy of a guest that cannot be stopped",
    ),
    "replication-degraded": Advice(
        alone="data is still mirrored over the links that are left",
        do=("find the replication links that are down or uneven: ports, switches, addresses on both arrays",),
    ),
    "mediator-lost": Advice(
        alone="replication goes on; one array is pre-elected, and only that one survives a break of the replication",
        do=("check DNS, gateway and firewall of the mediator", "start no maintenance on the pre-elected array"),
    ),
    "resyncing": Advice(
        alone="the copy catches up by itself",
        do=("start no failback until both copies are online and both arrays reach the mediator",),
    ),
    "storage-inactive": Advice(
        alone="HA may still place guests there, and their start fails",
        do=(
            "put the node into HA maintenance, so that no guest is placed there",
            "check its sessions, multipath and the volume group, then release it",
        ),
    ),
    "paths-degraded": Advice(
        alone="multipath goes on over the paths that are left",
        do=(
            "find the sessions that are missing and log in again",
            "start no work on an array meanwhile: a node without paths to the far array does not survive the loss of "
            "the near one",
        ),
    ),
}

_CLUSTER: dict[Kind, Advice] = {
    "witness-lost": Advice(
        alone="nothing; but the loss of a site now stops everything",
        do=(
            "check the witness's host, TCP port 5403 and its certificates",
            "start no planned work on nodes or sites until every node counts its vote again",
        ),
    ),
    "votes-changed": Advice(
        alone="nothing; but a loss may now end differently from the design",
        do=(
            "set quorum_votes of each node to 1 in corosync.conf, and do not leave `pvecm expected` in force",
            "compare `pvecm status` of all nodes with the votes above",
        ),
        never="start planned work on nodes or sites before the votes are as designed",
    ),
    "ha-error": Advice(
        alone="nothing: HA has given up these guests",
        do=(
            "find the cause in the task log of the node: storage, lock, configuration",
            "when the cause is fixed: `ha-manager set GUEST --state disabled`, then `--state started`",
        ),
        never="start the guest outside HA",
    ),
    "ha-impaired": Advice(
        alone="HA does not act on the nodes named above; a node whose LRM is dead resets itself or is fenced",
        do=(
            "check pve-ha-lrm, pve-ha-crm and watchdog-mux on these nodes: systemctl status, journalctl",
            "check the clocks of all nodes",
        ),
        never="kill pve-ha-lrm, pve-ha-crm or watchdog-mux: the node may reset",
    ),
    "links-down": Advice(
        alone="corosync goes on over the other link; when that one goes too, nodes with HA guests reset",
        do=("check the network of the link that is down: `corosync-cfgtool -s` on the nodes named above",),
        never="restart corosync on all nodes",
    ),
    "blind": Advice(
        alone="nothing; but a loss is confirmed later, or not at all, without these sources",
        do=("check whether the service answers from the worker's host: network, firewall, daemon",),
    ),
    "not-deployed": Advice(
        alone="nothing",
        do=("deploy the cluster: `quorate plan deploy`, then `quorate run deploy`; or correct the inventory",),
    ),
    "healthy": Advice(alone="nothing", do=()),
}

_KINDS = {**_LOSS, **_STORAGE, **_CLUSTER}

_CASES: dict[tuple[Kind, str], Advice] = {
    ("quorum-lost", "links"): Advice(
        alone="nodes with HA guests reset within about 70 s; no guest starts anywhere until the nodes see each other",
        do=(
            "all nodes answer: repair corosync's network (switches, VLANs, LACP, MTU); look at `corosync-cfgtool -s`",
            "check paths and the volume group on each node before the network works again: HA starts guests at once "
            "when quorum forms",
        ),
        never="run `pvecm expected`: every node would go on alone",
    ),
    ("quorum-lost", "halves"): Advice(
        alone="nodes with HA guests reset within about 70 s; no guest starts anywhere until there is a quorum",
        do=(
            "both sites answer: repair the link between the sites, or bring back the witness; either gives the quorum",
            "check which array serves the pod before quorum forms: HA starts guests at once",
        ),
        never="run `pvecm expected`: both sites would go on alone",
    ),
    ("storage-elsewhere", "reached"): Advice(
        alone="HA restarts guests at the site with the quorum; they reach the pod only over the storage network "
        "between the sites, and nodes with HA guests at the other site reset",
        do=(
            "follow the incident; check that the guests that HA starts get their disks",
            "repair the link between the sites before their storage network fails too",
        ),
        never="shut down the array that serves the pod, or start guests by hand",
    ),
    ("replication-lost", "unseen"): Advice(
        alone="this array does not serve, and the other one does not answer here: "
        "whether the pod is served is not known",
        do=(
            "look at the other array from another place: its console, its site, a node's paths (`multipath -ll`)",
            "look for guests that are paused with an I/O error: HA does not notice them",
        ),
        never="force the offline copy online, or start guests elsewhere",
    ),
    ("replication-lost", "not known"): Advice(
        alone="whether this copy serves, and whether writes are mirrored, is not known",
        do=(
            "look at the pod on both arrays (`purepod list`) and at their alerts",
            "start no planned work until both arrays call both copies online",
        ),
        never="force a copy online",
    ),
    ("mediator-lost", "not known"): Advice(
        alone="replication goes on; whether the pod survives a break of it is not known",
        do=("look at the mediator on both arrays (`purepod list --mediator`) and at their alerts",),
    ),
    ("ha-error", "unmanaged"): Advice(
        alone="HA does not restart these guests when their node or site is lost",
        do=(
            "put them under HA again: `ha-manager add GUEST`, or `--state started`; or take them out of the inventory",
        ),
    ),
    ("ha-impaired", "disarmed"): Advice(
        alone="nothing: a lost node is not fenced and its guests stay down until HA is armed again",
        do=(
            "find out who has disarmed HA and why; when that work is over, check that every node is a member (`pvecm "
            "status`), then arm HA: `ha-manager crm-command arm-ha`",
        ),
        never="start planned work while HA is disarmed, or arm it while a node is cut off and may still "
        "run: no watchdog has stopped its guests, and HA may start them a second time",
    ),
    ("witness-lost", "elsewhere"): Advice(
        alone="nothing; but after the loss of a site another host decides than the designed witness",
        do=(
            "compare `corosync-qdevice-tool -sv` on the nodes (QNetd host) with the witness's address in the inventory",
            "set up the quorum device at the designed witness: `pvecm qdevice remove`, then `pvecm qdevice setup`",
        ),
        never="start planned work on nodes or sites before you know which host gives the vote",
    ),
    ("paths-lost", "everywhere"): Advice(
        alone="guests on nodes without any session have lost their disks; HA does not help: it only notices failed "
        "starts, and may place more guests there",
        do=(
            "tell the owners of these guests: they are paused with an I/O error, or hang",
            "put these nodes into HA maintenance, but only when their guests can be stopped",
            "check the storage network of these nodes, and that hosts and volume are connected on both arrays",
            "log in again: iscsiadm -m node --login, then rescan and check multipath",
        ),
        never="start these guests elsewhere before they are proven stopped",
    ),
    ("witness-lost", "not configured"): Advice(
        alone="nothing; but the loss of a site now stops everything",
        do=(
            "set up the quorum device again: `pvecm qdevice setup WITNESS-ADDRESS`, then check `A,V` in `pvecm status`",
            "start no planned work on nodes or sites until every node counts its vote again",
        ),
    ),
    ("blind", "refused"): Advice(
        alone="nothing; but a loss is confirmed later, or not at all, without these sources",
        do=("renew the token or key, or grant the right that the refusal names", "check the certificate"),
    ),
    ("ha-error", "waiting"): Advice(
        alone="HA keeps trying and does not get these guests to run",
        do=("look for rules, maintenance, storage or memory that leave no node for them",),
        never="start the guest outside HA",
    ),
}


def advice(condition: Condition) -> Advice:
    """What to know about a condition."""
    return _CASES.get((condition.kind, condition.case)) or _KINDS[condition.kind]
