"""`quorate incident`: which incidents there are, how one stands, and one followed live. Reads only."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text
from temporalio.client import Client

from cluster.moments import clock_of, t_plus, utc
from cluster.visible import visible_json
from workers.cli.freshness import known_cluster, lines
from workers.cli.incident.runs import Entry, any_open, listed, looked, meant, pictures
from workers.cli.incident.view import COLUMNS, Picture, Shown, commands, frame, line, news, plain
from workers.cli.options import InventoryOption, JsonOption, cluster_of, err, out
from workers.cli.steps import step_data
from workers.temporal.connect import connect
from workflows.page import StepRecord

incident_app = typer.Typer(
    name="incident",
    no_args_is_help=True,
    help="Incidents: list them, read one, follow one live.\n\n"
    "[bold]quorate incident watch[/bold] is the page for the person on duty. Nothing here changes anything.\n\n"
    "Example: quorate incident watch",
)

# Frames in a second: the clock runs, and the run is looked at once a second.
FRAMES = 4
# Seconds between two looks for an incident while none is open.
WAITING_EVERY = 2.0

RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]",
        help="The run's id, or site-loss/CLUSTER (node-loss/…, incident/…). Default: the open incident.",
    ),
]
_SIGNS = {"running": "…", "attention": "?", "paused": "‖", "aborting": "…", "done": "✓", "aborted": "■"}
_STYLES = {"running": "yellow", "attention": "bold yellow", "paused": "yellow", "aborting": "yellow", "done": "green"}


@incident_app.command(name="list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    inventory: InventoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the open incidents, newest first.

    Each with its state, since when, what it is, for how long; and how fresh the newest look is.

    Example: quorate incident list --all
    """

    async def go() -> None:
        client = await connect()
        cluster = known_cluster(inventory)
        # only the inventory that is named narrows the list: the default one must not hide another cluster's incident
        found = await listed(client, ended=all_, cluster=cluster if inventory is not None else None)
        if as_json:
            out.print_json(data=[_dates(asdict(entry)) for entry in found])
            return
        fresh = await lines(client, cluster)
        for text in fresh:
            out.print(text, soft_wrap=True)
        for one in found:
            verdict = f"  {_was(one)}" if one.verdict or one.about else ""
            over = f"over after {clock_of(one.t_plus)}" if one.ended else t_plus(one.t_plus)
            sign = _SIGNS.get(one.state, "✗")
            said = f"{sign} {one.run}  {one.state}{verdict}  since {one.since:%Y-%m-%d %H:%M:%S} UTC  {over}"
            out.print(Text(said, style=_STYLES.get(one.state, "red")), soft_wrap=True)
        if not found:
            none = "no incident yet" if all_ else "no incident is known to be open; --all lists those that are over"
            out.print(none)

    asyncio.run(go())


def _was(one: Entry) -> str:
    """What it is; of one that is over what it was, and how the cluster was then."""
    now = one.verdict.replace("-", " ")
    if not one.ended or not one.about:
        return now or one.about
    return f"{one.about}, ended {now}" if now and now not in one.about else one.about


@incident_app.command()
def show(run: RunArgument = None, inventory: InventoryOption = None, as_json: JsonOption = False) -> None:
    """Show an incident as text: what is asked of you, forecast and measured, every step.

    Example: quorate incident show site-loss/metro
    """

    async def go() -> None:
        picture, now = await looked(await meant(await connect(), run, cluster_of(inventory))), datetime.now(UTC)
        if as_json:
            out.print_json(data=_data(picture, now))
            return
        for part in plain(picture, now, out):
            out.tell(part)

    asyncio.run(go())


@incident_app.command()
def watch(
    run: RunArgument = None,
    inventory: InventoryOption = None,
    json_lines: Annotated[
        bool, typer.Option("--json-lines", help="One JSON document a line for each step, note and the end.")
    ] = False,
) -> None:
    """Follow an incident until it is over: a clock, forecast beside measured.

    What is asked of you stands first. While no incident is open it waits for one.

    Where the output is no terminal, each new step is one line. Ctrl-C stops the following, never the incident.

    Example: quorate incident watch
    """

    async def go() -> None:
        client, cluster = await connect(), cluster_of(inventory)
        if run is None:
            await _until_open(client, cluster, quietly=json_lines)
        handle = await meant(client, run, cluster)
        if json_lines:
            await _told_as_json(pictures(handle))
        elif out.is_terminal:
            await _live(pictures(handle))
        else:
            await _told(pictures(handle))

    try:
        asyncio.run(go())
    except KeyboardInterrupt:
        err.print("no longer followed; the incident goes on: see `quorate incident list`")
        raise


async def _until_open(client: Client, cluster: str | None, *, quietly: bool) -> None:
    """Wait for an incident to open, and say meanwhile how fresh the newest look is."""
    told = False
    while not await any_open(client, cluster):
        if not told and not quietly:
            for text in await lines(client, cluster):
                _say(text)
            _say(Text("no incident is open: waiting for one; Ctrl-C stops the waiting"))
        told = True
        await asyncio.sleep(WAITING_EVERY)


async def _live(looks: AsyncIterator[Picture]) -> None:
    """Frames while the run goes on; the last one stays on the terminal."""
    picture = await anext(looks)
    with Live(console=out, screen=True, auto_refresh=False) as live:
        while True:
            next_look = asyncio.ensure_future(anext(looks, None))
            try:
                while not next_look.done():
                    live.update(frame(picture, datetime.now(UTC), out), refresh=True)
                    await asyncio.wait([next_look], timeout=1 / FRAMES)
            finally:
                next_look.cancel()
            if (newer := next_look.result()) is None:
                break
            picture = newer
    out.print(frame(picture, datetime.now(UTC), out))


async def _told(looks: AsyncIterator[Picture]) -> None:
    shown: Shown = set()
    told: set[str] = set()
    remark, named = "", False
    async for picture in looks:
        if picture.headline and not named:
            named = True
            _say(Text(f"{picture.headline}   {picture.run}   T0 {picture.since:%Y-%m-%d %H:%M:%S} UTC\n{COLUMNS}"))
        if picture.remark and picture.remark != remark:
            _say(Text(f"{'':>17}    {picture.remark}"))
        remark = picture.remark
        for one in news(picture, shown, told):
            if isinstance(one, str):
                _say(Text(f"{_now(picture, datetime.now(UTC))}  ! {one}"))
                continue
            _say(line(picture, one))
            for way in commands(picture, one) if one.state == "parked" else ():
                _say(Text(f"{'':>21}{way}"))
        if picture.ended:
            _say(Text(f"{_now(picture, picture.ended)}    {picture.sentence or picture.state}"))


def _now(picture: Picture, now: datetime) -> str:
    """The two times of a line."""
    return f"{clock_of(picture.t_plus(now)):>8} {utc(now, picture.since):>8}"


async def _told_as_json(looks: AsyncIterator[Picture]) -> None:
    shown: Shown = set()
    told: set[str] = set()
    async for picture in looks:
        now = datetime.now(UTC)
        for one in news(picture, shown, told):
            at = picture.t_plus(now) if isinstance(one, str) else picture.at(one)
            said = {"note": one} if isinstance(one, str) else {"step": _step(picture, one)}
            _print({"run": picture.run, "t_plus": round(at, 1), **said})
        if picture.ended:
            _print({"run": picture.run, "t_plus": round(picture.t_plus(now), 1), "ended": picture.state})


def _say(told: RenderableType) -> None:
    """At once, also into a pipe."""
    out.tell(told)
    with contextlib.suppress(OSError):
        out.file.flush()


def _print(data: dict[str, Any]) -> None:
    print(visible_json(json.dumps(data, ensure_ascii=False)), flush=True)  # noqa: T201  # rich would wrap it


def _step(picture: Picture, step: StepRecord) -> dict[str, Any]:
    answer = {"answer": commands(picture, step)} if step.state == "parked" else {}
    return {**step_data(step, picture.times), **answer}


def _data(picture: Picture, now: datetime) -> dict[str, Any]:
    return {
        "run": picture.run,
        "type": picture.kind,
        "headline": picture.headline,
        "sentence": picture.sentence,
        "state": picture.state,
        "since": picture.since.isoformat(),
        "t_plus": round(picture.t_plus(now), 1),
        "ended": picture.ended.isoformat() if picture.ended else None,
        "steps": [_step(picture, step) for step in picture.steps],
        "notes": list(picture.notes),
        "answer": picture.answer.model_dump(mode="json") if picture.answer else None,
        "progress": picture.progress.model_dump(mode="json") if picture.progress else None,
        "remark": picture.remark,
        "trace": picture.trace,
    }


def _dates(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in data.items()}
