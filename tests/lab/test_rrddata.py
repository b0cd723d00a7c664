"""`rrddata`: the history of a node, a storage and a guest, as the node that is asked has written it."""

from itertools import pairwise
from typing import Any

import pytest

from lab.built import add_guest
from lab.physics import jump
from lab.physics.power import switch_off, switch_on
from lab.pve.errors import PveError
from tests.lab.stage import Api, Stage, deployed, healthy

_QEMU = "/nodes/{node}/qemu/{vmid}/rrddata"


def on(begin: Any, steps: Any) -> Any:
    """Run steps with the API of a stage on lab time that jumps."""

    async def run() -> Any:
        stage = await begin()
        return await steps(stage, Api(stage))

    return jump.run(run())


@pytest.mark.parametrize(
    ("timeframe", "step", "count"),
    [("hour", 60, 60), ("day", 60, 1440), ("week", 1800, 336), ("month", 1800, 1440), ("year", 21600, 1440)],
)
def test_rows_have_the_resolution_of_their_frame(timeframe: str, step: int, count: int):
    """Source: PVE::RRD."""

    async def steps(stage: Stage, api: Api) -> list[dict[str, Any]]:
        return await api.call("GET", "/nodes/{node}/rrddata", timeframe=timeframe)

    rows = on(healthy, steps)

    assert len(rows) == count
    assert {later["time"] - row["time"] for row, later in pairwise(rows)} == {step}
    assert {"cpu", "memused", "memavailable", "loadavg", "rootused", "netin"} <= rows[-1].keys()


def test_a_guest_that_was_stopped_for_a_while_has_sizes_and_no_load():
    """Its node goes on telling of it; it ran, was stopped, and runs again."""

    async def steps(stage: Stage, api: Api) -> list[dict[str, Any]]:
        await stage.sleep(300)
        guest: dict[str, Any] = {"via": "pxmx01-01", "vmid": 320}
        for deed in ("start", "stop", "start"):
            await api.ended(await api.call("POST", f"/nodes/{{node}}/qemu/{{vmid}}/status/{deed}", **guest))
            await stage.sleep(600)
        return await api.call("GET", _QEMU, vmid=320, timeframe="hour", via="pxmx02-02")

    def furnish(world: Any) -> None:
        add_guest(world, 320, "pxmx01-01", running=False)

    rows = on(lambda: deployed(more=furnish), steps)[-30:]

    ran = "".join("1" if "mem" in row else "0" for row in rows)
    assert "1" * 9 + "0" * 9 in ran
    assert ran.endswith("1" * 9)
    assert all({"maxmem", "maxcpu", "maxdisk", "disk"} <= row.keys() for row in rows)


def test_a_node_that_was_without_power_has_a_gap_of_itself_and_of_all_others():
    """The others have written on; of a guest they know where it ran meanwhile."""

    async def steps(stage: Stage, api: Api) -> dict[str, list[dict[str, Any]]]:
        switch_off(stage.world, ["pxmx01-01"])
        await stage.sleep(900)
        await switch_on(stage.world, ["pxmx01-01"])
        await stage.sleep(300)
        ask = {"vmid": 300, "timeframe": "hour"}
        return {
            "own": await api.call("GET", "/nodes/{node}/rrddata", timeframe="hour", via="pxmx01-01"),
            "there": await api.call("GET", _QEMU, via="pxmx01-01", **ask),
            "elsewhere": await api.call("GET", _QEMU, via="pxmx02-01", **ask),
        }

    found = on(healthy, steps)

    empty = {name: sum(len(row) == 1 for row in rows) for name, rows in found.items()}
    assert 14 <= empty["own"] == empty["there"] <= 16
    assert empty["elsewhere"] == 0
    # HA has recovered it within some minutes
    away = sum("mem" not in row for row in found["elsewhere"][-20:])
    assert 1 <= away <= 4


def test_a_migration_makes_no_gap():
    """It goes on running."""

    async def steps(stage: Stage, api: Api) -> list[dict[str, Any]]:
        await stage.sleep(600)
        stage.ha.commands.append(("migrate", "vm:300", "pxmx01-02"))
        await stage.until("moved", lambda: stage.guests[300].node == "pxmx01-02", 300)
        await stage.sleep(300)
        return await api.call("GET", _QEMU, vmid=300, timeframe="hour", via="pxmx01-02")

    rows = on(healthy, steps)

    assert all("mem" in row for row in rows[-12:])


def test_a_storage_has_its_sizes():
    """Total and used bytes."""

    async def steps(stage: Stage, api: Api) -> list[dict[str, Any]]:
        return await api.call("GET", "/nodes/{node}/storage/{storage}/rrddata", storage="local", timeframe="hour")

    rows = on(healthy, steps)

    assert {frozenset(row) for row in rows} == {frozenset({"time", "total", "used"})}


def test_a_guest_that_never_was_has_no_file():
    """The daemon's own words."""

    async def steps(stage: Stage, api: Api) -> PveError:
        with pytest.raises(PveError) as caught:
            await api.call("GET", _QEMU, vmid=999, timeframe="hour")
        return caught.value

    error = on(healthy, steps)

    assert (error.status, error.message) == (
        500, "RRD error: opening '/var/lib/rrdcached/db/pve2-vm/999': No such file or directory",
    )  # fmt: skip
