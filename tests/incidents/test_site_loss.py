"""The loss of a site, from the first sign to the hand-over."""

from runbooks.site_loss import SiteLossReport
from tests.incidents.conftest import Site, Watched, ended
from tests.runs import until


async def test_a_site_that_loses_its_power_is_followed_to_the_end(site: Site, watched: Watched):
    """Declared once, fenced by proof, every guest verified, the returned site listed, nothing moved."""
    site.fail("site-power", "site-a")
    run = await watched.incident()
    await until(run, lambda found: any(step.title == "site-a is back" for step in found), "the guests")
    site.restore("site-power", "site-a")
    await ended(run)

    report = SiteLossReport.model_validate(await run.result())
    print(report.model_dump_json(indent=1))
    print(await run.query("page"))
    assert report.timeline.declared is not None
    assert set(report.timeline.running) == {"vm:300", "vm:301"}
    assert report.not_back == {}
