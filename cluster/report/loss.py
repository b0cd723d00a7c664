"""The loss of nodes as a report needs it: from the run's own report, and from its steps where it has not ended yet."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from cluster.facts import Memory
from cluster.forecast import Forecast, forecast
from cluster.nouns import Value
from cluster.outages import UP, Outage
from cluster.report.told import Clock, Told, mapping, moment, number, texts

LOSSES = ("SiteLoss", "NodeLoss")


class Lost(Value):
    """Lost nodes and what became of their guests; times in seconds after T0.

    `uncertain`: how much later than T0 the loss may have come. `assumed`: T0 is the start of the run.
    """

    site: str
    other: str
    nodes: tuple[str, ...]
    whole: bool
    master: str
    t0: datetime
    uncertain: float
    assumed: bool
    noticed: float | None
    declared: float | None
    fenced: dict[str, float]
    running: dict[str, float]
    rejoined: float | None
    forecast: Forecast | None
    homes: dict[str, str]
    silent: tuple[str, ...] = ()
    unfenced: dict[str, str] = Field(default_factory=dict)
    runs_on: dict[str, str] = Field(default_factory=dict)
    proofs: dict[str, str] = Field(default_factory=dict)
    not_back: dict[str, str] = Field(default_factory=dict)
    unmanaged: dict[str, str] = Field(default_factory=dict)
    outages: tuple[Outage, ...] = ()
    missing: tuple[str, ...] = ()
    handed_to: str = ""

    @property
    def guests(self) -> tuple[str, ...]:
        """All guests that the loss was about."""
        return tuple(sorted({*self.homes, *self.running, *self.not_back}, key=_by_number))


def _by_number(sid: str) -> tuple[str, int, str]:
    kind, _, rest = sid.partition(":")
    return (kind, int(rest) if rest.isdigit() else 0, sid)


def lost(told: Told) -> Lost | None:
    """What is known of it; None for a run that is no loss."""
    if told.runbook not in LOSSES:
        return None
    opening = told.opening
    memory, timeline = _memory(opening), mapping(told.report.get("timeline"))
    site, nodes, whole, other = _place(told, memory)
    known = memory.t0(nodes)
    t0 = moment(timeline.get("t0")) or known or told.began
    clock = Clock(t0=t0, speed=told.speed)
    fenced, unfenced = _fencing(told, clock)
    homes = {str(sid): str(node) for sid, node in mapping(told.report.get("homes")).items()} or {
        sid: node for sid, node in memory.services.items() if node in nodes
    }
    ours = {*homes, *mapping(told.report.get("not_back")), *mapping(timeline.get("running"))}
    standing = {sid: one for sid, one in _standing(told).items() if sid in ours}
    # what ran for a moment, and does not at the end of the run, is not back
    gone = _words(told.report.get("not_back"))
    up = {sid: one for sid, one in standing.items() if one.get("state") in UP and sid not in gone}
    signs = {"noticed": moment(opening.get("odd_since")), "declared": moment(opening.get("at"))}
    seen = {name: clock.at(when) if when else None for name, when in signs.items()}
    uncertain = number(timeline.get("uncertain"))
    return Lost(
        site=site,
        other=other,
        nodes=nodes,
        whole=whole,
        master=memory.master,
        t0=t0,
        uncertain=max(0.0, seen["noticed"] or 0.0) if uncertain is None else uncertain,
        assumed=bool(timeline.get("assumed", known is None)),
        noticed=number(timeline.get("noticed", seen["noticed"])),
        declared=number(timeline.get("declared", seen["declared"])),
        fenced=_numbers(timeline.get("fenced")) if timeline else fenced,
        running=_numbers(timeline.get("running")) if timeline else _running(told, clock, homes),
        rejoined=number(timeline.get("rejoined")) if timeline else _rejoined(told, nodes, clock),
        forecast=_forecast(told, memory, nodes, homes),
        homes=homes,
        silent=texts(mapping(opening.get("verdict")).get("silent")),
        unfenced=_words(told.report.get("unfenced")) or unfenced,
        runs_on={sid: str(one.get("node", "")) for sid, one in up.items()},
        proofs={sid: str(one.get("text", "")) for sid, one in up.items()},
        not_back=gone or {sid: str(one.get("text", "")) for sid, one in standing.items() if one.get("state") not in UP},
        unmanaged=_words(told.report.get("unmanaged")),
        outages=tuple(_outages(told, homes, clock)),
        missing=texts(told.report.get("missing")),
        handed_to=str(told.report.get("handed_to", "")),
    )


def _memory(opening: dict[str, Any]) -> Memory:
    try:
        return Memory.model_validate(opening.get("memory") or {})
    except ValidationError:
        return Memory()


def _place(told: Told, memory: Memory) -> tuple[str, tuple[str, ...], bool, str]:
    """The site, its lost nodes, whether those are all of it, and the other site."""
    sites = {
        str(one.get("name")): tuple(str(node.get("name")) for node in one.get("nodes", ()))
        for one in told.inventory.get("sites", ())
    }
    nodes = texts(told.report.get("nodes")) or texts(told.request.get("nodes"))
    site = str(told.report.get("site") or told.request.get("site") or "")
    site = site or next((name for name, here in sites.items() if set(nodes) & set(here)), "")
    nodes = nodes or sites.get(site, ())
    whole = bool(nodes) and set(nodes) == set(sites.get(site, ()))
    return site, nodes, whole, next((name for name in sites if name != site), "")


def _fencing(told: Told, clock: Clock) -> tuple[dict[str, float], dict[str, str]]:
    """Of each node when HA's acknowledgement was seen, and of the others why there was none."""
    fenced: dict[str, float] = {}
    other: dict[str, str] = {}
    for step in told.of("ha.watch_fencing"):
        node = str(step.asked.get("node", ""))
        if step.found.get("outcome") == "fenced" and step.ended:
            fenced[node] = clock.at(step.ended)
        elif step.found:
            other[node] = step.finding
    return fenced, other


def _standing(told: Told) -> dict[str, dict[str, Any]]:
    """How each guest stood last, by the report or by the newest look."""
    found: dict[str, dict[str, Any]] = {}
    for step in told.of("ha.watch_guests"):
        looked = mapping(step.found.get("standing")) or mapping(step.asked.get("known"))
        found |= {str(sid): mapping(one) for sid, one in looked.items()}
    for one in told.report.get("back", ()):
        if one.get("ok"):
            found[str(one["sid"])] = {"state": "running", "node": one.get("node", ""), "text": one.get("text", "")}
    return found


def _running(told: Told, clock: Clock, homes: Collection[str]) -> dict[str, float]:
    """When each of these guests was seen at work again for the first time."""
    found: dict[str, float] = {}
    for step in told.of("ha.watch_guests"):
        for sid, one in mapping(step.found.get("standing")).items():
            if sid in homes and step.ended and mapping(one).get("state") in UP:
                found.setdefault(str(sid), clock.at(step.ended))
    return found


def _rejoined(told: Told, nodes: tuple[str, ...], clock: Clock) -> float | None:
    """When all nodes were members again."""
    for step in told.of("ha.watch_return"):
        if step.ended and set(nodes) <= set(texts(step.found.get("back"))):
            return clock.at(step.ended)
    return None


def _forecast(told: Told, memory: Memory, nodes: tuple[str, ...], homes: dict[str, str]) -> Forecast | None:
    """As the run has reported it; of one that goes on it is computed anew from what the watch remembered."""
    if told.report.get("forecast"):
        try:
            return Forecast.model_validate(told.report["forecast"])
        except ValidationError:
            return None
    if memory == Memory():
        return None
    listed = told.first("ha.listed")
    survivors = len(memory.ids) - len(nodes)
    workers = int(number(listed.found.get("workers")) or 4) if listed else 4
    return forecast(
        master=memory.master,
        lost=frozenset(nodes),
        guests=len(homes),
        survivors=survivors,
        totem=memory.totem,
        workers=workers,
    )


def _outages(told: Told, homes: dict[str, str], clock: Clock) -> Iterator[Outage]:
    """Those that the run has reported; of one that goes on from T0 until each guest was seen at work again."""
    if "outages" in told.report:
        for one in told.report["outages"]:
            yield Outage.model_validate(one)
        return
    running = _running(told, clock, homes)
    for sid in homes:
        yield Outage(sid=sid, begin=clock.t0, until=clock.when(running[sid]) if sid in running else None)


def _numbers(value: object) -> dict[str, float]:
    return {str(name): float(one) for name, one in mapping(value).items() if number(one) is not None}


def _words(value: object) -> dict[str, str]:
    return {str(name): str(one) for name, one in mapping(value).items()}
