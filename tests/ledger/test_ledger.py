"""Switches have one owner: whatever happens to the runs that turned them off, each is back as it was, or listed."""

from tests.ledger.conftest import SWITCHES, Office, Switched

OFF = {"vm:300", "vm:301", "crs"}


async def test_what_a_run_disables_is_back_when_it_ends(site: Switched, office: Office):
    """Every switch goes back to what it was, other options of the same field untouched."""
    run = await office.holds()
    assert site.off == OFF
    assert {str(entry.switch) for entry in (await office.book()).switches} == set(SWITCHES)
    report = await office.lets_go(run)
    assert set(report["restored"]) == set(SWITCHES)
    assert report["outstanding"] == {}
    assert site.off == set()
    assert site.crs == "ha=static,ha-auto-rebalance=1"
    assert (await office.book()).switches == ()


async def test_two_runs_share_a_switch_and_the_last_one_brings_it_back(site: Switched, office: Office):
    """The first to end leaves everything off, because the other one needs it; the old value is the first taker's."""
    first = await office.holds()
    second = await office.holds()
    report = await office.lets_go(first)
    assert report["restored"] == []
    assert set(report["outstanding"]) == set(SWITCHES)
    assert all(f"{second.id} needs it off" in why for why in report["outstanding"].values())
    assert site.off == OFF
    report = await office.lets_go(second)
    assert set(report["restored"]) == set(SWITCHES)
    assert site.off == set()
