"""What is asked of records, and what it answers: pure models, and a typed reference for each activity."""

from typing import Any

from pydantic import model_validator

from cluster.contracts.reference import Activity
from cluster.failback import LossFound, LossRef
from cluster.ledger import World
from cluster.ledger_calls import (
    AtHomeWish,
    BookFinding,
    BookWish,
    GiveBackWish,
    GivenBack,
    HomesFinding,
    HomesWish,
    LookWish,
    NoteWish,
    PresentWish,
    RestoreFinding,
    RestoreWish,
    SiteWish,
    TakeWish,
)
from cluster.nouns import Value
from cluster.plan import Finding, PlanFound, PlanRef
from cluster.recorded import RecordedInventory, speed_beside
from cluster.together import TogetherFinding, TogetherWish


class ClusterName(Value):
    """Which cluster is meant; none means the worker's own."""

    cluster: str | None = None


class InventoryFinding(Finding):
    """The inventory, which holds references to secrets, never a secret.

    `speed` is how much faster than the wall the cluster's time runs for the worker: 1, but in a rehearsal.
    """

    inventory: RecordedInventory
    speed: float = 1.0

    @model_validator(mode="before")
    @classmethod
    def _as_recorded(cls, told: Any) -> Any:
        return speed_beside(told)


compare = Activity("records.compare", LookWish, World, formerly="ledger.look")
restore = Activity("records.restore", RestoreWish, RestoreFinding, formerly="ledger.restore")
together = Activity("records.together", TogetherWish, TogetherFinding, formerly="together.look")
inventory = Activity("records.inventory", ClusterName, InventoryFinding, formerly="inventory.read")
take = Activity("records.take", TakeWish, BookFinding, formerly="ledger.take")
give_back = Activity("records.give_back", GiveBackWish, GivenBack, formerly="ledger.give_back")
record_homes = Activity("records.record_homes", HomesWish, BookFinding, formerly="ledger.record_homes")
at_home = Activity("records.at_home", AtHomeWish, BookFinding, formerly="ledger.at_home")
note = Activity("records.note", NoteWish, BookFinding, formerly="ledger.note")
present = Activity("records.present", PresentWish, BookFinding, formerly="ledger.present")
left = Activity("records.left", BookWish, BookFinding, formerly="ledger.left")
ledger = Activity("records.ledger", BookWish, BookFinding, formerly="ledger.read")
homes = Activity("records.homes", SiteWish, HomesFinding, formerly="ledger.homes")
find_loss = Activity("records.find_loss", LossRef, LossFound, formerly="losses.find")
find_plan = Activity("records.find_plan", PlanRef, PlanFound, formerly="plans.find")
