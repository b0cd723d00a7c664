"""No change without a licence: activities that need an approval check it themselves, whatever a runbook has done."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.clients.secrets import Secrets
from activities.people.approvals import Approvals
from cluster.approval import Approval, ApprovalPolicy, Terms, Vote, statement
from cluster.evacuation import MaintenanceWish, MasterWish, maintenance, master_away
from cluster.failback import Move, MoveWish
from cluster.plan import Intent, Mode, whole_digest
from runbooks.site_work import site_nodes
from tests.failback.people import Person, list_of
from tests.incidents.conftest import Site
from workers.inventory_file import load
from workers.worker.wiring import activities

MOVE = Move(sid="vm:300", name="", source="pxmx01-01", home="pxmx02-01")
PLANNED = (MOVE.intent(1), maintenance("pxmx01-01", on=True, turn=1), master_away("site-a"))
POLICY = ApprovalPolicy(needed=2)


def approval(
    people: list[Person], *, planned: tuple[Intent, ...] = PLANNED, left: timedelta = timedelta(hours=1)
) -> Approval:
    """What a gate would have given."""
    now = datetime.now(UTC)
    terms = Terms(
        cluster="c", run="failback/c", run_id="1", number=1, title="Bring home", requester="ana",
        plan=whole_digest("failback/c", planned), opened=now, until=now + left,
    )  # fmt: skip
    votes = []
    for person in people:
        said = statement(terms, person.name)
        votes.append(Vote(said=said, signature=person.signs(said.text)["signature"], at=now))
    return Approval(terms=terms, votes=tuple(votes), subject="failback/c", planned=planned)


def move(licence: Approval | None) -> MoveWish:
    return MoveWish(
        mode=Mode.APPLY, move=MOVE, turn=1, approval=licence, nodes=("pxmx01-01",), vg="pxmx-ac-vg",
        volume="pxmx-ac::vm-storage-01", arrays=("X90R3-SiteB", "X90R3-SiteA"), lun=1,
    )  # fmt: skip


async def test_a_licence_is_for_these_changes_by_these_people_until_then(tmp_path: Path):
    """Each way in which it is none, one after the other; then a good one."""
    people = {name: Person(name) for name in ("ana", "ben", "cleo")}
    list_of(tmp_path / "allowed_signers", *people.values())
    ben, cleo, stranger = people["ben"], people["cleo"], Person("ben")
    good = approval([ben, cleo])

    async def held(terms: Terms) -> Approval:
        return good.model_copy(update={"terms": terms})

    checks = Approvals(POLICY, Secrets(tmp_path), ask=held)
    swapped = good.votes[1].model_copy(update={"signature": good.votes[0].signature})
    cases: dict[str, tuple[Approval | None, Intent]] = {
        "it has no approval": (None, PLANNED[0]),
        "it is no part of the approved plan": (good, MOVE.model_copy(update={"home": "pxmx02-02"}).intent(1)),
        "is no part": (good, MOVE.intent(2)),
        "1 of 2 approvals": (approval([ben]), PLANNED[0]),
        "1 of 2 approvals; not counted: ana (SelfApproval)": (approval([people["ana"], cleo]), PLANNED[0]),
        "not counted: ben (UnknownKey)": (approval([stranger, cleo]), PLANNED[0]),
        "the approval has expired": (approval([ben, cleo], left=timedelta(seconds=-1)), PLANNED[0]),
        "not counted: cleo (Tampered)": (good.model_copy(update={"votes": (good.votes[0], swapped)}), PLANNED[0]),
        "no part of the approved": (good.model_copy(update={"planned": (MOVE.intent(7),)}), MOVE.intent(7)),
    }  # fmt: skip
    for why, (licence, intent) in cases.items():
        with pytest.raises(ApplicationError) as refused:
            await checks.licence(licence, intent)
        assert why in refused.value.message
        assert refused.value.type == "Unauthorized"
    await checks.licence(good, PLANNED[0])
    print(f"{len(cases)} of {len(cases)} refused")


async def test_no_activity_moves_anything_without_one(site: Site, people: dict[str, Person]):
    """Asked directly, past every runbook and every gate: refused, and nothing was done."""
    inventory = load(site.path)
    at = site_nodes(inventory, "site-a")
    known = {one.__temporal_activity_definition.name: one for one in activities(inventory, site.path.parent)}  # type: ignore[attr-defined]
    other = approval([people["ben"], people["cleo"]], planned=(MOVE.intent(9),))
    wishes: dict[str, list[Any]] = {
        "ha.bring_home": [move(None), move(other)],
        "ha.maintenance": [
            MaintenanceWish(mode=Mode.APPLY, node="pxmx01-01", on=True, turn=1, via=at.others, approval=licence)
            for licence in (None, other)
        ],
        "ha.move_master": [MasterWish(mode=Mode.APPLY, at=at, approval=licence) for licence in (None, other)],
    }
    site.call(site.world.clock.sleep(60))  # HA has a master by then, and knows its guests
    before = len(site.change_lines())
    for name, asked in wishes.items():
        for wish in asked:
            with pytest.raises(ApplicationError) as refused:
                await ActivityEnvironment().run(known[name], wish)
            assert refused.value.type == "Unauthorized", (name, refused.value.message)
    done = [line for line in site.change_lines()[before:] if " ha.command" in line or " unit." in line]
    assert done == []
