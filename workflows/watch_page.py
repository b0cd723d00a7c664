"""The page of a watch: what it takes the cluster for, why, and what would revise it."""

from urllib.parse import quote

from pydantic import BaseModel

from cluster.answers.model import together
from cluster.conditions import Condition
from cluster.events import Event
from cluster.silences import Silence
from cluster.units import capital, counted, seconds
from cluster.watching import Seen
from workflows.page import advised, safe, sentence

# Without a worker this page cannot change, and cannot be asked for: what is on it may be of yesterday.
OLD = "This page is as of its last change. `quorate watch show` and the board say whether the cluster is looked at now."


class WatchSheet(BaseModel):
    """All that the page is made of."""

    cluster: str
    seen: Seen | None
    open: tuple[str, ...]
    events: tuple[Event, ...]
    received: int
    trouble: str
    remark: str
    rights: str
    namespace: str
    silences: tuple[Silence, ...] = ()


def render_watch(sheet: WatchSheet) -> str:
    """The whole page: verdict first."""
    here = f"/namespaces/{sheet.namespace}/workflows"
    lines = [f"### Watch of {safe(sheet.cluster)}", "", f"**{sentence(_now(sheet), 600)}**", ""]
    if sheet.trouble:
        lines += [f"The last look failed: {safe(sheet.trouble)}. It looks again.", ""]
    for run in sheet.open:
        lines += [f"Open incident: [{run}]({here}/{quote(run, safe='')})", ""]
    lines += [line for one in sheet.silences for line in (f"Announced: {safe(str(one))}.", "")]
    lines += [line for one in (sheet.remark, sheet.rights) if one for line in (f"{safe(one)}.", "")]
    if sheet.seen is not None:
        verdict, answer = sheet.seen.verdict, together(sheet.seen.answers)
        if answer is not None and answer.urgency != "nothing":
            lines += [advised(answer.model_copy(update={"why": (), "unless": ()}))]
        for condition in (verdict.main, *verdict.also):
            planned = "planned: " if condition.planned else ""
            lines += [f"- {planned}**{condition.kind}** {' '.join(condition.where)}", *_reasons(condition)]
        lines += ["", _before(sheet.seen), ""]
        if verdict.silent:
            lines += [f"No answer: {safe(', '.join(verdict.silent))}.", ""]
    if sheet.events:
        lines += [f"{counted(sheet.received, 'event')} received, the last ones:", ""]
        lines += [f"- {safe(event.source)}: {safe(event.kind)} {safe(event.subject)}" for event in sheet.events]
    return "\n".join(lines).rstrip() + f"\n\n{OLD}\n"


def _now(sheet: WatchSheet) -> str:
    if sheet.seen is None:
        return "Looking for the first time."
    verdict, since = sheet.seen.verdict, sheet.seen.memory.steady
    when = f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
    answer = together(sheet.seen.answers)
    asked = " No action needed." if verdict.kind == "healthy" else ""
    only = " It only observes." if sheet.seen.policy == "observe" else ""
    said = f"{capital(verdict.sentence)}{when}.{asked}{only}"
    return f"{answer.head} {said}" if answer is not None and answer.urgency != "nothing" else said


def _reasons(condition: Condition) -> list[str]:
    why = [f"  - {safe(one)}" for one in condition.reasons[:6]]
    return [*why, *(f"  - revised if: {safe(one)}" for one in condition.unless[:2])]


def _before(seen: Seen) -> str:
    """What the forecast of a loss depends on."""
    memory = seen.memory
    master = f"HA's master is on `{memory.master}`" if memory.master else "HA has shown no master yet"
    detection = f"; corosync drops a dead node after {seconds(memory.totem.detection)}" if memory.totem else ""
    guests = counted(len(memory.placement), "guest runs", "guests run")
    return f"{master}{detection}; {guests}{', and some may be hidden: a right is missing' if memory.veiled else ''}."
