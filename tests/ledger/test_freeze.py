"""Turning a switch off: with a licence where people have signed it, and with what others change at the same moment."""

import dataclasses
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from activities.errors import Unauthorized
from activities.ha.switches import Freeze, Switchboard
from activities.people.approvals import Approvals
from cluster.approval import Approval, ApprovalPolicy, Terms
from cluster.contracts.records import ClusterName
from cluster.ledger import INCIDENTS
from cluster.plan import Ledger, Mode
from cluster.recovery import FreezeWish, Frozen
from cluster.together import CHANGING
from lab.physics.faults import Fault
from tests.failback.people import Person, list_of
from tests.failback.test_licence import approval
from tests.ledger.conftest import JOB, Switched

CRS = Frozen(kind="options", name="crs", field="ha-auto-rebalance", old="1", new="0")
FAILBACK = Frozen(kind="resource", name="vm:300", field="failback", old="1", new="0")


@pytest.fixture
def api(site: Switched) -> PveApi:
    return PveApi(site.inventory, Secrets(site.path.parent))


@pytest.fixture
def freeze(site: Switched, api: PveApi) -> Freeze:
    return Freeze(api, Approvals(ApprovalPolicy(needed=2), Secrets(site.path.parent)))


async def frozen(freeze: Freeze, *switches: Frozen, kind: str = "SiteLoss", **more: Any) -> Any:
    """As a step of a run of that type."""
    asked = ActivityEnvironment()
    asked.info = dataclasses.replace(asked.info, workflow_type=kind)
    return await asked.run(freeze.freeze, FreezeWish(mode=Mode.APPLY, switches=switches, **more))


@pytest.mark.parametrize("kind", [*CHANGING, "ClusterLedger", "ClusterWatch", "Unknown", ""])
async def test_only_an_incident_turns_off_without_a_licence(site: Switched, freeze: Freeze, kind: str):
    """Whatever else forgets its approval is refused before anything is turned off."""
    with pytest.raises(Unauthorized, match="it has no approval"):
        await frozen(freeze, CRS, kind=kind)
    assert site.off == set()


@pytest.mark.parametrize("kind", INCIDENTS)
async def test_an_incident_needs_no_licence(site: Switched, freeze: Freeze, kind: str):
    """Nobody could sign within the seconds that it has."""
    await frozen(freeze, CRS, kind=kind)
    assert site.off == {"crs"}


async def test_only_what_people_have_signed_is_turned_off(site: Switched, api: PveApi):
    """A failback's switches are part of the plan that was signed; one that is not is refused, and stays on."""
    ben, cleo = Person("ben"), Person("cleo")
    list_of(site.path.parent / "allowed_signers", ben, cleo)
    signed = approval([ben, cleo], planned=(CRS.becomes("0"),))

    async def held(terms: Terms) -> Approval:  # the run itself, asked whether it holds that approval
        return signed

    freeze = Freeze(api, Approvals(ApprovalPolicy(needed=2), Secrets(site.path.parent), ask=held))
    await frozen(freeze, CRS, kind="Failback", approval=signed)
    assert site.off == {"crs"}
    with pytest.raises(Unauthorized, match="not part of the approved plan"):
        await frozen(freeze, FAILBACK, kind="Failback", approval=signed)
    assert site.off == {"crs"}


def turned(site: Switched) -> list[str]:
    """Every change of a switch so far."""
    return [line for line in site.change_lines() if " options.update " in line or " ha.resource.update " in line]


async def test_what_is_off_already_is_not_changed(site: Switched, freeze: Freeze):
    """The second attempt of a step reads first."""
    await frozen(freeze, CRS)
    before = turned(site)
    found = await frozen(freeze, CRS)
    assert [one.state for one in found.outcomes] == ["already"]
    assert found.changed is False
    assert turned(site) == before


async def test_a_silent_answer_of_one_leaves_the_others_switched(site: Switched, freeze: Freeze):
    """The step is tried again; those that are off by then stay off."""
    fault = Fault(
        "pve:", "PUT /cluster/ha/resources/vm:300", "fail", times=1, status=500, message="got lock request timeout"
    )
    site.world.faults.plant(fault)
    with pytest.raises(Exception, match="1 switch not disabled yet: vm:300 failback"):
        await frozen(freeze, FAILBACK, CRS)
    assert site.off == {"crs"}
    await frozen(freeze, FAILBACK, CRS)
    assert site.off == {"crs", "vm:300"}


async def test_an_edit_of_the_same_options_is_kept_and_one_that_is_lost_is_told(site: Switched, api: PveApi):
    """`crs` is written as a whole, and the API knows no digest of it."""

    class Edited(Switchboard):
        def _crs(self) -> dict[str, str]:
            found = super()._crs()
            if "ha-auto-rebalance=0" in site.crs:
                site.world.cluster.options["crs"] = "ha=basic,ha-auto-rebalance=0"
            return super()._crs() if "ha=basic" in site.crs else found

    site.world.cluster.options["crs"] = "ha=static,ha-auto-rebalance=1,ha-rebalance-on-start=1"
    outcome = await Edited(api).turn(CRS, "0", Ledger(Mode.APPLY))
    assert outcome.done
    assert outcome.text == "set to 0; crs was changed at the same moment, look at ha, ha-rebalance-on-start"


def test_what_may_not_be_read_is_told_beside_the_rest(site: Switched, freeze: Freeze):
    """A refused list of backup jobs hides neither failback nor the rebalancer."""
    fault = Fault(
        "pve:", "GET /cluster/backup", "fail", times=None, status=403, message="Permission check failed (/, Sys.Audit)"
    )
    site.world.faults.plant(fault)
    found = freeze.known(ClusterName())
    assert {one.name for one in found.on} == {"vm:300", "vm:301", "crs"}
    assert found.mark == "warned"
    assert "not known: backup jobs: Proxmox VE: Permission check failed (/, Sys.Audit)" in found.finding


def test_everything_that_moves_guests_is_known(freeze: Freeze):
    """In the order in which it is turned off."""
    found = freeze.known(ClusterName())
    assert found.finding == f"on: vm:300 failback 1, vm:301 failback 1, crs ha-auto-rebalance 1, {JOB} enabled 1"
