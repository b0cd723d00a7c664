"""`quorate lab`: the twin as a command.

All but `up` speak to a twin that runs already, over its control plane.
"""

import asyncio
import json
import os
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live

from cluster.units import parse_duration
from cluster.visible import visible
from workers.children import TWIN_READY, quorate
from workers.cli.extras import needs
from workers.cli.lab import orders as lab_orders
from workers.cli.lab import screen as lab_watch
from workers.cli.lab.bundled import UNPLAYABLE, facts_beside, placed, told
from workers.cli.lab.client import Control, InventoryOption, me, say
from workers.cli.options import JsonOption, out
from workers.errors import Unusable
from workers.examples import example_file
from workers.inventory_file import load
from workers.settings import Settings

lab = typer.Typer(
    no_args_is_help=True,
    help="The twin: two FlashArrays, the nodes and a witness, on loopback.\n\n"
    "[bold]quorate lab up --detach[/bold] starts it, [bold]quorate lab watch[/bold] shows it, "
    "[bold]quorate lab fail site-power site-a[/bold] takes a site's power, "
    "[bold]quorate lab restore --all[/bold] gives everything back.\n\n"
    "Example: quorate lab up --detach --built",
)

BuiltOption = Annotated[
    bool, typer.Option("--built", help="Begin with the cluster built and its guests running, as after a deployment.")
]
SeedOption = Annotated[int | None, typer.Option(help="What chance is drawn from; random by default.", min=0)]
PasswordOption = Annotated[
    str | None,
    typer.Option(
        envvar="QUORATE_LAB_PASSWORD",
        help="What root@pam and the engine's user log in with, for clients that take no token; random by default.",
        show_envvar=True,
    ),
]
BundleOption = Annotated[
    Path | None, typer.Option("--bundle", help="Begin as a site was that `quorate probe` has looked at.")
]
SpeedOption = Annotated[float, typer.Option(help="Lab seconds per second; 1 is real time.", min=0.1)]

# Frames of `watch` in a second; the twin is on the same machine and has other things to do.
FRAMES = 2
# How long a twin may take to start or to end, seconds.
STARTS_WITHIN, ENDS_WITHIN = 60.0, 15.0


# --- the process -----------------------------------------------------------------------------------------------------


def lab_up(
    inventory: InventoryOption = None,
    speed: SpeedOption = 1.0,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Start it in the background and return.")] = False,
    built: BuiltOption = False,
    seed: SeedOption = None,
    password: PasswordOption = None,
    bundle: BundleOption = None,
) -> None:
    """Start the twin of an inventory whose addresses are loopback, and stay until Ctrl-C or `quorate lab down`.

    Its tokens, keys and certificates are written where the inventory refers to them, and the cluster's password beside
    its token. With --bundle it is the twin of a site that was probed; what it cannot play is listed.

    Example: quorate lab up --detach --speed 20
    """
    needs("lab")
    path = _begun(inventory, bundle, built=built)
    facts = facts_beside(path)
    if detach:
        _start_in_background(path, speed, built=built, seed=seed, password=password)
        return
    from lab.control.plane import on_stop
    from lab.scenery import BadScenery, read
    from lab.serving.credentials import NotLoopback, password_file
    from lab.twin import Twin, control_url

    known = load(path)
    try:
        scenery = read(path)
    except BadScenery as error:
        raise Unusable(str(error), "correct the file, or put it away") from None

    async def stay() -> None:
        twin = Twin(known, path.parent, speed=speed, seed=seed, scenery=scenery, password=password, facts=facts)
        stop = asyncio.Event()
        on_stop(twin, stop.set)
        try:
            await twin.start(built=built)
        except NotLoopback as error:
            raise Unusable(str(error), "the twin needs an inventory like examples/lab.yaml") from None
        except OSError as error:
            raise Unusable(
                f"the twin cannot listen: {error.strerror or error}", "does another twin run already?"
            ) from None
        except UNPLAYABLE as error:
            if facts is None:
                raise
            raise Unusable(
                f"the bundle beside {path} cannot be played: {error}", "ask for one from `quorate probe`"
            ) from None
        said = f"twin of {known.name} is up at speed {speed:g}; control plane at {control_url(known)}; seed {twin.seed}"
        if place := password_file(known, path.parent):
            user = known.api.token_id.partition("!")[0]
            said += f"\nlog in as root@pam or {user} with the password in {_near(place)}"
        out.print(said, soft_wrap=True)
        for line in told(facts, known, path):
            out.print(visible(line), markup=False, soft_wrap=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
        await twin.stop()

    asyncio.run(stay())


def _begun(inventory: Path | None, bundle: Path | None, *, built: bool) -> Path:
    """The inventory of the twin that is meant."""
    if bundle is None:
        return inventory or example_file()
    if inventory is not None:
        raise Unusable("--bundle has an inventory in it", "leave --inventory out")
    if built:
        raise Unusable("--bundle says what is built", "leave --built out")
    return placed(bundle)


def _near(path: Path) -> str:
    """The path as one would type it here."""
    found = path.resolve()
    return str(found.relative_to(Path.cwd()) if found.is_relative_to(Path.cwd()) else found)


def _start_in_background(path: Path, speed: float, *, built: bool, seed: int | None, password: str | None) -> None:
    control = Control(path)
    if control.answers():
        raise Unusable(f"a twin answers at {control.url} already", "use it, or end it with `quorate lab down`")
    log = Settings().state / "lab.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["lab", "up", "--inventory", str(path), "--speed", str(speed), *(["--built"] if built else [])]
    arguments += ["--seed", str(seed)] if seed is not None else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            quorate(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # not among the arguments: `ps` shows those to all
            env={**os.environ, **({"QUORATE_LAB_PASSWORD": password} if password else {})},
            start_new_session=True,  # a closed terminal does not end it
        )
    deadline = time.monotonic() + STARTS_WITHIN
    while TWIN_READY not in log.read_text(errors="replace"):
        words = log.read_text(errors="replace").strip()
        if process.poll() is not None:
            raise Unusable("the twin ended at its start", words or f"read {log}")
        if time.monotonic() > deadline:
            raise Unusable(f"the twin is not up after {STARTS_WITHIN:.0f} s", f"read {log}")
        time.sleep(0.05)
    say(f"{log.read_text(errors='replace').strip()}\nprocess {process.pid}; end it with `quorate lab down`")


def down(inventory: InventoryOption = None, as_json: JsonOption = False) -> None:
    """End the twin. What happened on it is forgotten.

    Example: quorate lab down
    """
    control = Control(inventory)
    control.post("/stop")
    deadline = time.monotonic() + ENDS_WITHIN
    while control.answers():
        if time.monotonic() > deadline:
            raise Unusable(f"the twin at {control.url} was asked to end and did not", "look at its process")
        time.sleep(0.05)
    if as_json:
        out.print_json(data={"stopped": True})
    else:
        say("the twin has ended")


def reset(inventory: InventoryOption = None, built: BuiltOption = False, as_json: JsonOption = False) -> None:
    """Set the twin back to the beginning: bare arrays and a bare cluster, or a built one; no fault, an empty log.

    Example: quorate lab reset
    """
    answer = Control(inventory).post("/reset", {"built": built}, patience=30)
    if as_json:
        out.print_json(data=answer)
    else:
        what = "a built cluster" if built else "bare arrays, a bare cluster"
        say(f"the twin is as at the beginning: {what}, no fault, an empty log")


# --- looking ---------------------------------------------------------------------------------------------------------


def status(inventory: InventoryOption = None, as_json: JsonOption = False) -> None:
    """Show the twin as it is: time, faults, both sites with power and votes, guests, pod, links.

    Example: quorate lab status
    """
    picture = Control(inventory).get("/picture")
    if as_json:
        out.print_json(data=picture)
    else:
        out.print(lab_watch.frame(picture, out, log=0))


def watch(
    inventory: InventoryOption = None,
    once: Annotated[bool, typer.Option("--once", help="Print one frame and return.")] = False,
) -> None:
    """Watch both sites, votes, guests, pod and links as they change, until Ctrl-C.

    Example: quorate lab watch
    """
    control = Control(inventory)
    if once:
        out.print(lab_watch.frame(control.get("/picture"), out))
        return
    with Live(console=out, screen=True, auto_refresh=False) as live:
        while True:
            live.update(lab_watch.filled(control.get("/picture"), out), refresh=True)
            time.sleep(1 / FRAMES)


def log(
    inventory: InventoryOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens next.")] = False,
    since: Annotated[int, typer.Option(help="Leave out the changes up to this number.", min=0)] = 0,
) -> None:
    """Print what changed and by whom, one JSON line each. Reads are never in it.

    Example: quorate lab log --follow | jq -r 'select(.where == "drill") | .target'
    """
    control, seen = Control(inventory), since
    while True:
        for line in control.lines(seen):
            say(line)
            seen = json.loads(line)["number"]
        if not follow:
            return
        time.sleep(1 / FRAMES)
        if control.get("/status")["changes"] < seen:
            seen = 0  # the twin was reset, and counts anew


# --- time ------------------------------------------------------------------------------------------------------------


def speed(
    factor: Annotated[float | None, typer.Argument(metavar="[N]", help="Lab seconds per second.")] = None,
    inventory: InventoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how fast lab time runs, or set it. HA, corosync and the arrays keep their own times in lab seconds.

    Example: quorate lab speed 20
    """
    control = Control(inventory)
    if factor is None:
        answer = {"speed": control.get("/status")["speed"]}
    else:
        answer = control.call("PUT", "/speed", json.dumps({"speed": factor, "by": me()}))
    if as_json:
        out.print_json(data=answer)
    else:
        say(f"{answer['speed']:g} lab seconds pass in a second")


def lab_time(
    inventory: InventoryOption = None,
    advance: Annotated[str | None, typer.Option(help="Run through so much lab time first: 90s, 10m, 2h.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what time it is in the twin.

    With --advance the twin runs through that time at speed 60, so that everything in it happens, and returns to the
    speed it had. Ten minutes take ten seconds. What runs outside, like a worker, does not run faster.

    Example: quorate lab time --advance 10m
    """
    control = Control(inventory)
    if advance is not None:
        span = _span(advance)
        control.post("/advance", {"seconds": span, "by": me()}, patience=span + 30)
    now = control.get("/status")
    if as_json:
        out.print_json(data={"time": now["time"], "speed": now["speed"]})
    else:
        say(f"{lab_watch.clock(now['time'])}, speed {now['speed']:g}")


def _span(text: str) -> float:
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise Unusable(f"--advance {text}: {error}") from None
    if not isinstance(span, timedelta):
        raise Unusable(f"--advance {text} is no duration", "write 90s, 10m or 2h")
    return span.total_seconds()


lab.command(name="up")(lab_up)
lab.command()(down)
lab.command()(status)
lab.command()(watch)
# a clock may be behind: -30 is a word like any other
lab.command(context_settings={"ignore_unknown_options": True})(lab_orders.fail)
lab.command(context_settings={"ignore_unknown_options": True})(lab_orders.restore)
lab.command()(lab_orders.faults)
lab.command()(lab_orders.scenario)
lab.command()(log)
lab.command(name="time")(lab_time)
lab.command()(speed)
lab.command()(reset)
