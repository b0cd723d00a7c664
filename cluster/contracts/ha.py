"""What is asked of ha, and what it answers: pure models, and a typed reference for each activity."""

from cluster.breakglass.reviving import GivenUpFinding, GivenUpWish, ReviveFinding, ReviveWish
from cluster.causes import CausesFinding, CausesWish
from cluster.contracts.records import ClusterName
from cluster.contracts.reference import Activity
from cluster.evacuation import MaintenanceFinding, MaintenanceWish, MasterWish, SiteNodes
from cluster.fencing import FencingFinding, FencingWish
from cluster.move import MoveFinding, MoveWish, SettledFinding, SettledWish
from cluster.outages import GuestsFinding, GuestsWish
from cluster.placement import Placement, PlacementWish
from cluster.plan import Finding
from cluster.recovery import Asking, FreezeFinding, FreezeWish, HaFinding, SwitchesFinding
from cluster.returning import ReturnFinding, ReturnWish


class ViewFinding(Finding):
    """HA's master and the states it gives to nodes."""

    master: str
    states: dict[str, str]


view = Activity("ha.view", SiteNodes, ViewFinding)
move_master = Activity("ha.move_master", MasterWish, Finding)
maintenance = Activity("ha.maintenance", MaintenanceWish, MaintenanceFinding)
empty = Activity("ha.empty", SiteNodes, Finding)
bring_home = Activity("ha.bring_home", MoveWish, MoveFinding)
settled = Activity("ha.settled", SettledWish, SettledFinding)
placement = Activity("ha.placement", PlacementWish, Placement)
causes = Activity("ha.causes", CausesWish, CausesFinding)
listed = Activity("ha.listed", Asking, HaFinding)
watch_fencing = Activity("ha.watch_fencing", FencingWish, FencingFinding)
watch_guests = Activity("ha.watch_guests", GuestsWish, GuestsFinding)
watch_return = Activity("ha.watch_return", ReturnWish, ReturnFinding)
switches = Activity("ha.switches", ClusterName, SwitchesFinding)
freeze = Activity("ha.freeze", FreezeWish, FreezeFinding)
given_up = Activity("ha.given_up", GivenUpWish, GivenUpFinding)
revive = Activity("ha.revive", ReviveWish, ReviveFinding)
