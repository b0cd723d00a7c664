"""What a gate decided is computed anew from the votes and proofs on record: a planted decision is named."""

import json
from collections.abc import Callable
from typing import Any

from cluster.approval import Veto
from cluster.audit.explain import explained
from cluster.audit.explained import Explained
from cluster.audit.line import Line, chained, read
from tests.audit.explaining import TODAY, agrees, recorded
from tests.failback.desk import Desk
from tests.failback.people import refused

COMFORT = Veto(name="stays-vm-301", text="vm:301 has no room at home")
Plants = Callable[[list[dict[str, Any]]], None]


def planted(lines: list[Line], plants: Plants) -> list[Explained]:
    """What is found wrong in the record once somebody has edited it and made its chain anew."""
    said = [json.loads(line.canonical) for line in lines]
    plants([one["data"] for one in said])
    edited = [read(one.canonical) for one in chained(Line.model_validate(one) for one in said)]
    return [one for one in explained(edited, TODAY) if one.found != "right"]


def votes(data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of votes, in order."""
    return [one for one in data if one.get("message") in ("approve", "reject")]


def checks(data: list[dict[str, Any]], purpose: str) -> list[dict[str, Any]]:
    """The checks of votes for that purpose, in order."""
    found = [one for one in data if one.get("activity") == "people.verify" and one["asked"]["asked"] is not None]
    return [one for one in found if one["asked"]["asked"]["purpose"] == purpose]


def taken(vote: dict[str, Any], answer: str) -> None:
    """The vote was counted, says the record now."""
    for gone in ("word", "sentence"):
        vote.pop(gone, None)
    vote |= {"taken": True, "answer": answer}


def a_refused_vote_was_counted(data: list[dict[str, Any]]) -> None:
    """Ana's own approval."""
    taken(votes(data)[1], "approve: approved")


def an_unread_vote_was_counted(data: list[dict[str, Any]]) -> None:
    """A text that nobody could have signed."""
    taken(votes(data)[2], "approve: approved")


def a_counted_vote_was_refused(data: list[dict[str, Any]]) -> None:
    """Ben's."""
    vote = votes(data)[0]
    vote.pop("answer")
    vote |= {"taken": False, "word": "Late", "sentence": "votes were taken until yesterday"}


def a_bad_signature_was_called_good(data: list[dict[str, Any]]) -> None:
    """Cleo's was refused as it came, and let through by the record of the check that opened the gate."""
    bad = {"kind": "bad", "word": "RevokedKey", "sentence": "the key of cleo was revoked", "fingerprint": ""}
    checks(data, "vote")[-1]["evidence"]["proofs"] = [bad]


def one_approval_was_enough(data: list[dict[str, Any]]) -> None:
    """The policy asks for three now."""
    for purpose in ("vote", "opening"):
        for check in checks(data, purpose):
            check["asked"]["asked"]["policy"]["needed"] = 3


def another_report(data: list[dict[str, Any]]) -> None:
    """The report leaves out who was refused."""
    report = data[-1]["report"]
    report["approvals"] = [one for one in report["approvals"] if one["accepted"]]


def another_approval(data: list[dict[str, Any]]) -> None:
    """The report names other changes than those of the gate."""
    data[-1]["report"]["approval"]["planned"] = []


PLANTED: list[tuple[Plants, str, str]] = [
    (
        a_refused_vote_was_counted, "approve by ana: counted (approve: approved)",
        "WRONG: it should have been refused, SelfApproval: ana requested this run: another approver has to approve it",
    ),
    (
        an_unread_vote_was_counted, "approve by ben: counted (approve: approved)",
        "WRONG: it should have been refused, Tampered: it differs from the text that this gate asks to sign: use "
        "`quorate approve --print`",
    ),
    (
        a_counted_vote_was_refused, "approve by ben: refused, Late: votes were taken until yesterday",
        "WRONG: it should have been counted (approve: 1 of 2 approvals)",
    ),
    (
        a_bad_signature_was_called_good, "gate 1 Bring guests home: stays closed: 1 of 2 approvals",
        "WRONG: ben, cleo were counted; it should have been ben",
    ),
    (
        one_approval_was_enough, "gate 1 Bring guests home: stays closed: 2 of 3 approvals",
        "WRONG: the votes were not enough to open it: 2 of 3 approvals",
    ),
    (
        another_report, "report: 2 lines on votes",
        "WRONG: the report leaves out ana: approve",
    ),
    (
        another_approval, "report: 4 lines on votes",
        "WRONG: the report's approval is not the one that the gate has given",
    ),
]  # fmt: skip


async def test_a_planted_decision_on_votes_is_named(desk: Desk):
    """One run, its record edited in seven ways, each time with a chain that holds."""
    run = await desk.run(vetoes=[COMFORT.model_dump()])
    await desk.people["ben"].says(run, waives=(COMFORT.name,))
    own = desk.people["ana"].signs((await desk.said(run, "ana")).text)
    assert (await refused(run, "approve", own))[0] == "SelfApproval"
    added = desk.people["ben"].signs((await desk.said(run, "ben")).text + "and all the others\n")
    assert (await refused(run, "approve", added))[0] == "Tampered"
    await desk.people["cleo"].says(run, waives=(COMFORT.name,))
    await run.result()

    assert [one.kind for one in await agrees(run)] == ["vote", "vote", "vote", "gate", "vote", "gate"]
    lines = await recorded(run)
    assert planted(lines, lambda data: None) == []
    for plants, what, conclusion in PLANTED:
        found = {one.what: one.conclusion for one in planted(lines, plants)}
        assert found.get(what) == conclusion, (plants.__name__, found)


async def test_what_a_vote_was_measured_by_is_told(desk: Desk):
    """The gate and its terms, who counted before, and what became of looking at the signature."""
    run = await desk.run()
    await desk.people["ben"].says(run)
    view = await desk.view(run)
    found = (await agrees(run))[0]

    assert found.what == "approve by ben: counted (approve: 1 of 2 approvals)"
    assert found.seen == (
        f"gate 1 Bring guests home, plan {view.terms.plan[:16]}, terms {view.digest[:16]}, until "
        f"{view.terms.until:%Y-%m-%d %H:%M:%S} UTC, 2 needed",
        "counted before: none",
        f"ben: good signature by {desk.people['ben'].key.get_fingerprint()}",
    )
    assert found.rules == TODAY.gate


async def test_an_earlier_versions_votes_are_not_called_right(desk: Desk):
    """Its checks did not say what they were for."""
    run = await desk.run()
    await desk.people["ben"].says(run)
    lines = await recorded(run)

    def earlier(data: list[dict[str, Any]]) -> None:
        for check in checks(data, "vote"):
            check["asked"].pop("asked")

    [found] = planted(lines, earlier)
    assert found.conclusion == (
        "not known whether it was right: an earlier version of Quorate recorded it without the facts"
    )
