"""Advice for arrays, the pod's copies, the mediator, paths and storage (docs/incidents.md)."""

from cluster.answers.texts import PLANNED, Advice, do
from cluster.conditions import Kind

# The words of each transport: `cluster.answers.ways`.
_LOG_IN = do("{log in}", "{log in command}")

DISKS: dict[Kind, Advice] = {
    "array-lost": Advice(
        title="Array {where} is lost",
        stake="Guests{on pod} go on over the other array; another failure of storage stops them.",
        alone="nodes beside the lost array use their non-optimized paths",
        do=(
            do("look for guests that are paused with an I/O error", "qm list"),
            do("start no planned work: there is no redundancy until the array is back"),
        ),
        never="move all guests to the other site: they go on where they are",
    ),
    "pod-unstretched": Advice(
        title="The pod {pod} is not stretched to {where} any more",
        stake="Guests go on; the loss of the array that is left is an outage.",
        alone="nothing",
        do=(
            do("find out who took the pod off the array, in the array's audit log", "pureaudit list"),
            do("stretch the pod again from the array that has it, and wait until both copies are online"),
        ),
        never="delete the copy that is left",
    ),
    "paths-lost": Advice(
        title="Paths to {first} are lost",
        stake="Guests go on over the other array; when that one is lost, these nodes lose their disks.",
        do=(
            do("check the array's {ports} between the nodes and this array"),
            do("check that the hosts and the volume are connected on this array too", "quorate plan reconcile-arrays"),
            _LOG_IN,
            do(f"or have that {PLANNED}", "quorate plan restore-sessions"),
        ),
        never="start planned work on the other array or its site",
    ),
    "replication-lost": Advice(
        title="The replication of {the pod} is lost ({where})",
        stake="Guests go on over one array; writes are not mirrored.",
        alone="one array takes its copy offline; hosts go on over the paths to the other one",
        do=(
            do("check that the array that serves is at the site that keeps the quorum", "purepod list"),
            do(
                "count the paths of the other site's nodes to that array: HA does not notice a guest without a disk",
                "multipath -ll",
            ),
        ),
        never="start a second copy of a guest that cannot be stopped",
    ),
    "replication-degraded": Advice(
        title="The replication runs over fewer links ({where})",
        stake="Data is still mirrored, over the links that are left.",
        do=(do("find the replication links that are down or uneven: ports, switches, addresses on both arrays"),),
    ),
    "mediator-lost": Advice(
        title="{where} {does} not reach the mediator{of pod}",
        stake="Guests go on; only the pre-elected array survives a break of the replication.",
        alone="replication goes on",
        do=(
            do("check DNS, gateway and firewall of the mediator", "purepod list --mediator"),
            do("start no maintenance on the pre-elected array"),
        ),
    ),
    "resyncing": Advice(
        title="{where} {is} catching up{on pod}",
        stake="Guests go on; until it is done, one array alone serves {the pod}.",
        alone="the copy catches up by itself",
        do=(do("start no failback until both copies are online and both arrays reach the mediator"),),
    ),
    "storage-inactive": Advice(
        title="The storage {storage} is inactive on {where}",
        stake="HA may still place guests there, and their start fails.",
        do=(
            do(
                "put the node into HA maintenance, so that no guest is placed there",
                "ha-manager crm-command node-maintenance enable {first}",
            ),
            do("check its sessions, multipath and the volume group, then release it", "multipath -ll; vgs"),
        ),
    ),
    "paths-degraded": Advice(
        title="Paths are missing on {where}",
        stake="Guests go on over the paths that are left.",
        do=(
            do("{find}", "{find command}"),
            do(f"or have that {PLANNED}", "quorate plan restore-sessions"),
            do(
                "start no work on an array meanwhile: a node without paths to the far array does not survive the loss "
                "of the near one"
            ),
        ),
    ),
}

CASES: dict[tuple[Kind, str], Advice] = {
    ("replication-lost", "apart"): Advice(
        title="{peer} alone serves {the pod}, and {where} alone serves another pod",
        stake="No site has all disks; guests go on over the storage network between the sites, and writes are not "
        "mirrored.",
        alone="each pod stays where the mediator left it until its copies are in sync again",
        do=(
            do("repair the replication between the arrays; each pod then catches up by itself", "purepod list"),
            do(
                "count the paths of all nodes to both arrays: HA does not notice a guest without a disk",
                "multipath -ll",
            ),
            do("give all pods the same failover preference once they are in sync", "quorate plan deploy"),
        ),
        never="switch off an array, or empty a site, before every pod is in sync",
    ),
    ("replication-lost", "unseen"): Advice(
        title="{where} {does} not serve {the pod}, and the other array does not answer",
        stake="Whether guests{on pod} have their disks is not known.",
        do=(
            do(
                "look at the other array from another place: its console, its site, a node's paths",
                "multipath -ll",
            ),
            do("look for guests that are paused with an I/O error: HA does not notice them", "qm list"),
        ),
        never="force the offline copy online, or start guests elsewhere",
    ),
    ("replication-lost", "not known"): Advice(
        title="The state of the copies of {the pod} is not known ({where})",
        stake="Whether writes are mirrored is not known.",
        do=(
            do("look at the pod on both arrays, and at their alerts", "purepod list"),
            do("start no planned work until both arrays call both copies online"),
        ),
        never="force a copy online",
    ),
    ("mediator-lost", "not known"): Advice(
        title="What {where} knows of the mediator{of pod} is not known",
        stake="Guests go on; whether {the pod} survives a break of the replication is not known.",
        do=(do("look at the mediator on both arrays, and at their alerts", "purepod list --mediator"),),
    ),
    ("paths-lost", "everywhere"): Advice(
        title="Nodes have lost every path to their disks ({where})",
        stake="Their guests are paused or hang, and HA does not help them.",
        alone="HA notices only failed starts, and may place more guests there",
        do=(
            do("tell the owners of these guests: they are paused with an I/O error, or hang"),
            do("put these nodes into HA maintenance, but only when their guests can be stopped"),
            do("check the {network} of these nodes, and that hosts and volume are connected on both arrays"),
            _LOG_IN,
            do(f"or have that {PLANNED}", "quorate plan restore-sessions"),
        ),
        never="start these guests elsewhere before they are proven stopped",
    ),
}
