"""The five sentences, as a manager reads them, for runs that were recorded."""

import pytest

from cluster.report.compose import belongs, report
from cluster.report.model import Report
from cluster.report.reading import read
from tests.report.recorded import DAY_AFTER, later, lines, told, until


def said(name: str, *beside: str) -> tuple[str, ...]:
    return report(told(name), [told(one) for one in beside]).sentences


def test_a_site_that_was_lost():
    """What happened, when, what it meant for guests, who acted, how it stands."""
    assert said("0.2/site-loss-followed", "0.2/watch-of-both") == (
        "On 28 November 2026 at 00:52:22 UTC, or up to 13 s later, the cluster pxmx-cluster lost all 3 hosts of site "
        "site-a. The site's storage array was gone as well.",
        "Quorate saw the first sign 13 s after the last sign of life, and after 23 s, at 00:52:24 UTC, several sources "
        "agreed on the loss: site-b was quorate without it.",
        "Both guests under HA were restarted at site-b, each after at most 3 min 19 s of downtime; that is within the "
        "forecast of 3 min 38 s.",
        "Proxmox HA fenced pxmx01-02 and pxmx01-03 and restarted the guests; Quorate disabled 1 automatic move (vm:301 "
        "failback) and changed nothing else; no person had to act during the incident.",
        "Site site-a was back 3 min 44 s after the loss and passed 10 checks; both guests stay at site-b until people "
        "decide; 1 switch is not restored: vm:301 failback 1.",
    )


def test_a_node_that_was_lost():
    """Only its own guest is counted, and names are spelt as the devices spell them."""
    assert said("0.2/node-loss-followed")[2:] == (
        "The guest under HA was restarted, after at most 3 min 11 s of downtime; that is within the forecast of "
        "3 min 38 s.",
        "Proxmox HA fenced pxmx01-01 and restarted the guest; Quorate watched and changed nothing; no person had to "
        "act during the incident.",
        "Node pxmx01-01 was back 3 min 34 s after the loss and passed 10 checks; nothing is outstanding.",
    )


def test_a_way_home_that_people_signed():
    """Who asked, who approved with a key, and that one approval was taken back on the way."""
    assert said("0.2/failback-signed") == (
        "On 28 November 2026 ana asked for the guests of site-b to be brought home on cluster pxmx-cluster.",
        "The run began at 00:52:53 UTC and ended at 00:53:07 UTC, after 9 min 29 s of the cluster's time.",
        "Both guests moved live, with less than 1 s seen down.",
        "The plan was approved by ben and cleo, signed with their keys; 1 vote was a no, withdrawn or refused.",
        "It came to its end; nothing is outstanding.",
    )


def test_a_way_home_that_was_refused():
    """No yes is invented, and nothing moved."""
    assert said("0.2/failback-rejected")[2:] == (
        "No guest was moved.",
        "The plan has no approval on record; 1 vote was a no, withdrawn or refused.",
        "It ended early (Aborted): aborted by ben: rejected the plan (signed). Nothing was changed. No guest was "
        "moved.",
    )


def test_a_deployment():
    """Who started it is not known, and it says so."""
    assert said("0.2/deploy-apply") == (
        "The deployment of the stretched cluster on cluster pxmx-cluster was started on 28 November 2026, to make its "
        "changes; by whom is not known.",
        "The run began at 00:51:20 UTC and ended at 00:51:24 UTC, after 4 s.",
        "It made 109 changes and proved every layer at the end.",
        "No person had to act on the run.",
        "It came to its end; nothing is outstanding.",
    )


def test_an_incident_that_was_explained():
    """The evidence behind the verdict, and that nothing was changed."""
    assert said("0.2/incident-explained") == (
        "On 28 November 2026 the cluster pxmx-cluster was not as designed: witness lost (qdevice). The evidence: "
        "pxmx01-01, pxmx01-02, pxmx01-03, pxmx02-01, pxmx02-02, pxmx02-03 count 6 votes, none of the quorum device.",
        "The verdict was reached at 00:51:53 UTC, and the incident ended at 00:52:00 UTC, after 1 min 5 s of the "
        "cluster's time.",
        "This record holds no outage of a guest.",
        "Quorate explained what was so and changed nothing; no person acted on the run.",
        "The cluster was healthy at the end; nothing is outstanding.",
    )


def test_a_loss_whose_guests_went_home_the_day_after():
    """The report of the loss tells of the way home that followed it, of who agreed, and of what it restored."""
    loss = told("0.2/site-loss-followed")
    home = read(later(lines("0.2/failback-signed"), DAY_AFTER, incident=loss.run))
    made = report(loss, [home])

    assert belongs(loss, home)
    assert made.sentences[-1] == (
        "Site site-a was back 3 min 44 s after the loss and passed 10 checks; 2 guests were brought home, approved by "
        "ben and cleo; nothing is outstanding."
    )
    assert made.outstanding == ()
    assert [source.run for source in made.sources] == [loss.run, home.run]


def test_a_way_home_that_names_another_incident_is_not_part_of_it():
    """Nor is one that names none."""
    loss, home = told("0.2/site-loss-followed"), lines("0.2/failback-signed")

    assert not belongs(loss, read(home))
    assert not belongs(loss, read(later(home, DAY_AFTER, incident="site-loss/pxmx-cluster/site-a/another")))


@pytest.mark.parametrize("count", range(1, 39))
def test_a_report_of_an_open_incident_is_made_at_any_time(count: int):
    """Whatever is not on record yet is not told as done."""
    made: Report = report(until("0.2/site-loss-followed", count))

    assert len(made.sentences) == 5
    assert "the incident is open" in made.sentences[-1]
    assert made.ended is None
    assert not made.rests_known


def test_an_open_incident_tells_what_is_known_so_far():
    """The forecast is computed anew from what the watch remembered; who is not back is not called back."""
    made = report(until("0.2/site-loss-followed", 10))

    assert made.sentences[2:] == (
        "None of 2 guests under HA that ran there runs again.",
        "Quorate watched and changed nothing; no person had to act during the incident.",
        "Site site-a was not back when this was written; the incident is open; what is outstanding is not known.",
    )
    assert [phase.latest for phase in made.phases] == [14.0, 203.0, 218.0]
    assert [phase.measured for phase in made.phases[1:]] == [None, None]


@pytest.mark.parametrize(
    "name",
    ["cold-start", "cold-start-refused", "deploy-aborted", "deploy-cancelled", "deploy-plan", "deploy-refused",
     "evacuate-site", "hand-over-quorum", "reconcile-arrays", "restore-sessions", "return-site", "revive-guests"],
)  # fmt: skip
def test_every_runbook_has_a_report(name: str):
    """Five sentences that end as sentences do, without a hole where something is not known."""
    for sentence in report(told(f"0.2/{name}")).sentences:
        assert sentence[0].isupper()
        assert sentence.rstrip("…")[-1] in ".:", sentence
        assert "  " not in sentence
        assert "None" not in sentence.split()


def test_a_report_of_a_run_of_version_0_1_is_made():
    """Activities had other names then, and reports fewer fields."""
    made = report(told("0.1/site-loss-followed"))

    assert made.figures[0].value == "2 of 2"
    assert [phase.said for phase in made.phases[1:]] != ["not known", "not known"]
