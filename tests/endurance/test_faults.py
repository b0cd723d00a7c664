"""Every call that a deployment makes meets every kind of trouble in turn: the run ends, or parks with the right word.

The calls are those that the twin's own devices were asked in an undisturbed run. In each run every device spoils three
calls far apart from each other, others in the next run, until all had their turn.
"""

import math
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.clients import proxmox, purity, ssh
from lab.physics.faults import Fault
from tests.conftest import Deployment, working
from tests.endurance.hasty import Limits, hurry
from tests.runs import parked_or_ended, said, steps
from tests.twin import SPEED, TwinThread
from workflows import steps as engine

pytestmark = pytest.mark.slow

LIMITS = Limits(call=1.0)
LIMIT = 480.0
PER_RUN = 3
LATE = (LIMITS.call + 1) * SPEED

Kind = dict[str, Any]
KINDS: dict[str, Kind] = {
    "500": {"action": "fail", "status": 500, "message": "Internal Server Error"},
    "503, come again in 1 s": {"action": "fail", "status": 503, "message": "Service Unavailable", "retry_after": 1},
    "429, come again in 1 s": {"action": "fail", "status": 429, "message": "Too Many Requests", "retry_after": 1},
    "too late": {"action": "delay", "seconds": LATE},
    "reset": {"action": "reset"},
    "hang": {"action": "hang"},
    "reply lost after the effect": {"action": "drop"},
    "session expired": {"action": "expire"},
    "garbage": {"action": "garbage", "message": "<html><body>It works!</body></html>"},
}
# What a person is asked about, by kind and device; everything else is tried again until it is well.
FINAL = {"Rejected", "NotFound", "Conflict", "Refuted", "Unauthorized"}
MAY_PARK: dict[tuple[str, str], set[str]] = {
    ("too late", "any"): {"Unreachable"},  # a preflight step has 20 s: many waits of 1 s can be more than that
    ("hang", "any"): {"Unreachable"},
    ("500", "pve"): {"Rejected"},  # PVE's business errors are all 500
    ("500", "ssh"): FINAL,  # a command that ends with 1 means what that command means by it
    ("garbage", "ssh"): {"Refuted"},  # a change that was not made is found out by reading back
    ("session expired", "pve"): {"Unauthorized"},  # a token has no session: a 401 is a refusal
}


def kind_of(service: str) -> str:
    return service.split(":")[0] if ":" in service else "array"


@pytest.fixture
def hasty() -> Iterator[None]:
    kept = (engine.HEARTBEAT, engine.RETRY, proxmox.TIMEOUT, purity.READ_TIMEOUT, ssh.COMMAND_TIMEOUT)
    hurry(LIMITS)
    yield
    engine.HEARTBEAT, engine.RETRY, proxmox.TIMEOUT, purity.READ_TIMEOUT, ssh.COMMAND_TIMEOUT = kept


@pytest_asyncio.fixture
async def calls(twin: TwinThread, client: Client) -> dict[str, list[str]]:
    """What each device is asked in an undisturbed deployment, in order, each call once, as a pattern."""
    asked: dict[str, dict[str, None]] = {}
    take = twin.world.faults.take

    def noted(service: str, call: str) -> Fault | None:
        pattern = re.sub(r"UPID:[^/ ]*", "UPID:[^/ ]*", re.escape(call).replace(r"UPID\:", "UPID:"))
        # who answers for the cluster changes when a node is in trouble, so a call of its API is any node's
        asked.setdefault("pve:" if service.startswith("pve:") else service, {})[f"^{pattern}$"] = None
        return take(service, call)

    twin.world.faults.take = noted  # type: ignore[method-assign]
    async with working(client, twin.inventory, twin.path.parent) as start:
        await (await start()).result()
    return {service: list(patterns) for service, patterns in asked.items()}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_call_in_turn(
    twin: TwinThread, client: Client, calls: dict[str, list[str]], hasty: None, kind: str
):
    """All runs end well, after a person's `retry` where one was asked for; nothing is done twice."""
    services = [name for name in calls if kind_of(name) != "ssh" or "come again" not in kind]
    turns = max(math.ceil(len(calls[name]) / PER_RUN) for name in services)
    planted, words, unmet, began = 0, Counter[str](), [], time.monotonic()
    for turn in range(turns):
        twin.reset()
        faults = [
            Fault(f"^{re.escape(name)}" + ("" if name == "pve:" else "$"), call, **KINDS[kind])
            for name in services
            for call in calls[name][turn::turns]
        ]
        for fault in faults:
            twin.world.faults.plant(fault)
        planted += len(faults)
        # one worker for each run: its sessions are new, so that its logins meet their faults too
        async with working(client, twin.inventory, twin.path.parent) as start:
            words += await ended(await start(limit=LIMIT), kind)
        unmet += [f"{fault.service} {fault.call}" for fault in faults if not fault.met]
        changes = twin.change_lines()
        assert len(changes) == len(set(changes)), f"turn {turn}: something was done twice"

    met = planted - len(unmet)
    took = time.monotonic() - began
    print(f"{kind}: {met} of {planted} calls spoiled in {turns} runs, all ended; parked {dict(words)}; {took:.0f} s")
    assert not unmet, unmet


async def ended(run: Deployment, kind: str) -> Counter[str]:
    """Answer what is asked until the run has ended well; the words it parked with."""
    words = Counter[str]()
    allowed = set().union(*(found for (name, _), found in MAY_PARK.items() if name == kind))
    while await parked_or_ended(run, LIMIT) is not None:
        for step in await steps(run):
            if step.state == "parked":
                word = step.finding.partition(":")[0]
                assert word in allowed, f"{step.title} parked with {step.finding}"
                words[word] += 1
        await said(run, "answer", {"answer": "retry"})
    report = await run.result()
    assert report.proof is not None
    return words
