"""`quorate approve`, `reject`, `approvals`: what a person reads, signs and sends."""

import asyncio
import io
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest
from rich.console import Console

from cluster.approval import ApprovalPolicy, Terms, Veto, statement
from cluster.gate import Gate
from cluster.plan import Intent, whole_digest
from tests.failback.desk import Desk
from tests.workers.test_cli_runs import here, said
from workers.cli import approve as approve_commands
from workers.cli import steer
from workers.cli.answered import answered
from workers.cli.approve import sheet
from workers.errors import Unusable
from workers.temporal.embedded import TemporalServer
from workflows.asking import of_gate, of_question
from workflows.ballot import GateView
from workflows.page import Question

COMFORT = Veto(name="stays-vm-301", text="vm:301 has no room at home")


@pytest.fixture
def ben(desk: Desk, tmp_path: Path, temporal: TemporalServer):  # a command of ben's
    """Ben's terminal, with his key in a file."""
    key = tmp_path / "id_ben"
    key.write_bytes(desk.people["ben"].key.export_private_key())
    key.chmod(0o600)

    async def types(*arguments: str) -> CompletedProcess[str]:
        return await asyncio.to_thread(here, *arguments, TEMPORAL_ADDRESS=temporal.address)

    types.key = str(key)  # type: ignore[attr-defined]
    return types


async def test_the_plan_is_shown_signed_and_sent(desk: Desk, ben):
    """Changes, risk, vetoes, what is missing, the very text; then one yes of two."""
    run = await desk.run(vetoes=[COMFORT.model_dump()], changes=2)
    open_now = said(await ben("approvals"))
    assert f"{run.id}  Bring guests home" in open_now
    assert "0 of 2 approvals, until" in open_now

    text = said(await ben("approve", run.id, "--by", "ben", "--key", ben.key, "--waive", "stays-vm-301", "--yes"))
    shown = re.sub(r"[0-9a-f-]{16,36}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?", "…", text)
    for line in (
        "requested by ana)",
        "  → bring home vm:300",
        "  → bring home vm:301",
        "comfort veto stays-vm-301: vm:301 has no room at home (you waive it)",
        "so far: no approvals; 0 of 2 approvals",
        "  decision: approve",
        "  gate: 1 Bring guests home",
        "  waives: stays-vm-301",
        "  by: ben",
        "approve: 1 of 2 approvals",
    ):
        assert line in shown, shown
    assert "ben: approve: accepted" in said(await ben("approvals", run.id))


async def test_what_is_refused_is_told_with_its_remedy(desk: Desk, ben):
    """Exit status 1, one sentence; the record keeps it."""
    run = await desk.run(vetoes=[COMFORT.model_dump()])
    text = said(await ben("approve", run.id, "--by", "ben", "--key", ben.key, "--yes"), 1)
    assert (
        "veto stays-vm-301 (vm:301 has no room at home): waive it with `--waive stays-vm-301`, or reject the plan"
        in text
    )
    text = said(await ben("approve", run.id, "--by", "cleo", "--key", ben.key, "--yes", "--waive", "stays-vm-301"), 1)
    assert "belongs to ben, not to cleo" in text
    record = said(await ben("approvals", run.id))
    assert "ben: approve: refused, NotWaived" in record
    assert "cleo: approve: refused, UnknownKey" in record


async def test_a_signature_made_by_openssh_is_sent(desk: Desk, ben, tmp_path: Path):
    """What --print prints is what `ssh-keygen -Y sign` signs: the way of a hardware key."""
    run = await desk.run()
    done = await ben("approve", run.id, "--by", "ben", "--print")
    plan = tmp_path / "plan.txt"
    plan.write_text(done.stdout)
    assert done.stdout.startswith("Quorate approval, version 2\ndecision: approve\n")
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "quorate", "-f", ben.key, str(plan)]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=20)

    text = said(await ben("approve", run.id, "--by", "ben", "--signature", f"{plan}.sig", "--yes"))
    assert "approve: 1 of 2 approvals" in text


async def test_a_no_is_signed_as_well(desk: Desk, ben):
    """It ends the run, and its reason is kept."""
    run = await desk.run()
    reject = ("reject", run.id, "--by", "ben", "--key", ben.key, "--why", "wrong week", "--yes")
    assert "reject: rejected" in said(await ben(*reject))
    assert "ben: reject: accepted: wrong week" in said(await ben("approvals", run.id))
    assert "no gate is open" in said(await ben("approvals"))
    text = said(await ben("approve", run.id, "--by", "ben", "--key", ben.key, "--yes"), 2)
    assert "is not running" in text


async def test_without_a_terminal_nothing_is_signed_unasked(desk: Desk, ben):
    """A script is told which option means that it has read the plan."""
    run = await desk.run()
    text = said(await ben("approve", run.id, "--by", "ben", "--key", ben.key), 2)
    assert "  → bring home vm:300" in text
    assert "read the plan, then add --yes" in text
    assert await desk.audit(run) == []


async def test_the_status_of_a_run_that_asks_names_the_command(desk: Desk):
    """To approve; `answer` is for steps that have parked."""
    run = await desk.run()
    view = await desk.view(run)
    asked = [text.plain.strip() for text in answered(of_gate(run.id, view))]
    parked = [text.plain.strip() for text in answered(of_question("build it", PARKED))]

    assert asked[0] == f"Decide by {view.terms.until:%Y-%m-%d %H:%M} UTC: {view.terms.title}: 0 of 2 approvals."
    assert f"quorate approve {run.id}" in asked
    assert parked[0] == "Act now: Pod is served failed and waits for your answer."
    assert "quorate answer 'build it' retry" in parked


PARKED = Question(step="Pod is served", word="Refuted", message="it is not")


EVIL = "ana)\x1b[2J\x1b[H\x1b[1mBring home\x1b[0m  (failback/c, requested by ana)\n  → bring home vm:300\x1b[8m\u202e"


def view_of(planned: tuple[Intent, ...], **changed: object) -> GateView:
    """What a run would show of such a plan."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    terms = Terms(
        cluster="c", run="failback/c", run_id="1", number=1, title="Bring home", requester="ana",
        plan=whole_digest("failback/c", planned), opened=now, until=now + timedelta(hours=1), valid=timedelta(hours=24),
    )  # fmt: skip
    terms = terms.model_copy(update=changed)
    return GateView.of(Gate(terms=terms, policy=ApprovalPolicy(), subject="failback/c", planned=planned))


def moves(number: int, detail: str = "") -> tuple[Intent, ...]:
    return tuple(
        Intent(where="HA", what="bring home", target=f"vm:{n}", detail=detail) for n in range(100, 100 + number)
    )


@pytest.mark.parametrize("field", ["requester", "risk", "title", "run", "cluster", "run_id"])
def test_nothing_that_was_typed_moves_the_cursor_of_an_approver(field: str):
    """Whichever console prints the sheet: escapes are written out, and no text begins a line of its own."""
    view = view_of(moves(1, EVIL), **{field: EVIL}, conditions=(EVIL,), vetoes=(Veto(name="x", text=EVIL),))
    screen = io.StringIO()
    lines = sheet(view, statement(view.terms, EVIL, why=EVIL))
    for line in lines:
        Console(file=screen, force_terminal=True, highlight=False, color_system=None).print(line, soft_wrap=True)
    text = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert not {one for one in text if not one.isprintable()} - {"\n"}
    assert text.count("\n") == len(lines)
    assert "\\x1b[2J" in text


def test_every_change_is_shown_before_it_is_signed():
    """Three hundred are three hundred lines, and their number is said."""
    view = view_of(moves(300))
    text = "\n".join(sheet(view, statement(view.terms, "ben")))
    assert all(f"bring home vm:{n}" in text for n in range(100, 400))
    assert "300 changes in all" in text


def test_what_is_shown_is_what_is_signed():
    """Both digests are made anew from the view."""
    assert view_of(moves(3)).mismatch == ""


@pytest.mark.parametrize(
    "terms",
    [{"risk": "none"}, {"requester": "dora"}, {"conditions": ("x",)}, {"until": datetime(2026, 3, 1, tzinfo=UTC)}],
    ids=lambda terms: next(iter(terms)),
)
def test_a_word_of_the_terms_more_does_not_fit(terms: dict[str, object]):
    """A condition, a word of the risk, another time."""
    view = view_of(moves(3))
    other = view.model_copy(update={"terms": view.terms.model_copy(update=terms)})

    assert other.mismatch == "the digest to be signed is not that of the terms that are shown"


@pytest.mark.parametrize(
    "shown",
    [{"planned": moves(2)}, {"planned": moves(4)}, {"subject": "failback/d"}, {"subject": ""}],
    ids=["one less", "one more", "of another run", "of none"],
)
def test_a_change_more_does_not_fit(shown: dict[str, object]):
    """One change more or less, or those of another run."""
    other = view_of(moves(3)).model_copy(update=shown)

    assert other.mismatch == "the digest to be signed is not that of the changes that are shown"


@pytest.mark.parametrize(
    ("view", "why"),
    [
        (
            view_of(moves(3)).model_copy(update={"planned": moves(2)}),
            "is not that of the changes that are shown",
        ),
        (view_of(moves(3), run="failback/d"), "it is the gate of failback/d"),
    ],
    ids=["other changes", "another run"],
)
async def test_a_view_that_does_not_fit_is_not_signed(monkeypatch: pytest.MonkeyPatch, view: GateView, why: str):
    """Whoever answers for the run: nothing is printed to be signed, nothing is sent."""

    async def found(*_: object) -> object:
        return SimpleNamespace(id="failback/c")

    async def asked(*_: object) -> object:
        return view.model_dump(mode="json")

    monkeypatch.setattr(steer, "found", found)
    monkeypatch.setattr(approve_commands, "_asked", asked)
    with pytest.raises(Unusable, match=why):
        await approve_commands._gate(None, "failback/c")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("approve", "no/such"), "there is no run 'no/such'"),
        (("approvals", "no/such"), "there is no run 'no/such'"),
    ],
)
async def test_what_is_not_there_is_told(ben, arguments: tuple[str, ...], words: str):
    """No trace of a stack."""
    assert words in said(await ben(*arguments), 2)


async def test_a_key_that_cannot_sign_is_told(desk: Desk, ben, tmp_path: Path):
    """Missing, or no key at all."""
    run = await desk.run()
    text = said(await ben("approve", run.id, "--by", "ben", "--key", str(tmp_path / "none"), "--yes"), 2)
    assert "cannot be read: No such file or directory" in text
    (tmp_path / "odd").write_text("not a key")
    text = said(await ben("approve", run.id, "--by", "ben", "--key", str(tmp_path / "odd"), "--yes"), 2)
    assert "cannot sign" in text
