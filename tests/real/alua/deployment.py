"""Paths and the volume group, made by the engine's own activities on real initiators and on the twin."""

from dataclasses import dataclass

from cluster.contracts.hosts import GroupFinding, PathsFinding
from cluster.plan import Finding, Mode
from tests.real.alua.sides import Both, Side

Pair = tuple[list[str], list[str]]


@dataclass(frozen=True)
class Deployment:
    """What the activities found and changed: real, then the twin."""

    preflight: tuple[Finding, Finding]
    planned: Pair
    applied: Pair
    again: Pair
    proof: tuple[PathsFinding, PathsFinding]
    group_planned: GroupFinding
    group_applied: tuple[GroupFinding, GroupFinding]
    group_again: GroupFinding


async def deploy(both: Both) -> Deployment:
    """Everything in the order of a deployment, in both worlds."""
    node, other = both.real.nodes

    async def preflight(side: Side) -> Finding:
        return await side.patiently(side.rooms()[1].preflight, side.check(node))

    async def group(side: Side, mode: Mode = Mode.APPLY) -> GroupFinding:
        return await side.patiently(side.rooms()[2].ensure_volume_group, side.group(mode))

    async def proof(side: Side) -> PathsFinding:
        return await side.patiently(side.rooms()[0].paths, side.paths(node, lasting=True))

    found = await both.measured("preflight of a node", preflight)
    planned = await both.measured("paths planned", lambda side: side.ensure(node, Mode.PLAN))
    applied = await both.measured("eight connections, until all paths stand", lambda side: side.ensure(node))
    again = await both.measured("paths ensured again", lambda side: side.ensure(node))
    for side in (both.real, both.twin):
        await side.ensure(other)
    group_planned = await group(both.real, Mode.PLAN)
    made = await both.measured("volume group made, until both nodes see it", group)
    return Deployment(
        preflight=found,
        planned=planned,
        applied=applied,
        again=again,
        proof=(await proof(both.real), await proof(both.twin)),
        group_planned=group_planned,
        group_applied=made,
        group_again=await group(both.real),
    )
