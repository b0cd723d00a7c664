"""Build the stretched cluster: from bare arrays and a bare cluster to guests under an armed HA.

Everything is looked at before anything is changed: a plan runs through all steps first and stops at the first thing
that stands in the way. Applying runs through the same steps again and makes the changes; a second run finds nothing
to change. Nothing is ever deleted, resized or taken over from someone else.
"""

import asyncio
import operator

from pydantic import BaseModel, Field
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import hosts, proxmox, purity
    from cluster.contracts.hosts import HostName, PathsFinding, VotesFinding
    from cluster.contracts.proxmox import HaFinding
    from cluster.contracts.purity import ArrayFinding
    from cluster.inventory import Guest, Inventory
    from cluster.plan import Intent, Mode
    from cluster.wishes import Wishes
    from workflows.catalogue import About, RunbookReport, RunbookRequest
    from workflows.runbook import Runbook


class Votes(BaseModel):
    """The votes that all nodes agree on."""

    expected: int
    total: int
    quorum: int


class NodePaths(BaseModel):
    """Usable paths of one node to a volume: of several volumes the one that has fewest."""

    optimized: int
    non_optimized: int


class HaState(BaseModel):
    """HA at the end."""

    armed: bool
    lrms: int
    started: tuple[str, ...]


class Proof(BaseModel):
    """What the last reading of every layer said."""

    votes: Votes
    paths: dict[str, NodePaths]
    ha: HaState


class DeployReport(RunbookReport):
    """How the deployment ended; a plan has no proof. `wwid` is the first volume's, `wwids` tells several by name."""

    wwid: str | None
    wwids: dict[str, str | None] = Field(default_factory=dict, exclude_if=operator.not_)
    proof: Proof | None


@workflow.defn(name="DeployStretchedCluster")
class DeployStretchedCluster(Runbook):
    """Plan, apply and prove: pod, hosts, paths, shared LVM, votes, guests, HA."""

    about = About(
        name="deploy",
        what="Plans, applies and proves: the stretched pod, hosts with preferred arrays, eight paths a node, "
        "shared LVM, the quorum device, guests, HA",
        when="when a cluster is new, or to see that it still matches the inventory",
        asks="whether to plan or to apply; the default is plan",
        landing="What was changed stays; each layer is complete or absent, and the same runbook goes on from there",
        example={"mode": "apply"},
    )

    def __init__(self) -> None:
        super().__init__()
        self._arrays: dict[str, ArrayFinding] = {}
        self._wwids: dict[str, str | None] = {}  # by the volume's full name
        self._inventory: Inventory | None = None
        self._left_out: set[int] = set()  # guests that a person decided to go without

    @workflow.run
    async def run(self, request: RunbookRequest | None = None) -> DeployReport:
        """Plan always, apply what differs when that is wished, prove every layer at the end."""
        request, proof = request or RunbookRequest(), None
        async with self.opened(request, "Deploy the stretched cluster {cluster}") as inventory:
            self._inventory = inventory
            await self.preflight(Wishes(inventory, Mode.PLAN))
            planned = await self.procedure(Wishes(inventory, Mode.PLAN))
            await self.require_agreement(request, planned)
            if request.mode is Mode.APPLY:
                if planned:
                    await self.procedure(Wishes(inventory, Mode.APPLY))
                proof = await self.proof(Wishes(inventory, Mode.PLAN))
        wwids = self._wwids if len(self._wwids) > 1 else {}
        first = next(iter(self._wwids.values()), None)
        return self.report(DeployReport, mode=request.mode, planned=planned, wwid=first, wwids=wwids, proof=proof)

    async def landing(self) -> str:
        """Nothing is taken back: every layer is harmless without the next. The votes are what must not be in doubt."""
        if self._inventory is None or not self.record.changes:
            return ""
        self.section("Landing")
        votes = await self.step("Nodes agree about the votes", hosts.votes, Wishes(self._inventory, Mode.PLAN).device())
        return f"The cluster has {votes.finding}; started again, this runbook goes on from here."

    async def preflight(self, wishes: Wishes) -> None:
        """What must be so before the first change. Reads only."""
        self.section("Preflight")
        names = [array.name for array in wishes.inventory.arrays]
        limit = wishes.inventory.timeouts.preflight
        ready = await self.together(
            *(
                self.step(f"Array {name} is ready", purity.preflight, wishes.array_pair(name), within=limit)
                for name in names
            )
        )
        self._arrays = dict(zip(names, ready, strict=True))
        witness, third = wishes.inventory.witness, wishes.inventory.third
        if third is not None:  # a line of the page, no command
            said = f"no quorum device: {len(third.nodes)} of {wishes.inventory.votes} votes are there"
            self.record.line(f"{third.name} decides between the sites").end("done", said, self.record.elapsed)
        witnesses = (witness.name,) if witness is not None else ()
        asked = [
            self.step(f"Witness {name} is ready", hosts.witness_preflight, HostName(host=name), within=limit)
            for name in witnesses
        ]
        await self.together(
            self.step("Cluster is quorate and complete", proxmox.preflight, wishes.cluster(), within=limit),
            self.step("Nodes agree about the votes", hosts.votes, wishes.device(), within=limit),
            self.step("Clocks agree", hosts.clocks, wishes.clocks(), within=limit),
            *asked,
            *(
                self.step(f"Node {name} is ready", hosts.preflight, wishes.node(name, self._arrays), within=limit)
                for name in wishes.nodes
            ),
        )

    async def procedure(self, wishes: Wishes) -> tuple[Intent, ...]:
        """The deployment, planned or applied: the changes in the order of the procedure."""
        inventory, limits = wishes.inventory, wishes.inventory.timeouts
        planning = wishes.mode is Mode.PLAN
        section = self.section("Plan" if planning else "Apply", rehearsal=planning)
        for volume in wishes.each:
            pod = await self.step(
                f"Pod {volume.inventory.pod.name} holds {volume.the_volume}", purity.ensure_pod, volume.pod()
            )
            self._wwids[volume.volume_name] = pod.wwid
        for one in wishes.each_pod:
            await self.step(
                f"{_the_pod(wishes, one)} is online on both arrays",
                purity.ensure_stretched,
                one.stretch(),
                within=limits.stretch,
                attempt=limits.stretch,
            )
        for volume in wishes.each:  # one after the other: all of them make the same hosts and groups
            await self.together(
                *(
                    self.step(
                        f"Hosts see {volume.the_volume} on {array.name}",
                        purity.ensure_access,
                        volume.access(array.name),
                    )
                    for array in inventory.arrays
                )
            )
        # Votes need no storage and storage needs no votes: two lines of work, side by side.
        device = wishes.inventory.witness is not None
        await self.together(
            *(
                (self.step("Quorum device votes", hosts.ensure_quorum_device, wishes.device(), attempt=limits.step),)
                if device
                else ()
            ),
            self.storage_and_guests(wishes),
        )
        await self.step(
            "HA keeps the guests started",
            proxmox.ensure_ha,
            wishes.ha(self._kept(inventory)),
            within=limits.ha * 2,
            attempt=limits.ha * 2,
        )
        changes = self.record.changes_of(section)
        return changes if len(wishes.each) == 1 else _once(changes)

    async def storage_and_guests(self, wishes: Wishes) -> None:
        """From paths to running guests: each needs the one before."""
        inventory = wishes.inventory
        for volume in wishes.each:
            wwid, to = self._wwids[volume.volume_name], volume.to_volume
            paths = await self.together(
                *(
                    self.step(
                        f"Paths of {node}{to}",
                        hosts.ensure_paths,
                        volume.paths(node, self._arrays, wwid, beside=self._wwids.values()),
                    )
                    for node in wishes.site_nodes
                )
            )
            # what a plan does for a node's paths is not done yet, and what the node sees through them comes then
            awaiting = [one.node for one in paths if one.changes and wishes.mode is Mode.PLAN]
            await self.step(
                f"Volume group {volume.inventory.storage.vg} is seen by {_all_nodes(inventory)}",
                hosts.ensure_volume_group,
                volume.volume_group(wwid, awaiting),
            )
            await self.step(
                f"Storage {volume.inventory.storage.id} is active on {_all_nodes(inventory)}",
                proxmox.ensure_storage,
                volume.storage(awaiting),
            )
        await self.together(*(self.guest(guest, wishes) for guest in self._kept(inventory)))

    async def guest(self, guest: Guest, wishes: Wishes) -> None:
        """One test guest; the cluster is whole without it."""
        limit = wishes.inventory.timeouts.clone
        found = await self.step(
            f"Guest {guest.name} runs on {guest.node}",
            proxmox.ensure_guest,
            wishes.guest(guest),
            within=limit,
            attempt=limit,
            skip=f"the guest {guest.vmid} is left as it is and not put under HA",
        )
        if found is None:
            self._left_out.add(guest.vmid)

    def _kept(self, inventory: Inventory) -> tuple[Guest, ...]:
        """The guests that nobody decided to leave out."""
        return tuple(guest for guest in inventory.guests if guest.vmid not in self._left_out)

    async def proof(self, wishes: Wishes) -> Proof:
        """One last reading of every layer, all of them at once."""
        self.section("Proof")
        inventory = wishes.inventory
        votes = asyncio.ensure_future(self.step(_votes_on_every_node(inventory), hosts.votes, wishes.device()))
        ha = asyncio.ensure_future(
            self.step("HA is armed, guests started", proxmox.ha_state, wishes.ha(self._kept(inventory)))
        )
        paths = [
            asyncio.ensure_future(
                self.step(
                    f"Paths of {node}{volume.to_volume}",
                    hosts.paths,
                    volume.paths(node, self._arrays, self._wwids[volume.volume_name], lasting=True),
                )
            )
            for volume in wishes.each
            for node in wishes.site_nodes
        ]
        await self.together(
            votes,
            ha,
            *paths,
            *(
                self.step(
                    f"{_the_pod(wishes, one, volume=True)} serves on both arrays",
                    purity.pod_state,
                    one.pod_at(as_preferred=True),
                )
                for one in wishes.each
            ),
            *(
                self.step(
                    f"{_the_storage(wishes, one)} is active on {_all_nodes(inventory)}",
                    proxmox.storage_state,
                    one.storage(),
                )
                for one in wishes.each
            ),
            *(
                self.step(f"Guest {guest.name} runs", proxmox.guest_state, wishes.guest(guest))
                for guest in self._kept(inventory)
            ),
        )
        return _proof(votes.result(), [task.result() for task in paths], ha.result())


def _all_nodes(inventory: Inventory) -> str:
    """Those that have paths."""
    return "all nodes" if inventory.third is None else "all nodes of both sites"


def _votes_on_every_node(inventory: Inventory) -> str:
    if inventory.third is None:
        return "Quorum device votes on every node"
    return f"{inventory.third.name} votes, every node counts it"


def _once(changes: tuple[Intent, ...]) -> tuple[Intent, ...]:
    """What several volumes lack and is made once: hosts, groups, sessions. What has no name yet is one of each."""
    unnamed = [one for one in changes if " new " in f" {one.target} {one.detail} "]
    named = dict.fromkeys(one for one in changes if one not in unnamed)
    return tuple(one for one in changes if one in unnamed or (one in named and named.pop(one, 0) is None))


def _the_pod(wishes: Wishes, one: Wishes, *, volume: bool = False) -> str:
    """Which pod, where there are several; with `volume` which of its volumes as well."""
    if volume and one.several:
        return f"Pod {one.inventory.pod.name} with {one.inventory.pod.volume.name}"
    return f"Pod {one.inventory.pod.name}" if len(wishes.inventory.all_pods) > 1 else "Pod"


def _the_storage(wishes: Wishes, one: Wishes) -> str:
    return f"Storage {one.inventory.storage.id}" if len(wishes.inventory.all_storages) > 1 else "Storage"


def _fewest(paths: list[PathsFinding]) -> dict[str, NodePaths]:
    """Of each node the paths to the volume that has fewest: each has its own."""
    nodes = dict.fromkeys(found.node for found in paths)
    return {
        node: NodePaths(
            optimized=min(one.optimized for one in paths if one.node == node),
            non_optimized=min(one.non_optimized for one in paths if one.node == node),
        )
        for node in nodes
    }


def _proof(votes: VotesFinding, paths: list[PathsFinding], ha: HaFinding) -> Proof:
    return Proof(
        votes=Votes(expected=votes.expected, total=votes.total, quorum=votes.quorum),
        paths=_fewest(paths),
        ha=HaState(armed=ha.armed, lrms=ha.lrms, started=ha.started),
    )
