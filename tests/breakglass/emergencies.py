"""Each emergency, made on the twin: until the watch sees it, and its cause is mended where people have to do that."""

from lab.physics.power import switch_off
from tests.breakglass.conftest import Glass
from tests.incidents.conftest import Site

A, B = "X90R3-SiteA", "X90R3-SiteB"
SITE_B = ("pxmx02-01", "pxmx02-02", "pxmx02-03")
GUESTS = ("vm:300", "vm:301")


def states(site: Site) -> set[str]:
    """HA's words for the two guests."""
    manager = site.world.cluster.ha.manager
    return {one.state for sid, one in manager.services.items() if sid in GUESTS} if manager else set()


async def parted(glass: Glass, site: Site) -> None:
    """The sites do not see each other; the witness has chosen one, the arrays the other."""
    for array in site.world.arrays.values():
        for pod in array.pods:
            pod.failover_preferences = [site.named(B)]
    for fault in ("inter-site", "replication", "storage-network"):
        site.fail(fault)
    await glass.watched.says("storage-elsewhere", 90)


async def given_up(glass: Glass, site: Site) -> None:
    """A site is lost, and the storage was away at the other one: HA has given up both guests; the storage is back."""
    for node in SITE_B:
        site.fail("vg-hidden", node)
    site.fail("site-power", "site-a")
    await glass.watched.loss()
    await glass.watched.until(lambda _: states(site) == {"error"}, "HA to give up", 120)
    for node in SITE_B:
        site.restore("vg-hidden", node)
    await glass.watched.until(lambda state: "storage-inactive" not in str(state.verdict), "the storage", 60)


async def logged_out(glass: Glass, site: Site) -> None:
    """Two nodes have no session to an array."""
    for node in ("pxmx01-02", "pxmx02-03"):
        site.call(_without_sessions(site, node))
    await glass.watched.says("paths-lost", 60)


async def _without_sessions(site: Site, node: str) -> None:
    host = site.world.nodes[node]
    for record in [one for one in host.sessions if one[0] == site.named(A)]:
        del host.sessions[record]
    site.world.links.changed()


async def unconnected(_: Glass, site: Site) -> None:
    """An array has come back without the connection of the volume."""
    array = site.world.arrays[site.named(A)]
    for connection in list(array.connections):
        array.drop_connection(connection)


async def dark(glass: Glass, site: Site) -> None:
    """Every node is switched off; arrays and witness are there."""
    site.call(_all_off(site))
    await glass.watched.says("quorum-lost", 90)


async def _all_off(site: Site) -> None:
    switch_off(site.world, [node.name for node in site.inventory.nodes])
