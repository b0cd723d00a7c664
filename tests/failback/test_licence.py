"""No change without a licence: activities that need an approval check it themselves, whatever a runbook has done."""

from collections.abc import Callable
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


class Checks:
    """Ana, Ben and Cleo on a list, a good approval, and who checks it."""

    def __init__(self, folder: Path) -> None:
        people = {name: Person(name) for name in ("ana", "ben", "cleo")}
        list_of(folder / "allowed_signers", *people.values())
        self.ana, self.ben, self.cleo, self.stranger = *people.values(), Person("ben")
        self.good = approval([self.ben, self.cleo])
        self.approvals = Approvals(POLICY, Secrets(folder), ask=self._held)

    async def _held(self, terms: Terms) -> Approval:
        return self.good.model_copy(update={"terms": terms})

    @property
    def swapped(self) -> Approval:
        """Cleo's words with Ben's signature."""
        ben, cleo = self.good.votes
        return self.good.model_copy(update={"votes": (ben, cleo.model_copy(update={"signature": ben.signature}))})


@pytest.fixture
def checks(tmp_path: Path) -> Checks:
    return Checks(tmp_path)


def expired(of: Checks) -> Approval:
    return approval([of.ben, of.cleo], left=timedelta(seconds=-1))


def of_another_plan(of: Checks) -> Approval:
    return of.good.model_copy(update={"planned": (MOVE.intent(7),)})


Given = Callable[[Checks], Approval | None]
ELSEWHERE = MOVE.model_copy(update={"home": "pxmx02-02"}).intent(1)


@pytest.mark.parametrize(
    ("given", "intent", "why"),
    [
        (lambda of: None, PLANNED[0], "it has no approval"),
        (lambda of: of.good, ELSEWHERE, "it is not part of the approved plan"),
        (lambda of: of.good, MOVE.intent(2), "is not part"),
        (lambda of: approval([of.ben]), PLANNED[0], "1 of 2 approvals"),
        (lambda of: approval([of.ana, of.cleo]), PLANNED[0], "1 of 2 approvals; not counted: ana (SelfApproval)"),
        (lambda of: approval([of.stranger, of.cleo]), PLANNED[0], "not counted: ben (UnknownKey)"),
        (expired, PLANNED[0], "the approval has expired"),
        (lambda of: of.swapped, PLANNED[0], "not counted: cleo (Tampered)"),
        (of_another_plan, MOVE.intent(7), "not part of the approved"),
    ],
)
async def test_a_licence_is_for_these_changes_by_these_people_until_then(
    checks: Checks, given: Given, intent: Intent, why: str
):
    """Each way in which it is none."""
    with pytest.raises(ApplicationError) as refused:
        await checks.approvals.licence(given(checks), intent)

    assert why in refused.value.message
    assert refused.value.type == "Unauthorized"


async def test_a_good_approval_is_a_licence(checks: Checks):
    """Two of two, in time, for a change of the plan."""
    await checks.approvals.licence(checks.good, PLANNED[0])


async def answer(activity: Any, wish: Any) -> str | None:
    """The word with which it refuses, or what it has done."""
    try:
        return f"done: {await ActivityEnvironment().run(activity, wish)}"
    except ApplicationError as error:
        return error.type


async def test_no_activity_moves_anything_without_one(site: Site, people: dict[str, Person]):
    """Asked directly, past every runbook and every gate: refused, and nothing was done."""
    inventory = load(site.path)
    at = site_nodes(inventory, "site-a")
    bound = activities(inventory, site.path.parent, speed=site.speed)
    known = {one.__temporal_activity_definition.name: one for one in bound}  # type: ignore[attr-defined]
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
    answers = {name: [await answer(known[name], wish) for wish in asked] for name, asked in wishes.items()}
    done = [line for line in site.change_lines()[before:] if " ha.command" in line or " unit." in line]
    assert answers == dict.fromkeys(wishes, ["Unauthorized"] * 2)
    assert done == []
