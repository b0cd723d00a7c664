"""The founding article's own test: the hosts of a site lose their power, its array goes on."""

from runbooks.loss import SiteLossReport
from tests.incidents.conftest import Site, Watched, ended
from tests.runs import steps, until

HOSTS = ("pxmx01-01", "pxmx01-02", "pxmx01-03")


async def test_hosts_that_lose_their_power_are_the_loss_of_their_site(site: Site, watched: Watched):
    """With Proxmox VE's default `failback 1` and a rule, nobody goes home when the hosts are back."""
    ha = site.world.cluster.ha
    rule = {"rule": "prefer-a", "type": "node-affinity", "resources": "vm:300,vm:301", "nodes": ",".join(HOSTS)}
    ha.rules["prefer-a"] = rule
    for sid in ("vm:300", "vm:301"):
        ha.resources[sid]["failback"] = 1
    for node in HOSTS:
        site.fail("node", node)

    run = await watched.loss()
    assert run.id.startswith("site-loss/pxmx-cluster/site-a/")
    await until(run, lambda found: any(step.title == "site-a is back" for step in found), "the guests", 60)
    assert {sid: ha.resources[sid]["failback"] for sid in ("vm:300", "vm:301")} == {"vm:300": 0, "vm:301": 0}
    assert any("X90R3-SiteA" in step.finding for step in await steps(run) if step.title == "Evidence")
    for node in HOSTS:
        site.restore("node", node)
    await ended(run)

    report = SiteLossReport.model_validate(await run.result())
    assert report.homes == {"vm:300": "pxmx01-01", "vm:301": "pxmx01-02"}
    assert set(report.timeline.fenced) == {"pxmx01-01", "pxmx01-02"}
    assert set(report.outstanding) == {"vm:300 failback 1", "vm:301 failback 1"}
    guests = site.world.cluster.guests.values()
    assert all(guest.node.startswith("pxmx02") for guest in guests if guest.running)
    assert not [line for line in site.change_lines() if "guest.migrate" in line]
