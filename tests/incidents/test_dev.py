import asyncio
from tests.incidents.conftest import Site, Watched, ended
from tests.runs import steps, until
from workflows.page import SIGNS

def story(found):
    return "\n".join(f"  {SIGNS[one.state]} {one.says}: {one.finding[:170]}" for one in found)

async def test_dev(site: Site, watched: Watched):
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    site.fail("site-power", "site-a")
    run = await watched.incident()
    for _ in range(3):
        await asyncio.sleep(3)
        print((await run.query("page")))
    await until(run, lambda found: any(step.title == "site-a is back" for step in found), "the guests", 60)
    print((await run.query("page")))
    site.restore("site-power", "site-a")
    await ended(run)
    print(story(await steps(run)))
    print((await run.query("page")))
    r = await run.result(); r.pop("steps"); print(r)
    s = await watched.until(lambda s: s.open is None, "end")
    await asyncio.sleep(5)
    print((await watched.state()).model_dump(exclude={"memory"}))
