"""How the twin looks on a terminal: both sites side by side, votes, guests, pod, links, and what happened last.

Everything is said in words; colour only helps to find them.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from cluster.units import counted, seconds

Picture = dict[str, Any]

GOOD, BAD, WARN, FAINT = "green", "bold red", "yellow", "dim"
_GUEST = {"running": ("runs", GOOD), "io-error": ("I/O ERROR", BAD), "stopped": ("down", BAD)}
_POD = {"online": GOOD, "resyncing": WARN}


def frame(now: Picture, console: Console, *, log: int = 8) -> RenderableType:
    """The whole picture; `log` is how many of the last changes are told."""
    parts: list[RenderableType] = [_head(now), *_faults(now), *_alarms(now), Text()]
    sites = [_site(now, site) for site in now["sites"]]
    parts += [_beside(sites, console), Text(), _witness(now), _links(now), Text()]
    parts.append(_beside([_guests(now), _pods(now)], console))
    if now.get("scenario"):
        parts += [Text(), *scenario(now["scenario"])]
    if log:
        parts += [Text(), Text("last changes", style="bold"), *[change(one) for one in now["last"][-log:]]]
        if not now["last"]:
            parts.append(Text("  nothing has changed yet", style=FAINT))
    return Group(*parts)


def filled(now: Picture, console: Console) -> RenderableType:
    """The picture with as many of the last changes as the terminal has lines left for."""
    used = len(console.render_lines(frame(now, console, log=0), console.options.update(height=None)))
    return frame(now, console, log=max(0, min(len(now["last"]), console.height - used - 2)))


def clock(lab_time: float) -> str:
    """Lab time as a person reads it."""
    return f"{datetime.fromtimestamp(lab_time, UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(span: float) -> str:
    """A span of lab time in whole seconds."""
    return seconds(timedelta(seconds=span)) if span >= 60 else f"{max(0, round(span))} s"


def _beside(parts: list[Table], console: Console) -> RenderableType:
    """Side by side where the terminal is wide enough, else one below the other."""
    needed = sum(Measurement.get(console, console.options.update(width=1000), part).maximum + 3 for part in parts)
    if needed > console.width:
        return Group(*[line for part in parts for line in (part, Text())][:-1])
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_row(*parts)
    return grid


def _table(title: str | Text, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column, header_style=FAINT, no_wrap=True)
    return table


def _head(now: Picture) -> Text:
    text = Text(now["cluster"], style="bold")
    text.append(
        f"   lab time {clock(now['time'])}   speed {now['speed']:g}   {now['changes']} changes", style="default"
    )
    return text


def _faults(now: Picture) -> list[Text]:
    found = []
    for fault in now["faults"]:
        text = Text("fault   ", style=BAD)
        text.append(fault["title"], style="bold")
        text.append(f"   for {ago(now['time'] - fault['since'])}, by {fault['by']}", style=FAINT)
        found.append(text)
    for fault in now["planted"]:
        left = "" if fault["times"] is None else f", {max(0, fault['times'] - len(fault['met']))} left"
        found.append(Text(f"planted {fault['action']} on {fault['service']} {fault['call']}{left}", style=WARN))
    return found or [Text("no fault holds", style=GOOD)]


def _alarms(now: Picture) -> list[Text]:
    """What must never be: a guest that runs twice, a volume that is open on two nodes."""
    found = [
        Text(f"ALARM   guest {guest['vmid']} {guest['name']} runs on {' and '.join(guest['runs_on'])}", style=BAD)
        for guest in now["guests"]
        if len(guest["runs_on"]) > 1
    ]
    for lv in now["volumes_twice"]:
        twice = len(lv["open_on"]) > 1
        word, nodes = ("OPEN", lv["open_on"]) if twice else ("active", lv["active_on"])
        found.append(Text(f"{'ALARM' if twice else 'odd':<7} {lv['lv']} is {word} on {' and '.join(nodes)}",
                          style=BAD if twice else WARN))  # fmt: skip
    return found


def _site(now: Picture, site: dict[str, Any]) -> Table:
    array = site["array"]
    title = Text(site["name"], style="bold")
    title.append("   array ", style="default")
    title.append(array["name"], style="default")
    title.append(" has power" if array["powered"] else " OFF", style=FAINT if array["powered"] else BAD)
    table = _table(title, "node", "power", "votes", "sees", "HA says", "paths", "")
    for node in site["nodes"]:
        table.add_row(node["name"], *_node(now, node))
    return table


def _node(now: Picture, node: dict[str, Any]) -> list[Text]:
    styles = {"online": GOOD if node["powered"] else WARN, None: FAINT}
    ha = Text(node["ha"] or "-", style=styles.get(node["ha"], BAD))
    if node["master"]:
        ha.append(" master", style="cyan")
    odd = Text(", ".join(_oddities(node)), style=WARN)
    if not node["powered"]:
        power = Text("boots", style=WARN) if node["booting"] else Text("OFF", style=BAD)
        return [power, Text("-", style=FAINT), Text("-", style=FAINT), ha, Text("-", style=FAINT), odd]
    votes = Text(f"{node['votes']} of {node['expected']}", style=GOOD if node["quorate"] else BAD)
    if not node["quorate"]:
        votes.append(" NO QUORUM")
    everyone = sum(len(site["nodes"]) for site in now["sites"])
    sees = Text(counted(len(node["members"]), "node"), style="" if len(node["members"]) == everyone else WARN)
    near, far = node["paths"]
    paths = Text(f"{near}+{far}", style=FAINT if near + far == 0 else GOOD if near and far else WARN)
    return [Text("on", style=GOOD), votes, sees, ha, paths, odd]


def _oddities(node: dict[str, Any]) -> list[str]:
    found = []
    if abs(node["clock_offset"]) >= 0.001:
        found.append(f"clock {node['clock_offset']:+.3g} s")
    if node["watchdog_fails"]:
        found.append("watchdog fails")
    return found


def _witness(now: Picture) -> Text:
    witness = now["witness"]
    text = Text(f"witness {witness['name']} ")
    powered = [node for site in now["sites"] for node in site["nodes"] if node["powered"]]
    if not witness["powered"]:
        return text.append("boots", style=WARN) if witness["booting"] else text.append("OFF", style=BAD)
    reached = len(witness["reached_by"])
    text.append("on", style=GOOD)
    text.append(
        f", reached by {reached} of {len(powered)} running nodes", style="" if reached == len(powered) else WARN
    )
    if all(node["device"] == "none" for node in powered):
        return text.append("; no quorum device is set up", style=FAINT)
    voting = [node["name"] for node in powered if node["device"] == "voting"]
    said = f"; its vote counts on {counted(len(voting), 'node')}" if voting else "; its vote counts NOWHERE"
    return text.append(said, style=GOOD if voting else BAD)


def _links(now: Picture) -> Text:
    if not now["links_cut"]:
        return Text("links   all carry", style=GOOD)
    return Text("links   ").append(f"CUT: {', '.join(now['links_cut'])}", style=BAD)


def _guests(now: Picture) -> Table:
    table = _table("guests", "vmid", "name", "node", "site", "process", "HA")
    for guest in now["guests"]:
        word, style = _GUEST.get(guest["process"], (guest["process"], WARN))
        table.add_row(
            str(guest["vmid"]),
            guest["name"],
            guest["node"],
            guest["site"],
            Text(word, style=style),
            Text(guest["ha"] or "not under HA", style="" if guest["ha"] == "started" else WARN),
        )
    if not now["guests"]:
        table.add_row(Text("none", style=FAINT))
    return table


def _pods(now: Picture) -> Table:
    arrays = [site["array"] for site in now["sites"]]
    table = _table("pod", "as reported by", *(f"copy on {array['name']}" for array in arrays))
    for pod in now["pods"]:
        if len(now["pods"]) > 1:
            table.add_row(Text(pod["name"], style="bold"))
        for array in arrays:
            told = {member["name"]: member for member in pod["seen_by"].get(array["name"], [])}
            silent = Text("has no power: tells nothing", style=BAD) if not array["powered"] else Text("-", style=FAINT)
            cells = [_member(told[one["name"]]) if one["name"] in told else Text() for one in arrays]
            table.add_row(array["name"], *(cells if told else [silent]))
    if not now["pods"]:
        table.add_row(Text("none", style=FAINT))
    return table


def _member(member: dict[str, Any]) -> Text:
    progress = member["progress"]
    text = Text(member["status"], style=_POD.get(member["status"], BAD))
    if member["status"] == "resyncing" and progress is not None:
        text.append(f" {progress:.0%}")
    if member["mediator_status"] != "online":
        text.append(f", mediator {member['mediator_status']}", style=WARN)
    if member["pre_elected"]:
        text.append(", pre-elected", style=WARN)
    return text


def change(one: dict[str, Any]) -> Text:
    """One line of the log: when, by whom, what, and the details that are not empty."""
    by = one["detail"].get("by")
    detail = ", ".join(
        f"{key} {value}" for key, value in one["detail"].items() if key != "by" and value not in ("", [])
    )
    text = Text(
        f"  {datetime.fromtimestamp(one['time'], UTC):%H:%M:%S}  ", style=FAINT, no_wrap=True, overflow="ellipsis"
    )
    text.append(f"{one['where']:<12}", style="cyan" if one["where"] == "drill" else "default")
    text.append(f" {one['what']} {one['target']}", style="default")
    return text.append("".join([f"  {detail}" if detail else "", f"  by {by}" if by else ""]))


_STEP = {"done": ("✓", GOOD), "failed": ("✗", BAD), "running": ("…", WARN), "waiting": (" ", FAINT)}
_SCENARIO = {"done": GOOD, "failed": BAD, "stopped": WARN}


def scenario(run: dict[str, Any]) -> list[Text]:
    """A scenario with its steps; of one that went well, only that it did."""
    head = Text(f"scenario {run['name']} ", style="bold")
    head.append(
        "is being played" if run["state"] == "running" else run["state"], style=_SCENARIO.get(run["state"], WARN)
    )
    head.append(f"   {ago(run['elapsed'])}", style=FAINT)
    return [head, *(step(one, run["elapsed"]) for one in run["steps"] if run["state"] != "done")]


def step(one: dict[str, Any], elapsed: float) -> Text:
    """One step: when it ended, since when it is waited for, or that its turn has not come."""
    sign, style = _STEP[one["state"]]
    moment = one["ended"] if one["ended"] is not None else one["began"]
    text = Text(f"  {'' if moment is None else ago(moment):>12} {sign} ", style=style)
    text.append(one["title"], style=FAINT if one["state"] == "waiting" else "default")
    if one["state"] == "running":
        text.append(f"   for {ago(elapsed - one['began'])}", style=WARN)
    return text.append(f"   {one['said']}", style=style) if one["said"] else text
