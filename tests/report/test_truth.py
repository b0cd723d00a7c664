"""A report says what its record says: of runs that ended early, were reset, or went otherwise than planned."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cluster.audit.line import Line, chained
from cluster.report.compose import report
from cluster.report.model import Report
from cluster.report.reading import read
from tests.report.recorded import later, lines, told
from workers.report.lists import changes

LOSS = "0.2/site-loss-followed"


def ended(name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Report:
    """The report of that run, had it ended otherwise."""
    *known, last = lines(name)
    return report(read(list(chained([*known, last.model_copy(update={"data": change(last.data)})]))))


def value(made: Report, figure: str) -> str:
    return next(one.value for one in made.figures if one.name == figure)


def test_a_run_that_was_aborted_tells_the_changes_that_it_has_made():
    """Also those of the step that failed: they stay, and its own last words count them."""
    made = report(told("0.2/deploy-parked-aborted"))

    assert value(made, "Changes made") == "30"
    assert made.sentences[2] == "It has left no report; its steps tell of 30 changes."
    assert "30 changes were made and stay." in made.sentences[4]


def test_what_a_failed_attempt_has_changed_is_not_called_planned_only():
    """The attempt after it found those made."""
    made = report(told("0.2/deploy-retried"))

    assert [one for _, group in changes(made) for one in group if not one.made] == []
    assert len(made.made) == 109


def test_a_skipped_step_is_told_first():
    """It is not done as planned."""
    made = report(told("0.2/deploy-skipped"))

    assert made.outcome == "done, 1 step skipped"
    assert made.tone == "odd"
    assert made.sentences[4] == (
        "It came to its end; nothing is outstanding; 1 step was skipped, so not everything is as planned."
    )


def test_a_loss_whose_run_was_terminated_tells_what_it_had_disabled():
    """It has left no report, and nobody has restored that."""
    made = ended(LOSS, lambda _: {"how": "terminated", "reason": "by hand", "open": []})

    assert made.sentences[3].startswith(
        "Proxmox HA fenced pxmx01-02 and pxmx01-03 and restarted the guests; "
        "Quorate disabled 1 automatic move (vm:301 failback) and changed nothing else; "
    )
    assert made.sentences[4].endswith("the run ended early: terminated; what is outstanding is not known.")


def test_a_guest_that_ran_for_a_moment_only_does_not_stay_anywhere():
    """The report of the run has the last word."""

    def not_back(data: dict[str, Any]) -> dict[str, Any]:
        known = data["report"]
        known["not_back"] = {"vm:300": "its volume is open elsewhere"}
        known["timeline"]["running"].pop("vm:300")
        known["outages"] = [one | ({"until": None} if one["sid"] == "vm:300" else {}) for one in known["outages"]]
        known["back"] = [one for one in known["back"] if one["sid"] != "vm:300"]
        return data

    made = ended(LOSS, not_back)

    assert made.sentences[2].startswith("1 of 2 guests under HA was restarted at site-b, ")
    assert made.sentences[2].endswith("Not back: vm:300.")
    assert "restarted 1 of 2 guests; " in made.sentences[3]
    assert "; 1 of 2 guests stays at site-b until people decide; " in made.sentences[4]


def test_one_guest_is_not_several():
    """In every sentence."""
    made = report(told("0.2/node-loss-followed"))

    assert made.sentences[3].startswith("Proxmox HA fenced pxmx01-01 and restarted the guest; ")


def test_an_emergency_procedure_needs_two_people_whatever_the_inventory_says():
    """Its inventory asks for one."""
    assert report(told("0.2/cold-start")).needed == "2 approvals are needed, signed and not by ana."


def test_who_speaks_to_the_ledger_is_told_by_its_name():
    """Runs do, and they are no persons."""
    made = report(told("0.2/ledger"))

    assert made.sentences[0] == (
        "The ledger on cluster pxmx-cluster was started on 28 November 2026; by whom is not known."
    )
    assert made.sentences[3] == (
        "The run was steered by Failback/0b628a54, Failback/9b2a673a, EvacuateSite/33c3330b and ReturnSite/dd9721f2."
    )


def test_an_incident_of_days_ends_on_a_day():
    """The time of day alone would be that of the first."""
    *known, last = lines("0.2/incident-explained")
    (moved,) = later([last], timedelta(days=9))
    made = report(read(list(chained([*known, moved]))))

    assert "and the incident ended at 2026-12-07 00:52:00 UTC, after " in made.sentences[1]


def test_a_run_that_was_reset_after_its_end_goes_on():
    """Its newest line is no end."""
    known = lines("0.2/deploy-apply")
    again = [one.model_copy(update={"execution": "another"}) for one in known[:6]]

    made = report(read(list[Line](chained([*known, *again]))))

    assert (made.outcome, made.ended) == ("goes on", None)
