"""`quorate approve`, `reject`, `approvals`: what a person reads, signs and sends."""

import asyncio
import re
import subprocess
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from cluster.approval import Veto
from tests.failback.desk import Desk
from tests.test_cli_runs import here, said
from workers.embedded import TemporalServer

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
        "asked for by ana)",
        "  + bring home vm:300",
        "  + bring home vm:301",
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
    assert "stays-vm-301 stands (vm:301 has no room at home): waive it by name, or reject the plan" in text
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
    """It ends the run."""
    run = await desk.run()
    assert "reject: rejected" in said(await ben("reject", run.id, "--by", "ben", "--key", ben.key, "--yes"))
    assert "no gate is open" in said(await ben("approvals"))
    text = said(await ben("approve", run.id, "--by", "ben", "--key", ben.key, "--yes"), 2)
    assert "is not running" in text


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
