"""An incident in a terminal: what a person on duty reads at every stage, and what is coloured when it is late."""

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from cluster.answers.advice import answer
from cluster.around import Occasion
from cluster.conditions import GRAVITY, Condition
from cluster.facts import Memory, Totem
from cluster.forecast import forecast
from cluster.recovery import Back
from runbooks.loss import Progress, Timeline
from tests.verdict.world import INVENTORY
from tests.workers.test_cli import EXAMPLE, ROOT
from workers.cli.incident.commands import incident_app
from workers.cli.incident.phases import gist
from workers.cli.incident.view import Picture, Shown, frame, line, news, plain
from workers.cli.watch import watch_app
from workers.inventory_file import load
from workflows.page import Section, StepRecord, spoken

T0 = datetime(2026, 3, 1, 3, 12, 28, tzinfo=UTC)
RUN = "site-loss/metro/site-a/20260301T031231Z"
LOST = ("node-a1", "node-a2", "node-a3")
GUESTS = {"vm:300": "node-a1", "vm:301": "node-a2"}
WAITS = "HA finds no node for it: rules, maintenance or storage leave none"
RED, YELLOW, GREEN, BOLD = "\x1b[1;31m", "\x1b[33m", "\x1b[32m", "\x1b[1m"


def step(
    title: str, state: str = "done", finding: str = "", at: float = 0, took: float = 0, waiting: str = ""
) -> StepRecord:
    times = {"at": timedelta(seconds=at), "took": timedelta(seconds=took)}
    return StepRecord(title=title, waiting=waiting, state=state, finding=finding, **times)


def progress(guests: dict[str, str] = GUESTS, uncertain: float = 3.0, back: tuple[Back, ...] = (), **times) -> Progress:
    """The master sat at the lost site: fenced 02:50 to 03:23, running 02:55 to 03:38."""
    totem = Totem(token=timedelta(seconds=3.65), consensus=timedelta(seconds=4.38))
    expected = forecast(master="node-a1", lost=frozenset(LOST), guests=len(guests), survivors=3, totem=totem)
    timeline = Timeline(t0=T0, uncertain=uncertain, **{"declared": 11, "quorum": 11, **times})
    return Progress(speed=1, timeline=timeline, forecast=expected, guests=guests, back=back, waiting={})


STEPS = [
    step("Inventory is read", finding="metro: 3 nodes at site-a and 3 nodes at site-b, 7 votes", at=11),
    step("Loss of site-a is confirmed", finding="site lost (site-a)", at=11, took=2.1),
    step("Forecast", finding="votes settle T+00:08 to 00:14", at=13),
    step("Automatic moves are disabled", finding="off: vm:301 failback", at=13, took=1.4),
    step("site-b is quorate", finding="4 of 7 votes, quorum 4: no margin", at=15, took=0.3),
    step("node-a1 is fenced", finding="node-b2 has its agent lock", at=15, took=163),
    step(
        "node-a2 is fenced",
        "running",
        at=15,
        waiting="Waiting for HA to fence node-a2, at the earliest 03:15:18 UTC (T+02:50)",
    ),
    step("Guests run again", "running", at=15, waiting="Waiting for HA to restart 2 guests"),
]


def picture(**more) -> Picture:
    told = {
        "run": RUN,
        "kind": "SiteLoss",
        "headline": "Site site-a is lost (apply)",
        "sentence": "Waiting for HA to fence node-a2, at the earliest 03:15:18 UTC (T+02:50), and 1 other step. "
        "No action needed.",
        "state": "running",
        "since": T0,
        "sections": (Section(title="Survivor, fencing, recovery", steps=STEPS),),
        "progress": progress(fenced={"node-a1": 178.0}),
    }
    return Picture(**{**told, **more})


def shown(one: Picture, at: float, width: int = 100, height: int = 40, *, coloured: bool = False) -> list[str]:
    """The frame at T+, as lines of text."""
    screen = Console(
        record=True, width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="standard"
    )
    screen.print(frame(one, T0 + timedelta(seconds=at), screen))
    return [text.rstrip() for text in screen.export_text(styles=coloured).splitlines()]


def row(lines: list[str], who: str) -> str:
    """The forecast's line about this one."""
    return next(text for text in lines if re.search(rf"{who}\s.*\d\d:\d\d - ", text))


def late(measured: float | None, uncertain: float = 3.0) -> str:
    """How the second guest stands at 04:22, in colours; it was expected by T+03:38."""
    times = {"vm:300": 193.0} | ({"vm:301": measured} if measured else {})
    back = tuple(Back(sid=sid, ok=True, node="node-b2") for sid in times)
    told = progress(uncertain=uncertain, running=times, back=back).model_copy(update={"waiting": {"vm:301": WAITS}})
    return row(shown(picture(progress=told), 262, width=160, coloured=True), "vm:301")


def test_the_whole_picture_in_the_middle_of_a_loss():
    """Clock, what is asked, whether the guests are back, expected beside measured, the newest steps."""
    assert shown(picture(), 185) == [
        f"Site site-a is lost (apply){'T+03:05  03:15:33 UTC':>73}",
        RUN,
        "last sign of life 2026-03-01 03:12:28 UTC, the loss came up to 3 s later",
        "",
        "Waiting for HA to fence node-a2, at the earliest 03:15:18 UTC (T+02:50), and 1 other step. No action",
        "needed.",
        "0 of 2 guests run again · expected by 03:16:06 UTC (T+03:38), in 33 s",
        "",
        "                   expected, T+   00:00                   03:55",
        "quorum   survivor  00:08 - 00:14  ━●····················│······  ✓ by T+00:11",
        "fenced   node-a1   02:50 - 03:23  ····················━●│━━━···  ✓ T+02:58",
        "         node-a2   02:50 - 03:23  ····················━━│━━━···  due now",
        "running  vm:300    02:55 - 03:38  ·····················━│━━━━··  due now",
        "         vm:301    02:55 - 03:38  ·····················━│━━━━··  due now",
        "HA's master node-a1 is lost, a new one comes after 110 to 121 s and waits 60 s more",
        "",
        "      T+      UTC",
        "   00:11 03:12:39  ✓ Inventory is read: metro: 3 nodes at site-a and 3 nodes at site-b, 7 votes",
        "   00:13 03:12:41  ✓ Loss of site-a is confirmed: site lost (site-a) [2.1 s]",
        "   00:14 03:12:42  ✓ Automatic moves are disabled: off: vm:301 failback [1.4 s]",
        "   00:15 03:12:43  ✓ site-b is quorate: 4 of 7 votes, quorum 4: no margin",
        "   02:58 03:15:26  ✓ node-a1 is fenced: node-b2 has its agent lock [2 min 43 s]",
        "                   … Waiting for HA to fence node-a2, at the earliest 03:15:18 UTC (T+02:50): under…",
        "                   … Waiting for HA to restart 2 guests: under way since 03:12:43 UTC (T+00:15)",
    ]


def test_what_is_ahead_says_how_long_to_wait():
    """Nobody has to subtract at night."""
    lines = shown(picture(progress=progress()), 20)

    assert row(lines, "node-a1").endswith("in 2 min 30 s at the earliest")
    assert "0 of 2 guests run again · expected by 03:16:06 UTC (T+03:38), in 3 min 18 s" in lines


def test_what_is_late_is_red_and_says_why():
    """By how much and what it waits for; the sentence on top says it too."""
    told = progress(fenced={"node-a1": 178.0}).model_copy(update={"waiting": {"vm:301": WAITS}})
    lines = shown(picture(progress=told), 262, width=160, coloured=True)

    assert f"{RED}LATE by 44 s: HA finds no node for it" in late(None)
    assert f"{RED}╍" in late(None)
    assert f"{RED} · 2 are LATE by 44 s" in next(text for text in lines if "guests run again" in text)


def test_late_by_less_than_the_clock_knows_is_yellow():
    """The loss may have come that much after the last sign of life."""
    assert f"{YELLOW}LATE by 44 s" in late(None, uncertain=60)


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (217.0, f"{GREEN}✓ T+03:37"),
        (218.4, f"{GREEN}✓ T+03:38"),
        (220.0, f"{YELLOW}✓ T+03:40, 2 s late"),
        (240.0, f"{RED}✓ T+04:00, 22 s late"),
    ],
)
def test_what_came_is_measured_against_the_forecast(measured: float, said: str):
    """Green on time, yellow within what the clock does not know, red behind that; and where it runs."""
    plain_end = late(measured).replace("\x1b[0m", "")
    assert f"{said} on node-b2" in plain_end


def test_a_guest_that_ha_gave_up_is_red_at_once():
    """No clock has to run out for that."""
    gone = Back(sid="vm:301", ok=False, text="is in error: HA gave up starting it")
    lines = shown(picture(progress=progress(back=(gone,))), 185, width=160, coloured=True)

    assert f"{RED}✗ is in error: HA gave up starting it" in row(lines, "vm:301")
    assert any("1 will not come back by itself" in text for text in lines)


def test_quorum_that_was_proven_with_the_verdict_is_never_late():
    """Its time is that of the proof: when the votes settled, nobody was looking."""
    told = progress(quorum=25.0, declared=25.0)

    assert (
        row(shown(picture(progress=told), 60, coloured=True), "survivor")
        .replace("\x1b[0m", "")
        .endswith("✓ by T+00:25")
    )


def test_when_all_are_back_the_sentence_is_green():
    """With the time of the last one."""
    told = progress(running={"vm:300": 193.0, "vm:301": 201.0})
    said = gist(told, 4000)

    assert (said.plain, said.style) == ("2 of 2 guests run again, the last one at 03:15:49 UTC (T+03:21)", "green")


def test_many_guests_show_those_that_need_a_person():
    """Forty guests are six lines, the troubled first, and the rest counted."""
    guests = {f"vm:{number}": LOST[number % 3] for number in range(300, 340)}
    times = {f"vm:{number}": 190.0 for number in range(300, 325)}
    back = (
        *(Back(sid=sid, ok=True, node="node-b1") for sid in times),
        Back(sid="vm:330", ok=False, text="is in error"),
    )
    lines = shown(picture(progress=progress(guests, running=times, back=back)), 230)
    shown_guests = re.findall(r"vm:\d+", "\n".join(text for text in lines if " - " in text))

    assert shown_guests == ["vm:330", "vm:325", "vm:326", "vm:327", "vm:328", "vm:329"]
    assert lines[lines.index(row(lines, "vm:329")) + 1].strip() == "34 more: 25 done, 9 to come"


def test_a_parked_step_stands_above_all_with_what_to_type():
    """The short address of the run, the consequence of skipping, nothing to look up."""
    title = "Loss of site-a is confirmed"
    one = picture(
        state="attention",
        sections=(Section(title="Confirm", steps=[step(title, "parked", "Refuted: node-a1 answers", at=11)]),),
        skips={title: "the incident goes on although the loss is not confirmed"},
        progress=None,
    )
    lines = shown(one, 40)

    assert lines[lines.index(f"? {title}: Refuted: node-a1 answers") + 1 :][:4] == [
        "    quorate answer site-loss/metro retry",
        f"    quorate answer site-loss/metro skip --step '{title}' --why '…'",
        "        skipped: the incident goes on although the loss is not confirmed",
        "    quorate answer site-loss/metro abort",
    ]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 24), (200, 50)])
def test_it_fits_into_the_terminal(width: int, height: int):
    """No line is too long, and the newest steps are the ones that stay."""
    lines = shown(picture(), 185, width=width, height=height)

    assert max(map(len, lines)) <= width
    assert len(lines) <= height
    assert "… Waiting for HA to restart 2 guests: un" in lines[-1]


def test_the_clock_stands_when_it_is_over():
    """Whenever somebody looks again; what never came is said."""
    one = picture(ended=T0 + timedelta(minutes=31), state="done", sentence="Done.")
    lines = shown(one, 90_000)

    assert lines[0].endswith("over, took 31:00")
    assert row(lines, "node-a2").endswith("not seen")


def test_a_rehearsal_counts_the_clusters_own_time():
    """At ten times the speed a second of the wall is ten of the cluster's, in the clock and in every step."""
    one = picture(speed=10.0)

    assert shown(one, 20)[0].endswith("T+03:20  03:12:48 UTC")
    told = line(one, step("site-b is quorate", finding="4 of 7 votes", at=2, took=1.5)).plain
    assert told == "   00:35 03:12:31  ✓ site-b is quorate: 4 of 7 votes [15.0 s]"


def test_an_incident_without_a_forecast_shows_what_is_known_and_what_to_do():
    """What to do stands below the headline, with its commands; the newest verdict as a whole, not cut to a line."""
    steps = [step("Evidence", "told", "qdevice does not answer: timed out")]
    one = picture(
        kind="ClusterIncident",
        headline="metro: witness lost (qdevice)",
        sections=(Section(title="Start", steps=[STEPS[0]]), Section(title="Witness lost (qdevice)", steps=steps)),
        progress=None,
        answer=answer(Condition(kind="witness-lost", where=("qdevice",)), Memory(), INVENTORY),
    )
    lines = shown(one, 40)
    asked = lines.index("  1.         check the witness's host, TCP port 5403 and its certificates")

    assert lines[asked + 1 : asked + 3] == [
        "               corosync-qnetd-tool -lv",
        "  2.         start no planned work on nodes or sites until every node counts its vote again",
    ]
    assert lines[-2:] == ["Witness lost (qdevice)", "   00:00 03:12:28  · Evidence: qdevice does not answer: timed out"]


def test_each_step_is_told_once():
    """When it has ended or parked, in the order of their ends; a note too."""
    shown_so_far: Shown = set()
    told: set[str] = set()
    first = list(news(picture(), shown_so_far, told))
    ended = [*STEPS[:6], step("node-a2 is fenced", finding="node-b2 has it", at=15, took=170), STEPS[7]]
    second = picture(sections=(Section(title="x", steps=ended),), notes=("ana: power is being restored",))

    assert [one.title for one in first][-2:] == ["site-b is quorate", "node-a1 is fenced"]
    assert list(news(second, shown_so_far, told)) == [ended[6], "ana: power is being restored"]
    assert list(news(second, shown_so_far, told)) == []


def test_a_sentence_is_read_without_its_markdown():
    """What the UI emphasises is plain words in a terminal."""
    said = "Paused by ana. To go on: *More Actions*, *Send an Update*, `resume`."

    assert spoken(said) == "Paused by ana. To go on: More Actions, Send an Update, resume."


def test_a_live_view_shows_the_newest_remarks_and_the_whole_page_all():
    """A long incident does not push its steps off the screen."""
    one = picture(notes=tuple(f"remark {number}" for number in range(5)))
    live, whole = (Console(record=True, width=100, height=50, file=io.StringIO()) for _ in range(2))
    live.print(frame(one, T0 + timedelta(seconds=185), live))
    for part in plain(one, T0 + timedelta(seconds=185), whole):
        whole.print(part)

    assert re.findall(r"remark \d", live.export_text()) == ["remark 2", "remark 3", "remark 4"]
    assert len(re.findall(r"remark \d", whole.export_text())) == 5


def test_the_whole_page_has_every_section():
    """Headings, all their steps, notes last."""
    one = picture(notes=("ana: the power company was called",))
    screen = Console(record=True, width=100, file=io.StringIO())
    for part in plain(one, T0 + timedelta(seconds=185), screen):
        screen.print(part)
    lines = screen.export_text().splitlines()

    heading = lines.index("Survivor, fencing, recovery")
    assert lines[heading + 3].startswith("   00:13 03:12:41  ✓ Forecast: votes settle")
    assert lines[-1] == "! ana: the power company was called"


# --- docs/follow-an-incident.md says only what is so -----------------------------------------------------------------

PAGE = (ROOT / "docs" / "follow-an-incident.md").read_text()


def test_the_page_explains_every_verdict():
    """In the words of the verdict; none is left out and none made up."""
    table = PAGE.partition("| Verdict | It means |")[2].partition("\n\n")[0]
    named = re.findall(r"^\| ([a-z ]+) \| ", table, re.MULTILINE)

    assert sorted(named) == sorted(kind.replace("-", " ") for kind in GRAVITY)


def test_the_page_names_every_occasion_and_its_example_fits_into_an_inventory(tmp_path: Path):
    """Who copies it is told."""
    told = re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE)
    path = tmp_path / "inventory.yaml"
    path.write_text("\n".join([EXAMPLE.read_text(), *re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)]))
    found = load(path)

    assert told == list(get_args(Occasion))
    assert (found.watch.policy, found.notify[0].occasions) == ("observe", ("opened", "running", "late", "closed"))


def test_the_page_names_commands_that_there_are():
    """`quorate incident …` and `quorate watch …`."""
    known = {
        f"{app.info.name} {command.name or getattr(command.callback, '__name__', '')}"
        for app in (incident_app, watch_app)
        for command in app.registered_commands
    }
    named = set(re.findall(r"quorate ((?:incident|watch) \w+)", PAGE))

    assert named == known
