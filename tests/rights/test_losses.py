"""A right is missing while nodes are lost, and one of their guests does not start: what the incident says and does.

Nothing is called back, fenced, empty or off that nobody may see; once the right is there, the incident goes on by
itself as if it had always been.
"""

import pytest

from cluster.units import counted
from runbooks.loss import LossReport
from tests.breakglass.conftest import Glass
from tests.incidents.conftest import Site
from tests.patience import Deadline
from tests.rights.conftest import Counted, Right, as_kept, rights_of, take_away
from tests.rights.outcome import Run, plain
from tests.runs import parked_or_ended, steps
from workflows.page import SIGNS, StepRecord

pytestmark = pytest.mark.slow

# What an incident asks for; all others are taken away at once.
ASKED: tuple[Right, ...] = (
    ("/", "Sys.Audit"),
    ("/", "Sys.Console"),
    ("/", "Sys.Modify"),
    ("/storage", "Datastore.Allocate"),
    ("/storage", "Datastore.Audit"),
    ("/vms", "VM.Audit"),
    ("/vms", "VM.GuestAgent.Audit"),
    ("/vms/301", "VM.Audit"),
    ("/vms/301", "VM.GuestAgent.Audit"),
)
OTHERS: Right = ("those that it does not need", "all")
TITLES = ("HA's list", "Guests run", "Automatic moves", "vm:", "pxmx01")
OUTSTANDING = {"SiteLoss": ["vm:300 failback 1"], "NodeLoss": []}
LOSSES = {"SiteLoss": ("site-power", "site-a"), "NodeLoss": ("node", "pxmx01-02")}


def lines(found: list[StepRecord]) -> list[str]:
    """What an operator reads of guests, fencing and switches, as far as it is not well."""
    ours = [one for one in found if one.title.startswith(TITLES) and not one.title.endswith("is back")]
    told = [f"{SIGNS[one.state]} {one.title}: {plain(one.finding)}" for one in ours]
    return sorted(line for line in told if line[0] in "!…✗")


async def lost(glass: Glass, kind: str) -> Run:
    return await (glass.watched.loss() if kind == "SiteLoss" else glass.watched.nodes("pxmx01-02"))


async def as_far_as_it_can(run: Run) -> list[StepRecord]:
    """All its lines, once its hands are done, and it has seen every guest or has asked for the right."""
    deadline = Deadline(90)
    while True:
        found = await steps(run)
        ended_ones = {one.title for one in found if one.state != "running"}
        asked = ": not known: Proxmox VE: Permission check failed" in await run.query("page")
        if "Switches are recorded in the ledger" in ended_ones and ("Guests run again" in ended_ones or asked):
            return found
        assert not deadline.over, f"waited for guests or a question: {await run.query('page')}"
        await deadline.a_while()


async def frozen(site: Site) -> None:
    """What would bring a guest back by itself is off."""
    deadline = Deadline(120)
    while site.world.cluster.ha.resources["vm:300"]["failback"]:
        assert not deadline.over, "waited for the failback of vm:300 to be disabled"
        await deadline.a_while()


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("right", [None, *ASKED, OTHERS], ids=str)
async def test_a_loss_claims_nothing_that_it_may_not_see(
    right: Right | None, kind: str, glass: Glass, site: Site, record_property: Counted
):
    """And goes on by itself when the right is granted."""
    others = [one for one in rights_of(site.inventory) if one not in ASKED]
    site.world.cluster.ha.resources["vm:300"]["failback"] = 1
    take_away(site, *(others if right == OTHERS else () if right is None else (right,)))
    site.fail("start-fails", "301")
    site.fail(*LOSSES[kind])
    run = await lost(glass, kind)

    found = await as_far_as_it_can(run)

    said = lines(found)
    progress = await run.query("progress")
    claimed = {one["sid"] for one in progress["back"] if one["ok"]}
    assert "vm:301" not in claimed
    name = " at ".join(right[::-1]) if right else "none"
    assert said == as_kept(f"{kind} without {name}".replace("/", "_"), said)
    record_property(
        "rights", f"{kind} without {name}: {counted(len(said), 'line')} of what is not well, no claim beyond"
    )

    take_away(site)
    await frozen(site)
    site.restore(*LOSSES[kind])
    assert (stuck := await parked_or_ended(run, 150)) is None, stuck
    report = LossReport.model_validate(await run.result())
    assert {one.sid for one in report.back if one.ok} <= {"vm:300"}
    assert "vm:301" in report.not_back
    assert [str(one) for one in report.frozen] == ["vm:300 failback 1"]
    # at home it is set back; where HA has restarted it, that would move it at once
    assert list(report.outstanding) == OUTSTANDING[kind]
