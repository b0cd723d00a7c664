"""`quorate watch`: start and stop the watch of a cluster, and say what it takes the cluster for."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
from rich.text import Text
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from cluster.answers.model import together
from cluster.inventory import Inventory
from cluster.memory import MASTER
from cluster.watching import WatchRequest, WatchState, watch_id
from workers.cli.answered import answered
from workers.cli.follow import PATIENCE, SILENT, Run
from workers.cli.freshness import Freshness, freshness
from workers.cli.hanging import Hanging
from workers.cli.incident.phases import BAD, FAINT, GOOD, WARN, span
from workers.cli.options import InventoryOption, JsonOption, inventory_path, out
from workers.cli.steer import ACCEPTED_WITHIN, Later
from workers.errors import Unusable
from workers.inventory_file import load
from workers.settings import Settings
from workers.temporal.connect import connect
from workflows.watch import ClusterWatch

watch_app = typer.Typer(
    name="watch",
    no_args_is_help=True,
    help="The watch of a cluster: it looks by itself, and opens incidents.\n\nExample: quorate watch show",
)

DETAILS = (
    "It asks every vantage point of the cluster by itself, and opens one incident when something is wrong: `SiteLoss` "
    "for a site, `ClusterIncident` for all else.\n\nThe update `stop` ends it; an open incident goes on."
)
# Seconds between two questions for the verdict.
TOLD_EVERY = 5.0
NOBODY_ANSWERS = "start one with `quorate worker` or `quorate up`, then ask again"


async def ensure_watch(client: Client, inventory: Inventory, queue: str) -> bool:
    """Make sure that the cluster is watched; true when the watch was started now, false when it ran already."""
    try:
        await client.start_workflow(
            ClusterWatch.run,
            WatchRequest(cluster=inventory.name),
            id=watch_id(inventory.name),
            task_queue=queue,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=f"watch of {inventory.name}",
            static_details=DETAILS,
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


async def tell_verdicts(client: Client, cluster: str) -> None:
    """Print each verdict of the watch with its time, as long as it is wanted: what a log of `quorate up` shows."""
    handle, told = client.get_workflow_handle(watch_id(cluster)), ""
    while True:
        with contextlib.suppress(RPCError, WorkflowQueryFailedError):
            state = await handle.query(ClusterWatch.state, rpc_timeout=PATIENCE)
            if state.verdict is not None and state.verdict.key != told:
                told, answer = state.verdict.key, together(state.answers)
                said = answer.head if answer is not None else state.verdict.sentence
                out.print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC  {said}", markup=False, soft_wrap=True)
        await asyncio.sleep(TOLD_EVERY)


@watch_app.command()
def start(inventory: InventoryOption = None) -> None:
    """Start watching a cluster; started again, it changes nothing.

    Example: quorate watch start -i inventory.yaml
    """
    known = load(inventory_path(inventory))

    async def go() -> bool:
        return await ensure_watch(await connect(), known, Settings().task_queue)

    said = "is watched from now on" if asyncio.run(go()) else "is watched already"
    out.print(f"{known.name} {said}; `quorate watch show` says what is seen", markup=False, soft_wrap=True)


@watch_app.command()
def stop(inventory: InventoryOption = None) -> None:
    """Stop watching a cluster; an open incident goes on.

    Example: quorate watch stop -i inventory.yaml
    """
    known = load(inventory_path(inventory))

    async def go() -> bool:
        handle = await _running(await connect(), known)
        if handle is None:
            return False
        try:
            await handle.execute_update(ClusterWatch.stop, rpc_timeout=ACCEPTED_WITHIN)
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise Later(handle.id, "stop") from None
        except (RPCError, WorkflowUpdateFailedError):  # somebody else was faster
            if await _running(await connect(), known) is not None:
                raise
        return True

    done = asyncio.run(go())
    out.print(f"{known.name} {'is not watched any more' if done else 'is not watched'}", markup=False, soft_wrap=True)


@watch_app.command()
def show(inventory: InventoryOption = None, as_json: JsonOption = False) -> None:
    """Show what the watch takes the cluster for: since when, why, and what would revise it.

    Example: quorate watch show
    """
    known = load(inventory_path(inventory))

    async def go() -> tuple[WatchState, Freshness]:
        client = await connect()
        handle = await _running(client, known)
        if handle is None:
            raise Unusable(f"{known.name} is not watched", "start it with `quorate watch start`")
        fresh = await freshness(client, known.name)
        try:
            return await handle.query(ClusterWatch.state, rpc_timeout=PATIENCE), fresh
        except WorkflowQueryFailedError:
            raise Unusable(f"{handle.id} has not begun yet", "ask again") from None
        except RPCError as error:
            if error.status not in SILENT:
                raise
            said = f"no worker answers for {handle.id}: {fresh.sentence(datetime.now(UTC))}"
            raise Unusable(said, NOBODY_ANSWERS) from None

    state, fresh = asyncio.run(go())
    state = with_the_newest(state, fresh)
    now = datetime.now(UTC)
    if as_json:
        out.print_json(data=_data(state, known, fresh, now))
        return
    for text in lines(state, known, now, fresh):
        out.tell(text)


async def _running(client: Client, known: Inventory) -> Run | None:
    handle: Run = client.get_workflow_handle(watch_id(known.name))
    try:
        description = await handle.describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return None
    return handle if description.status == WorkflowExecutionStatus.RUNNING else None


def with_the_newest(state: WatchState, fresh: Freshness) -> WatchState:
    """What the look that is under way knows is newer than what the watch was told last: master, reasons, silences."""
    beat = fresh.beat
    if beat is None or (state.at is not None and beat.looked_at <= state.at):
        return state
    same = state.verdict is not None and beat.verdict.key == state.verdict.key
    return state.model_copy(
        update={
            "at": beat.looked_at,
            "memory": state.memory.merge(beat.memory),
            "verdict": beat.verdict if same else state.verdict,
            "answers": beat.answers if same and beat.answers else state.answers,
        }
    )


def lines(state: WatchState, known: Inventory, now: datetime, fresh: Freshness | None = None) -> list[Text | Hanging]:
    """What a person reads: the verdict first, then why, then what everything else depends on."""
    verdict = state.verdict
    trouble = [Text(f"the last look failed: {state.trouble}; it looks again", style=BAD)] if state.trouble else []
    if verdict is None:
        return [Text(f"{state.cluster}: looks for the first time", style="bold"), *trouble]
    style = GOOD if verdict.kind == "healthy" else WARN if verdict.settling else BAD
    head = Text(f"{state.cluster}: ", style="bold")
    head.append(verdict.sentence, style=f"bold {style}" if style != BAD else style)
    since = _since(state)
    if since is not None:
        long = span((now - since) / timedelta(seconds=1))
        head.append(f"   since {since:%Y-%m-%d %H:%M:%S} UTC, for {long}", style="default")
    found: list[Text | Hanging] = [
        head,
        *_looked(state, now, fresh),
        *trouble,
        *answered(together(state.answers), reasons=False),
    ]
    for condition in (verdict.main, *verdict.also):
        if condition is not verdict.main:
            found.append(Text(f"also: {condition.key}", style="bold"))
        found += [_row("evidence", reason) for reason in condition.reasons]
        found += [_row("revised if", unless) for unless in condition.unless]
    found.append(_row("silent", ", ".join(verdict.silent) or "none: every vantage point answers"))
    found.append(_row("HA's master", _master(state, known, now)))
    if state.rights:
        found.append(Text(f"  {state.rights}", style=WARN))
    if state.remark:
        found.append(_row("", state.remark))
    found += [_row("incident", one.run) for one in state.incidents] or [_row("incident", "none is open")]
    if state.incidents:
        found.append(_row("", "quorate incident watch"))
    found.append(_row("events", f"{state.received} received"))
    return found


def _looked(state: WatchState, now: datetime, fresh: Freshness | None) -> list[Text | Hanging]:
    """How old the newest look is, and what it saw that is not told yet."""
    if fresh is None:
        return []
    age = fresh.age(now)
    if not fresh.looking(now) or age is None:
        return [Text(f"  {fresh.sentence(now)}", style=BAD)]
    found: list[Text | Hanging] = [_row("looked", f"{span(age / timedelta(seconds=1))} ago")]
    if fresh.beat and state.verdict and fresh.beat.verdict.key != state.verdict.key:
        found.append(_row("just seen", f"{fresh.beat.verdict.sentence}: reported if it lasts"))
    return found


def _master(state: WatchState, known: Inventory, now: datetime) -> str:
    """Where it sits, and how old that knowledge is."""
    seat, told = _seat(state.memory.master, known), state.memory.as_of.get(MASTER)
    age = (now - told) / timedelta(seconds=1) if told else 0.0
    return f"{seat}, as of {span(age)} ago" if told and age >= 60 else seat


def _since(state: WatchState) -> datetime | None:
    """When the judgement was made; what is still settling is none yet."""
    settling = state.verdict is not None and state.verdict.settling
    return state.at if settling else state.memory.steady or state.at


def _row(name: str, said: str) -> Hanging:
    return Hanging(Text(f"  {name:<12} ", style=FAINT), Text(said, style="default"))


def _seat(master: str, known: Inventory) -> str:
    if not master:
        return "not known yet"
    site = next((site.name for site in known.sites if master in {node.name for node in site.nodes}), "no known site")
    return f"{master} at {site}"


def _data(state: WatchState, known: Inventory, fresh: Freshness, now: datetime) -> dict[str, Any]:
    """The watch's own words, and in front of them what most scripts ask for."""
    verdict = state.verdict
    since = _since(state)
    return {
        "cluster": state.cluster,
        "kind": verdict.kind if verdict else None,
        "sentence": verdict.sentence if verdict else None,
        "since": since.isoformat() if since else None,
        "master": {"node": state.memory.master or None, "seat": _seat(state.memory.master, known)},
        "incident": state.open.run if state.open else None,
        "incidents": [one.run for one in state.incidents],
        "looked_at": fresh.looked_at.isoformat() if fresh.looked_at else None,
        "looking": fresh.looking(now),
        "answer": answer.model_dump(mode="json") if (answer := together(state.answers)) else None,
        **state.model_dump(mode="json", include={"verdict", "at", "received", "trouble", "remark", "rights"}),
    }
