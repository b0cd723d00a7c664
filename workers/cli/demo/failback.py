"""The last part of the demonstration: the guests go home, with a yes that is signed by a key made for this very hour.

The demo plays both people: one asks, the other one agrees. It says so, because nobody else should.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from temporalio.client import Client

from activities.clients import signatures
from cluster.inventory import Inventory
from cluster.plan import Mode
from runbooks.failback import Failback
from runbooks.homecoming import FailbackReport, FailbackRequest
from workers.cli import follow
from workers.cli.approve import agree
from workers.cli.story import Story
from workers.errors import Unusable

OPERATOR = "demo-operator"


async def bring_home(
    client: Client, inventory_path: Path, inventory: Inventory, incident: str, queue: str, story: Story,
    alive: Callable[[], None],
) -> dict[str, Any]:  # fmt: skip
    """Follow a failback of the incident's guests, agree when it asks, and say how it went."""
    key = signatures.new_key()
    signers = inventory_path.parent / inventory.approvals.allowed_signers
    await asyncio.to_thread(signers.write_text, f"{signatures.line(OPERATOR, key)}\n")
    story.line(f"a demo key, made now and forgotten afterwards, may sign as {OPERATOR}: {signatures.fingerprint(key)}")
    request = FailbackRequest(site=inventory.sites[0].name, by="demo", incident=incident, mode=Mode.APPLY)
    run = await follow.start_run(client, Failback, request, inventory.name, queue)
    agreed = False
    async for look in follow.looks(run):
        alive()
        story.tell(look)
        if look.parked:
            raise Unusable("a step of the failback has parked", "look at its page")
        if look.asked and not agreed:
            agreed = True
            view, answer = await agree(client, run.id, OPERATOR, key)
            story.line(f"{OPERATOR} signs plan {view.digest} with the demo key: {answer}")
    return _figures(FailbackReport.model_validate((await follow.result(run, FailbackReport)).model_dump()))


def _figures(report: FailbackReport) -> dict[str, Any]:
    votes = report.approval.votes if report.approval else ()
    return {
        "site": report.site,
        "incident": report.incident,
        "digest": report.approval.terms.digest if report.approval else None,
        "approvals": [
            {"who": vote.said.by, "when": vote.at.isoformat(), "signed": not vote.claimed, "key": vote.fingerprint}
            for vote in votes
        ],
        "vetoes": list(report.vetoes),
        "guests": {
            one.sid: {"from": one.source, "to": one.home, "seconds": round(one.seconds, 1), "downtime": one.downtime}
            for one in report.moved
        },
        "staying": report.staying,
        "restored": list(report.restored),
        "outstanding": report.outstanding,
    }
