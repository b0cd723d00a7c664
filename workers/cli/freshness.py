"""How old the newest look at a cluster is, and that nobody looks when nobody does: what every list begins with.

The look that is under way tells with its heartbeat when it was made; Temporal keeps that, so no worker has to answer.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import ValidationError
from rich.text import Text
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from cluster.contracts import watch
from cluster.watching import Beat, WatchState, watch_id
from workers.cli.follow import PATIENCE
from workers.cli.incident.phases import BAD, FAINT, WARN, span
from workers.inventory_file import load
from workers.settings import Settings
from workflows.attributes import VERDICT

# Two looks are a few seconds apart, and a worker that dies is noticed after ten.
WARN_AFTER, OLD_AFTER = timedelta(seconds=30), timedelta(seconds=60)
UNWATCHED = "no watch is running, so the cluster is not watched; start one with `quorate watch start`"
RUNNING = "WorkflowType = 'ClusterWatch' AND ExecutionStatus = 'Running'"


@dataclass(frozen=True)
class Freshness:
    """The watch of one cluster: when it looked last, what it saw then, and what is in its way."""

    cluster: str
    watched: bool
    looked_at: datetime | None = None
    beat: Beat | None = None
    trouble: str = ""
    verdict: str = ""  # what the watch has told last

    def age(self, now: datetime) -> timedelta | None:
        """How long ago the newest look was made; None when none is known."""
        return max(now - self.looked_at, timedelta()) if self.looked_at else None

    def looking(self, now: datetime) -> bool:
        """Somebody looks: the newest look is of the last minute."""
        age = self.age(now)
        return self.watched and age is not None and age < OLD_AFTER

    def sentence(self, now: datetime) -> str:
        """What a person reads before anything else."""
        if not self.watched:
            return f"{self.cluster}: {UNWATCHED}"
        age = self.age(now)
        if age is None:
            return f"{self.cluster}: not looked at yet" + (f": {self.trouble}" if self.trouble else "")
        seen = f"{self.verdict.replace('-', ' ')}, " if self.verdict and self.looking(now) else ""
        if self.looking(now):
            return f"{self.cluster}: {seen}looked {span(age.total_seconds())} ago"
        since = f"{self.looked_at:%Y-%m-%d %H:%M:%S} UTC" if self.looked_at else "ever"
        why = self.trouble or "is a worker running?"
        return f"{self.cluster}: not looked at since {since}, for {span(age.total_seconds())}: {why}"


async def freshness(client: Client, cluster: str) -> Freshness:
    """Of one cluster."""
    try:
        found = await client.get_workflow_handle(watch_id(cluster)).describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return Freshness(cluster, watched=False)
    return await _of(client, cluster, found)


async def all_of_them(client: Client) -> list[Freshness]:
    """Of every cluster that is watched now."""
    names = [run.id.partition("/")[2] async for run in client.list_workflows(RUNNING)]
    return [await freshness(client, name) for name in sorted(names)]


async def _of(client: Client, cluster: str, found: WorkflowExecutionDescription) -> Freshness:
    if found.close_time is not None:
        return Freshness(cluster, watched=False)
    looks = [one for one in found.raw_description.pending_activities if watch.look.is_called(one.activity_type.name)]
    verdict = found.typed_search_attributes.get(VERDICT) or ""
    if not looks:  # between two looks, or no worker has taken the watch's last step
        return await _between(client, cluster)
    look = looks[0]
    trouble = look.last_failure.message if look.HasField("last_failure") else ""
    try:
        # without a hint of its type: a look that has not beaten yet has told nothing that could have one
        [told] = await client.data_converter.decode(look.heartbeat_details.payloads[:1])
        beat = Beat.model_validate(told)
    except (ValueError, ValidationError, RuntimeError):
        return Freshness(cluster, watched=True, looked_at=_time(look.last_heartbeat_time), trouble=trouble)
    return Freshness(cluster, watched=True, looked_at=beat.looked_at, beat=beat, trouble=trouble, verdict=verdict)


async def _between(client: Client, cluster: str) -> Freshness:
    try:
        state = await client.get_workflow_handle(watch_id(cluster)).query(
            "state", result_type=WatchState, rpc_timeout=PATIENCE
        )
    except (RPCError, WorkflowQueryFailedError):
        return Freshness(cluster, watched=True, trouble="no worker answers for its watch")
    return Freshness(cluster, watched=True, looked_at=state.at, trouble=state.trouble)


def known_cluster(inventory: Path | None) -> str | None:
    """The cluster of the inventory file that is named, or of the default one where there is it."""
    path = inventory or Settings().inventory
    return load(path).name if inventory is not None or path.exists() else None


async def lines(client: Client, cluster: str | None) -> list[Text]:
    """How fresh all is that follows, for one cluster or for all that are watched."""
    found = [await freshness(client, cluster)] if cluster else await all_of_them(client)
    now = datetime.now(UTC)
    if not found:
        return [Text(UNWATCHED, style=BAD)]
    return [Text(one.sentence(now), style=_style(one, now)) for one in found]


def _style(one: Freshness, now: datetime) -> str:
    if not one.looking(now):
        return BAD
    return WARN if (one.age(now) or timedelta()) > WARN_AFTER else FAINT


def _time(stamp: Timestamp) -> datetime | None:
    return stamp.ToDatetime(tzinfo=UTC) if stamp.seconds else None
