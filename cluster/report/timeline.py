"""What the picture shows: marks, spans and bands on one axis, lane by lane, from the runs that belong together."""

from collections.abc import Callable, Iterator, Sequence

from cluster.report import lossline
from cluster.report.loss import Lost
from cluster.report.model import LANES, Band, Lane, Mark, Shape, Span, Timeline, Tone
from cluster.report.told import Clock, Step, Told, Verdict, mapping, number, texts
from cluster.report.told import length as seconds_of
from cluster.report.words import length
from cluster.units import counted

# The run that looks at the cluster all its life: its verdicts belong to an incident, its own steps do not.
WATCH = "ClusterWatch"
# Verdicts that are no trouble.
CALM = ("healthy", "not-deployed")


def drawn(clock: Clock, t0_is: str, told: Told, beside: Sequence[Told], loss: Lost | None) -> Timeline:
    """The picture of a run with those beside it."""
    runs = (told, *(one for one in beside if one.runbook != WATCH))
    marks: list[Mark] = []
    spans: list[Span] = []
    for one in runs:
        marks += _run_marks(one, clock)
        spans += _run_spans(one, clock)
    until = max(clock.at(one.last) for one in runs)
    spans += verdicts((told, *beside), clock, until)
    bands: list[Band] = []
    if loss is not None:
        marks += [*lossline.marks(loss, clock), *lossline.article(loss, clock)]
        spans += lossline.spans(loss, clock)
        bands += lossline.bands(loss)
    told_of = {one.lane for one in marks} | {one.lane for one in spans}
    lanes = tuple(lane for lane in LANES if loss is not None or lane in told_of)
    return Timeline(
        t0=clock.t0,
        t0_is=t0_is,
        speed=clock.speed,
        until=until,
        lanes=lanes or ("quorate",),
        marks=_news(sorted(marks, key=lambda one: (one.at, tuple(LANES).index(one.lane), one.text))),
        spans=tuple(sorted(spans, key=lambda one: (tuple(LANES).index(one.lane), one.row, one.begin))),
        bands=tuple(bands),
    )


def _news(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """Without what was seen again and is as it was: the same words in the same lane."""
    kept: list[Mark] = []
    said: dict[str, set[str]] = {}
    for mark in marks:
        if mark.shape == "seen" and mark.lane in ("votes", "storage"):
            known = said.setdefault(mark.lane, set())
            if mark.label in known:
                continue
            said[mark.lane] = {mark.label} if mark.lane == "votes" else known | {mark.label}
        kept.append(mark)
    return tuple(kept)


# --- any run -----------------------------------------------------------------------------------------------------


def _run_marks(told: Told, clock: Clock) -> Iterator[Mark]:
    yield from _began(told, clock)
    for step in told.steps:
        if step.found:
            yield from _step_marks(step, clock)
        elif not step.quiet and step.word not in ("Stopped", "Canceled", "stopped"):
            yield _failed(step, clock)
    for voice in told.voices:
        vote = voice.signed is not None or voice.what in ("approve", "reject", "expiry", "withdraws the approval")
        shape: Shape = "person" if voice.accepted else "failed"
        tone: Tone = "person" if voice.accepted else "bad"
        who = voice.by or "no name given"
        said = f"{who}: {voice.what}" + ("" if voice.accepted else " (refused)")
        detail = f"{said}{f', {voice.about}' if voice.about else ''}{f': {voice.said}' if voice.said else ''}"
        yield Mark(
            lane="approvals" if vote else "people",
            at=clock.at(voice.at),
            when=voice.at,
            shape=shape,
            tone=tone,
            label=said,
            text=detail,
        )


def _began(told: Told, clock: Clock) -> Iterator[Mark]:
    by = f" by {told.by}" if told.by else ""
    label = f"{told.runbook} begins"
    lane: Lane = "quorate" if told.parent or not told.request.get("by") else "people"
    shape: Shape = "person" if lane == "people" else "seen"
    text = f"{told.runbook} {told.run} is started{by}"
    tone: Tone = "person" if lane == "people" else "plain"
    at = clock.at(told.began)
    yield Mark(lane=lane, at=at, when=told.began, shape=shape, tone=tone, label=label, text=text)
    if told.ended:
        how = f"ends: {told.word}" if told.word else "ends"
        tone = "odd" if told.word else "plain"
        text = f"{told.run} {how}" + (f": {told.failure}" if told.failure else "")
        yield Mark(
            lane="quorate",
            at=clock.at(told.ended),
            when=told.ended,
            tone=tone,
            label=f"{told.runbook} {how}",
            text=text,
        )


def _failed(step: Step, clock: Clock) -> Mark:
    when = step.ended or step.began
    text = f"{step.title}: {step.word}: {step.message}"
    label = f"failed: {step.title}"
    return Mark(lane="quorate", at=clock.at(when), when=when, shape="failed", tone="bad", label=label, text=text)


def _step_marks(step: Step, clock: Clock) -> Iterator[Mark]:
    """Marks of one step that was done, at its end: what it found of votes, pod, paths, checks, switches, machines."""
    ended = step.ended or step.began
    at, tone = clock.at(ended), _tone(step)

    def mark(lane: Lane, label: str, text: str, tone: Tone = tone) -> Mark:
        shape: Shape = "change" if step.found.get("changed") else "seen"
        return Mark(lane=lane, at=at, when=ended, shape=shape, tone=tone, label=label, text=text)

    found = step.found
    text = f"{step.title}: {step.finding}"
    match step.activity:
        case "watch.survivor_votes" | "hosts.votes":
            total, expected = number(found.get("total")), number(found.get("expected"))
            label = (
                f"{total:.0f} of {expected:.0f} votes" if total is not None and expected is not None else step.finding
            )
            yield mark("votes", label, text)
        case "watch.survivor_pod":
            yield mark("storage", "pod served", text)
        case "watch.survivor_paths":
            yield mark("storage", "paths usable", text)
        case "ha.watch_return" if (back := texts(found.get("back"))) and found.get("missing"):
            yield mark("nodes", f"{counted(len(back), 'node')} back", f"{step.title}: {step.finding}", "odd")
        case "ha.freeze":
            yield mark("quorate", "moves disabled", text, "plain")
        case "records.give_back":
            yield mark("quorate", _short_of(step), text)
        case "bmc.switch" if found.get("changed"):
            yield mark("power", step.title, text)
        case "watch.quarantine":
            yield from _checks(step, mark)
        case "ha.move_master" | "ha.maintenance" | "ha.revive" if found.get("changed"):
            yield mark("quorate", step.title, text)


def _short_of(step: Step) -> str:
    left = mapping(step.found.get("outstanding"))
    restored = step.found.get("restored") or ()
    if left:
        return f"{counted(len(left), 'switch', 'switches')} not restored"
    return f"{counted(len(restored), 'switch', 'switches')} restored"


def _tone(step: Step) -> Tone:
    return "odd" if step.found.get("mark") == "warned" else "good"


def _checks(step: Step, mark: Callable[[Lane, str, str, Tone], Mark]) -> Iterator[Mark]:
    """Of a quarantine that has ended: the votes, and the pod with its paths."""
    checks = {str(one.get("title")): one for one in map(mapping, step.found.get("checks", ()))}
    failed = [name for name, one in checks.items() if not one.get("holds")]
    if failed:
        yield mark("nodes", f"{counted(len(failed), 'check')} failed", f"{step.title}: {step.finding}", "odd")
        return
    if step.quiet:  # once more before a change: no news while all of them hold
        return
    shown: tuple[tuple[str, Lane, str], ...] = (
        ("All votes are back", "votes", "votes"),
        ("Pod is online on both arrays", "storage", "pod on both arrays"),
        ("Paths are complete", "storage", "paths complete"),
    )
    for title, lane, label in shown:
        if (one := checks.get(title)) and one.get("holds"):
            said = str(one.get("said", ""))
            short = said.partition(",")[0] if lane == "votes" else label
            yield mark(lane, short, f"{title}: {said}", "good")
    held = seconds_of(step.found.get("held"))
    label = counted(len(checks), "check holds", "checks hold")
    if held >= 1:
        label = f"{counted(len(checks), 'check')} held {length(held)}"
    yield mark("nodes", label, f"{step.title}: {step.finding}", "good")


def _run_spans(told: Told, clock: Clock) -> Iterator[Span]:
    """Guests that were moved, gates that were open, pauses; of a deployment its layers."""
    for step in told.of("ha.bring_home"):
        if not step.found.get("changed"):
            continue
        move = mapping(step.asked.get("move"))
        sid, home = str(move.get("sid", "")), str(move.get("home", ""))
        yield Span(
            lane="guests",
            begin=clock.at(step.began),
            end=clock.at(step.ended) if step.ended else None,
            tone="plain",
            label=f"{sid} to {home}",
            text=f"{sid} is moved from {move.get('source', '')} to {home}: {step.finding}",
            row=f"moves {sid}",
        )
    yield from _pauses(told, clock)
    for lane, label, steps in _layers(told):
        changes = sum(len(step.found.get("changes", ())) for step in steps)
        ended = [step.ended for step in steps if step.ended]
        yield Span(
            lane=lane,
            begin=clock.at(min(step.began for step in steps)),
            end=clock.at(max(ended)) if ended else None,
            tone="good",
            label=label,
            text=f"{label}: {counted(changes, 'change')} made and read back",
            row=label,
        )


def _pauses(told: Told, clock: Clock) -> Iterator[Span]:
    begun = None
    for voice in told.voices:
        if voice.accepted and voice.what == "pause":
            begun = voice
        elif voice.accepted and voice.what == "resume" and begun:
            text = f"paused by {begun.by or 'no name given'}, until {voice.by or 'no name given'} resumed it"
            begin, end = clock.at(begun.at), clock.at(voice.at)
            yield Span(lane="people", begin=begin, end=end, tone="odd", label="paused", text=text, row="pauses")
            begun = None
    if begun:
        text = f"paused by {begun.by or 'no name given'}, and not resumed"
        yield Span(
            lane="people", begin=clock.at(begun.at), end=None, tone="odd", label="paused", text=text, row="pauses"
        )


# Layers of a deployment, each with the activities that build it.
LAYERS: tuple[tuple[Lane, str, tuple[str, ...]], ...] = (
    ("storage", "pod and volume", ("purity.ensure_pod", "purity.ensure_stretched")),
    ("storage", "hosts and LUNs", ("purity.ensure_access",)),
    ("storage", "paths", ("hosts.ensure_paths",)),
    ("storage", "volume group and storage", ("hosts.ensure_volume_group", "proxmox.ensure_storage")),
    ("votes", "quorum device", ("hosts.ensure_quorum_device",)),
    ("guests", "guests", ("proxmox.ensure_guest",)),
    ("fencing", "HA", ("proxmox.ensure_ha",)),
)


def _layers(told: Told) -> Iterator[tuple[Lane, str, list[Step]]]:
    for lane, label, activities in LAYERS:
        steps = [step for step in told.of(*activities) if step.found.get("changed")]
        if steps:
            yield lane, label, steps


def verdicts(runs: Sequence[Told], clock: Clock, until: float) -> Iterator[Span]:
    """What the cluster was taken for, from one verdict to the next, whoever has told it first."""
    found: list[Verdict] = []
    for verdict in sorted((one for run in runs for one in run.verdicts), key=lambda one: one.at):
        if not found or found[-1].sentence != verdict.sentence:
            found.append(verdict)
    # what was so before this began is one verdict, not the whole life of the watch
    before = [one for one in found if clock.at(one.at) < 0]
    shown = [*before[-1:], *(one for one in found if clock.at(one.at) >= 0)]
    for n, one in enumerate(shown):
        begin = max(clock.at(one.at), 0.0)
        end = min(clock.at(shown[n + 1].at), until) if n + 1 < len(shown) else until
        tone: Tone = "good" if one.kind in CALM else "odd" if one.kind == "undetermined" else "bad"
        text = f"{one.sentence}: {'; '.join(one.reasons)}" if one.reasons else one.sentence
        if end > begin:
            yield Span(lane="verdict", begin=begin, end=end, tone=tone, label=one.sentence, text=text)
