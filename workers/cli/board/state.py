"""What the board shows, gathered: the newest look at the cluster, open incidents, who is asked, what is disabled.

Nothing is kept and nothing is concluded here: the watch's beat, Temporal's list and the ledger are asked each time.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from cluster.answers.model import Answer, together
from cluster.ledger import Book, ledger_id
from cluster.scene import Scene
from workers.catalogue import types
from workers.cli.follow import told_by
from workers.cli.freshness import Freshness, freshness
from workers.cli.incident.runs import TYPES, listed, looked
from workers.cli.incident.view import Picture
from workflows.attributes import STATE

# Runs that are listed; more of them are counted by the UI.
MOST = 8


@dataclass(frozen=True)
class Run:
    """A run that goes on and is no incident: what it is about, and what it asks of people."""

    run: str
    kind: str
    state: str
    answer: Answer | None


@dataclass(frozen=True)
class Board:
    """One look at everything."""

    cluster: str
    at: datetime
    fresh: Freshness
    incidents: tuple[Picture, ...] = ()
    runs: tuple[Run, ...] = ()
    switches: tuple[str, ...] = ()
    trouble: tuple[str, ...] = field(default=())

    @property
    def scene(self) -> Scene | None:
        """The cluster as the newest look has drawn it."""
        return self.fresh.beat.scene if self.fresh.beat else None

    def with_the_last_of(self, before: "Board | None") -> "Board":
        """Between two looks of the watch what it has drawn last is still shown, with its age."""
        if self.fresh.beat is not None or before is None or before.fresh.beat is None or not self.fresh.watched:
            return self
        return replace(self, fresh=replace(self.fresh, beat=before.fresh.beat))

    @property
    def looking(self) -> bool:
        """The cluster is looked at now."""
        return self.fresh.looking(self.at)

    @property
    def answer(self) -> Answer | None:
        """What people have to do: what incidents and runs ask comes before what the watch says itself.

        What the watch says of a condition that an incident tells, with more, is not said twice.
        """
        told = [one.answer for one in self.incidents if one.answer is not None]
        told += [one.answer for one in self.runs if one.answer is not None and one.answer.urgency != "nothing"]
        known = {one.about for one in told}
        seen = self.fresh.beat.answers if self.fresh.beat else ()
        return together([*told, *(one for one in seen if one.about not in known)])

    def age(self, when: datetime | None) -> str:
        """How old a fact is: ``3 s``, ``2 min``; empty where that is not known."""
        if when is None:
            return ""
        seconds = max(0, int((self.at - when) / timedelta(seconds=1)))
        if seconds < 120:
            return f"{seconds} s"
        return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


async def gathered(client: Client, cluster: str) -> Board:
    """Ask for all of it; what cannot be told is said, and keeps nothing else from being shown."""
    trouble: list[str] = []
    fresh = await freshness(client, cluster)
    incidents = []
    for entry in (await listed(client, ended=False, cluster=cluster))[:MOST]:
        incidents.append(await looked(client.get_workflow_handle(entry.run)))
    return Board(
        cluster=cluster,
        at=datetime.now(UTC),
        fresh=fresh,
        incidents=tuple(incidents),
        runs=tuple(await _runs(client, cluster)),
        switches=tuple(await _switches(client, cluster, trouble)),
        trouble=tuple(trouble),
    )


async def _runs(client: Client, cluster: str) -> list[Run]:
    which = f"({types()}) AND ExecutionStatus = 'Running' AND Cluster = '{cluster}'"
    found = []
    async for run in client.list_workflows(which, limit=MOST + len(TYPES)):
        if run.workflow_type in TYPES:
            continue
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        answer = await told_by(handle, "advice", Answer)
        found.append(Run(run.id, run.workflow_type, run.typed_search_attributes.get(STATE) or "running", answer))
    return found[:MOST]


async def _switches(client: Client, cluster: str, trouble: list[str]) -> list[str]:
    """What is disabled; a cluster without a ledger has nothing disabled."""
    try:
        await client.get_workflow_handle(ledger_id(cluster)).describe()
    except RPCError:
        return []
    book = await told_by(client.get_workflow_handle(ledger_id(cluster)), "book", Book)
    if book is None:
        trouble.append("which switches are disabled is not known: no worker answers for the ledger")
        return []
    return [f"{one.switch}: {one.held_back}" if one.held_back else str(one.switch) for one in book.switches]
