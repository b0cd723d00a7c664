"""What is asked of watch, and what it answers: pure models, and a typed reference for each activity."""

from cluster.breakglass.judged import Judged, JudgeWish
from cluster.contracts.reference import Activity
from cluster.evacuation import DarkFinding, DarkWish
from cluster.incidents import Followed, FollowWish, Stock, StockWish
from cluster.nouns import Value
from cluster.plan import Finding
from cluster.quarantine import QuarantineFinding, QuarantineWish
from cluster.silences import SilenceWish, UnsilenceWish
from cluster.watching import Awaited, Reach, Seen, Suspected, WatchWish


class SiteName(Value):
    """A surviving site."""

    site: str


class NodeWish(Value):
    """A node that has been switched on; it is waited for `limit` seconds of the cluster's time."""

    node: str
    limit: float = 1200.0


class MarginFinding(Finding):
    """Votes, and how many more may be lost."""

    total: int
    expected: int
    quorum: int

    @property
    def margin(self) -> int:
        """Votes that may be lost before nothing works any more."""
        return self.total - self.quorum


class CopyFinding(Finding):
    """The pod's copy at the survivor."""

    status: str
    mediator: str


dark = Activity("watch.dark", DarkWish, DarkFinding, formerly="ha.dark")
open_incidents = Activity("watch.open_incidents", StockWish, Stock, formerly="incidents.open")
follow = Activity("watch.follow", FollowWish, Followed, formerly="incidents.follow")
unwatched = Activity("watch.unwatched", StockWish, Finding, formerly="incidents.unwatched")
quarantine = Activity("watch.quarantine", QuarantineWish, QuarantineFinding, formerly="quarantine.watch")
survivor_votes = Activity("watch.survivor_votes", SiteName, MarginFinding, formerly="survivor.votes")
survivor_pod = Activity("watch.survivor_pod", SiteName, CopyFinding, formerly="survivor.pod")
survivor_paths = Activity("watch.survivor_paths", SiteName, Finding, formerly="survivor.paths")
survivor_volumes = Activity("watch.survivor_volumes", SiteName, Finding, formerly="survivor.volumes")
survivor_links = Activity("watch.survivor_links", SiteName, Finding, formerly="survivor.links")
look = Activity("watch.look", WatchWish, Seen, formerly="facts.watch")
confirm = Activity("watch.confirm", Suspected, Seen, formerly="facts.confirm")
reach = Activity("watch.reach", Awaited, Reach, formerly="facts.reach")
judged = Activity("watch.judged", JudgeWish, Judged)
node_ready = Activity("watch.node_ready", NodeWish, Finding)
announce = Activity("watch.announce", SilenceWish, Finding)
unannounce = Activity("watch.unannounce", UnsilenceWish, Finding)
