"""The quorum device, set up by the engine's own activities on the real cluster and on the twin."""

import time
from dataclasses import dataclass

from activities.errors import Word
from cluster.contracts.hosts import HostName, HostNames, VotesFinding
from cluster.plan import Finding, Mode
from tests.real.both import Both, Pair
from tests.real.engine import Engine
from tests.real.network import WITNESS
from tests.real.texts import differences


@dataclass(frozen=True)
class Deployment:
    """What the activities found before, while and after the device was set up."""

    witness: Finding
    clocks: Finding
    before: Pair[VotesFinding]
    texts_before: str
    planned: Pair[VotesFinding]
    not_let_in: str
    applied: Pair[VotesFinding]
    again: Pair[VotesFinding]
    elsewhere: Pair[str]


async def deploy(both: Both) -> Deployment:
    """Everything in the order of a deployment, in both worlds."""
    real, twin = both.real, both.twin
    witness = await real.do(real.hosts.witness_preflight, HostName(host=WITNESS))
    hosts = (*both.nodes, WITNESS)
    clocks = await real.do(real.hosts.clocks, HostNames(hosts=hosts, limit=real.inventory.limits.clock_offset))
    before = await real.do(real.quorum.votes, real.device()), await twin.do(twin.quorum.votes, twin.device())
    texts_before = await differences(real, twin, (both.nodes[0], WITNESS))
    not_let_in = await _refused(real)
    both.stage.let_log_in(both.stage.ours)
    planned = await _ensured(real, Mode.PLAN), await _ensured(twin, Mode.PLAN)
    took = []
    applied = []
    for engine in (real, twin):
        began = time.monotonic()
        applied.append(await _ensured(engine, Mode.APPLY))
        took.append(time.monotonic() - began)
    both.note("the quorum device set up, until all nodes show it", (took[0], took[1]))
    again = await _ensured(real, Mode.APPLY), await _ensured(twin, Mode.APPLY)
    elsewhere = await _refused(real, "10.21.103.99"), await _refused(twin, "10.21.103.99")
    await both.deployed()
    return Deployment(
        witness, clocks, before, texts_before, planned, not_let_in, (applied[0], applied[1]), again, elsewhere
    )


async def _ensured(engine: Engine, mode: Mode) -> VotesFinding:
    return await engine.do(engine.quorum.ensure_quorum_device, engine.device(mode))


async def _refused(engine: Engine, witness: str = "") -> str:
    """The word and the sentence with which a set-up is refused; empty when it is not."""
    try:
        await engine.do(engine.quorum.ensure_quorum_device, engine.device(witness=witness))
    except Word as word:
        return f"{word.type}: {word.message}"
    return ""
