"""Every vote that must not count is refused, leaves one line, and leaves the gate closed."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncssh
import pytest
from temporalio.client import WorkflowFailureError

from cluster.approval import Veto
from tests.audit.explaining import agrees
from tests.failback.asking import AskingReport
from tests.failback.desk import Desk
from tests.failback.people import Run, refused

COMFORT = Veto(name="stays-vm-301", text="vm:301 has no room at home")
SAFETY = Veto(name="resync", text="the pod is resyncing", safety=True)


Case = Callable[[Desk], Awaitable[tuple[Run, str, dict[str, Any]]]]


async def early(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    other = await desk.run()
    run = await desk.run(opened=False)
    return run, "Early", desk.people["ben"].signs((await desk.said(other, "ben")).text)


async def late(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run(lingers=True)
    ballot = desk.people["ana"].signs((await desk.said(run, "ana")).text)
    await desk.people["ben"].says(run)
    await desk.people["cleo"].says(run)
    return run, "Late", ballot


async def duplicate(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    await desk.people["ben"].says(run)
    return run, "Duplicate", desk.people["ben"].signs((await desk.said(run, "ben")).text)


async def one_key_for_two(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    ben = desk.people["ben"]
    await ben.says(run)
    desk.write_list(ben.line.replace("ben", "twin-of-ben", 1))
    return run, "Duplicate", ben.signs((await desk.said(run, "twin-of-ben")).text)


async def replayed(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    other = await desk.run()
    run = await desk.run()
    return run, "Replayed", desk.people["ben"].signs((await desk.said(other, "ben")).text)


async def another_gate(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "Replayed", desk.people["ben"].signs((await desk.said(run, "ben", gate="2 Bring guests home")).text)


async def wrong_digest(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "OtherPlan", desk.people["ben"].signs((await desk.said(run, "ben", digest="0" * 16)).text)


async def plan_changed(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    smaller, run = await desk.run(), await desk.run(changes=2)
    old = (await desk.view(smaller)).digest
    return run, "OtherPlan", desk.people["ben"].signs((await desk.said(run, "ben", digest=old)).text)


async def self_approval(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "SelfApproval", desk.people["ana"].signs((await desk.said(run, "ana")).text)


async def alias_of_the_requester(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    ana = desk.people["ana"]
    desk.write_list(ana.line.replace("ana", "ana,ana@example.com", 1))
    run = await desk.run()
    return run, "SelfApproval", ana.signs((await desk.said(run, "ana@example.com")).text)


async def another_name_of_the_requesters_key(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    ana = desk.people["ana"]
    desk.write_list(ana.line.replace("ana", "operator", 1))
    run = await desk.run()
    return run, "SelfApproval", ana.signs((await desk.said(run, "operator")).text)


async def another_key_of_a_voter(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    dora = desk.people["dora"]
    desk.write_list(dora.line.replace("dora", "ben,dora", 1))
    run = await desk.run()
    await desk.people["ben"].says(run)
    return run, "Duplicate", dora.signs((await desk.said(run, "dora")).text)


async def other_requester(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "Tampered", desk.people["ben"].signs((await desk.said(run, "ben", requester="dora")).text)


async def longer_life(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "Tampered", desk.people["ben"].signs((await desk.said(run, "ben", valid="9000 h")).text)


async def a_text_of_version_1(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    text = (await desk.said(run, "ben")).text.replace("version 2", "version 1")
    return run, "Tampered", desk.people["ben"].signs(text)


async def a_line_in_a_name(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    text = (await desk.said(run, "ben")).text.replace("by: ben", "by: ana\nby: ben")
    return run, "Tampered", desk.people["ben"].signs(text)


async def list_away(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    ballot = desk.people["ben"].signs((await desk.said(run, "ben")).text)
    (desk.folder / "allowed_signers").unlink()
    return run, "Unchecked", ballot


async def unknown_person(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "Unknown", desk.people["dora"].signs((await desk.said(run, "dora")).text)


async def unknown_key(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "UnknownKey", desk.people["dora"].signs((await desk.said(run, "ben")).text)


async def somebody_elses_key(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "UnknownKey", desk.people["cleo"].signs((await desk.said(run, "ben")).text)


async def revoked_key(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    (desk.folder / "revoked").write_text(desk.people["ben"].key.export_public_key().decode())
    return run, "RevokedKey", desk.people["ben"].signs((await desk.said(run, "ben")).text)


async def expired_key(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    dora = desk.people["dora"]
    over = f"{datetime.now(UTC) - timedelta(days=1):%Y%m%d}"
    desk.write_list(dora.line.replace('namespaces="quorate"', f'namespaces="quorate",valid-before="{over}"'))
    run = await desk.run()
    return run, "ExpiredKey", dora.signs((await desk.said(run, "dora")).text)


async def wrong_namespace(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    text = (await desk.said(run, "ben")).text
    signature = asyncssh.create_sshsig(desk.people["ben"].key, text.encode(), namespace="git").decode()
    return run, "WrongNamespace", {"text": text, "signature": signature}


async def tampered_text(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run(vetoes=[COMFORT.model_dump()])
    plain = await desk.said(run, "ben", waives=())
    ballot = desk.people["ben"].signs(plain.text)
    return run, "Tampered", ballot | {"text": plain.model_copy(update={"waives": (COMFORT.name,)}).text}


async def words_added(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "Tampered", desk.people["ben"].signs((await desk.said(run, "ben")).text + "and all the others\n")


async def later_until(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "Tampered", desk.people["ben"].signs((await desk.said(run, "ben", until="2099-01-01T00:00:00Z")).text)


async def a_no_as_a_yes(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "Tampered", desk.people["ben"].signs((await desk.said(run, "ben", decision="reject")).text)


async def no_signature(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "NoSignature", {"text": (await desk.said(run, "ben")).text, "signature": "yes, really"}


async def unsigned(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "Unsigned", {"by": "ben", "plan": (await desk.view(run)).digest}


async def nothing_at_all(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    return await desk.run(), "Unsigned", {}


async def safety_waived(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run(vetoes=[SAFETY.model_dump()])
    return run, "SafetyVeto", desk.people["ben"].signs((await desk.said(run, "ben", waives=(SAFETY.name,))).text)


async def safety_ignored(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run(vetoes=[SAFETY.model_dump()])
    return run, "SafetyVeto", desk.people["ben"].signs((await desk.said(run, "ben")).text)


async def comfort_ignored(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run(vetoes=[COMFORT.model_dump()])
    return run, "NotWaived", desk.people["ben"].signs((await desk.said(run, "ben", waives=())).text)


async def no_such_veto(desk: Desk) -> tuple[Run, str, dict[str, Any]]:
    run = await desk.run()
    return run, "NoSuchVeto", desk.people["ben"].signs((await desk.said(run, "ben", waives=("rain",))).text)


CASES: tuple[Case, ...] = (
    early, late, duplicate, one_key_for_two, replayed, another_gate, wrong_digest, plan_changed, self_approval,
    alias_of_the_requester, another_name_of_the_requesters_key, another_key_of_a_voter, other_requester, longer_life,
    a_text_of_version_1, a_line_in_a_name, list_away, unknown_person, unknown_key, somebody_elses_key, revoked_key,
    expired_key, wrong_namespace, tampered_text, words_added, later_until, a_no_as_a_yes, no_signature, unsigned,
    nothing_at_all, safety_waived, safety_ignored, comfort_ignored, no_such_veto,
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.__name__ for case in CASES])
async def test_a_vote_that_must_not_count_is_refused_and_kept(desk: Desk, case: Case):
    """One word, one line, and the gate stays as it is."""
    run, word, ballot = await case(desk)
    was, before = await run.query("gate"), len(await desk.audit(run))

    said = await refused(run, "approve", ballot)

    print(f"{case.__name__.replace('_', ' '):<36} {word:<15} {said[1]}")
    lines = (await desk.audit(run))[before:]
    assert said[0] == word, said
    assert [(line.accepted, line.word) for line in lines] == [(False, word)]
    assert await run.query("gate") == was
    found = await agrees(run)
    assert f": refused, {word}: {said[1]}" in found[-1].what


async def test_one_no_ends_the_run(desk: Desk):
    """Silence is no yes, and a no is a no."""
    run = await desk.run()
    assert await desk.people["ben"].says(run, "reject") == "reject: rejected"
    with pytest.raises(WorkflowFailureError) as ended:
        await run.result()
    assert str(ended.value.cause) == "Aborted: aborted by ben: rejected the plan (signed). Nothing was changed."
    assert [str(line)[20:] for line in await desk.audit(run)] == ["ben: reject: accepted"]
    assert "| ✗ | Bring guests home | 0.0\u00a0ms | rejected by ben: rejected the plan (signed) |" in re.sub(
        r"\| [\d.]+.(ms|s) \|", "| 0.0\u00a0ms |", await run.query("page")
    )
    assert [one.kind for one in await agrees(run)] == ["vote"]


async def test_two_approvals_open_the_gate_and_are_in_the_report(desk: Desk):
    """Waived by name, signed, checked anew when it opens."""
    run = await desk.run(vetoes=[COMFORT.model_dump()])
    await desk.people["ben"].says(run, waives=(COMFORT.name,))
    await desk.people["cleo"].says(run, waives=(COMFORT.name,))

    report = AskingReport.model_validate(await run.result())
    assert [vote.said.by for vote in report.approval.votes] == ["ben", "cleo"]
    assert [line.accepted for line in report.approvals] == [True, True]
    assert report.approval.terms.requester == "ana"
    assert [one.kind for one in await agrees(run)] == ["vote", "gate", "vote", "gate"]


async def test_a_revoked_approvers_yes_counts_no_longer(desk: Desk):
    """Ben has approved and leaves the company before Cleo says hers."""
    run = await desk.run()
    await desk.people["ben"].says(run)
    desk.listed = [desk.people[name] for name in ("ana", "cleo", "dora")]
    desk.write_list()

    assert await desk.people["cleo"].says(run) == "approve: 1 of 2 approvals"
    assert await desk.people["dora"].says(run) == "approve: approved"
    report = AskingReport.model_validate(await run.result())
    assert [vote.said.by for vote in report.approval.votes] == ["cleo", "dora"]
    assert [(line.by, line.accepted, line.word) for line in report.approvals] == [
        ("ben", True, ""), ("cleo", True, ""), ("ben", False, "Unknown"), ("dora", True, ""),
    ]  # fmt: skip
    assert [one.kind for one in await agrees(run)] == ["vote", "gate", "vote", "gate", "vote", "gate"]
