"""What a person should know about each verdict: what happens by itself, what to do, what never to do.

The responses of the incident catalogue in one place; a page shows them, nothing acts on them.
"""

from pydantic import BaseModel, ConfigDict

from cluster.conditions import Condition, Kind


class Advice(BaseModel):
    """Three short texts for the page."""

    model_config = ConfigDict(frozen=True)

    alone: str
    do: tuple[str, ...]
    never: str = ""


_ADVICE: dict[Kind, Advice] = {
    "quorum-lost": Advice(
        alone="nothing starts anywhere: without quorum HA neither fences nor restarts, and nodes with HA guests reset",
        do=(
            "prove that the dark side is off: management controllers, power distribution, eyes",
            "lock its power, so that it cannot come back in the middle",
            "bring back the witness, or nodes of the dark side one at a time; check paths and the volume group on each "
            "before quorum forms, since HA starts guests at once",
        ),
        never="pvecm expected without two people and the proof that the other side is off",
    ),
    "sites-parted": Advice(
        alone="the witness gives its vote to one site, the mediator gives the pod to one array; the losing nodes reset",
        do=(
            "compare the two winners above; at the same site this is a loss of the other one and heals by itself",
            "different winners: the site with the pod must get the quorum; power off the quorate nodes without storage "
            "by their management controllers, with approval: the witness then gives its vote to the other site",
            "mend the link between the sites",
        ),
        never="starting guests by hand at either site",
    ),
    "site-lost": Advice(
        alone="HA fences the lost nodes and restarts their guests at the other site", do=("follow the incident",)
    ),
    "site-isolated": Advice(
        alone="its nodes with HA guests reset within about 70 s; guests that are not under HA go on running there",
        do=("follow the incident", "keep the site's network off until it is whole again"),
        never="taking over a guest that is not under HA before its node is proven off",
    ),
    "node-lost": Advice(
        alone="HA fences the node and restarts its guests on any other node, at either site",
        do=("check where its guests have come up", "find out why it went before guests return to it"),
        never="starting its guests by hand while fencing is pending",
    ),
    "array-lost": Advice(
        alone="the other array serves the pod; nodes beside the lost one use their non-optimized paths",
        do=("look for guests that are paused with an I/O error", "there is no redundancy until the array is back"),
        never="moving all guests by reflex",
    ),
    "witness-lost": Advice(
        alone="nothing; but the loss of a site now stops everything",
        do=(
            "check the witness's host, TCP port 5403 and its certificates",
            "no planned work on nodes or sites until every node counts its vote again",
        ),
    ),
    "replication-lost": Advice(
        alone="one array takes its copy offline and the other one serves; hosts go on over the winner's paths",
        do=(
            "see that the serving array is at the site with the quorum's tie-breaker",
            "count the cross-site paths of the other site's nodes: HA does not notice a guest that has lost its disk",
        ),
        never="starting a second copy of a guest that cannot be stopped",
    ),
    "mediator-lost": Advice(
        alone="replication goes on; one array is pre-elected and alone survives a break",
        do=("check DNS, gateway and firewall of the mediator", "no maintenance on the pre-elected array"),
    ),
    "resyncing": Advice(
        alone="the copy catches up by itself",
        do=("no failback until both copies are online and the mediator is reached from both",),
    ),
    "paths-degraded": Advice(
        alone="multipath goes on over what is left",
        do=("find the sessions that are missing and log in again", "a node without paths to the far array does not "
            "survive the loss of the near one"),
    ),
    "undetermined": Advice(
        alone="whatever HA and the arrays decide: nothing here acts on a doubt",
        do=("compare the reasons above with what you see yourself", "look at the vantage points that say nothing"),
        never="acting on one source alone",
    ),
    "healthy": Advice(alone="nothing", do=("nothing",)),
}  # fmt: skip


def advice(condition: Condition) -> Advice:
    """What to know about a condition."""
    return _ADVICE[condition.kind]
