"""The API's directories, and the guest calls that only restart."""

import pytest

from tests.lab.stage import Api, Stage
from tests.lab.test_ha_api import play


@pytest.mark.parametrize(
    ("template", "key", "some"),
    [
        ("/cluster", "name", {"status", "resources", "ha", "config"}),
        ("/cluster/ha", "id", {"resources", "rules", "status"}),
        ("/access", "subdir", {"ticket", "permissions"}),
        ("/nodes/{node}/qemu/{vmid}", "subdir", {"config", "status", "migrate"}),
    ],
)
def test_a_directory_names_what_lies_below(template: str, key: str, some: set[str]):
    """In the word that PVE's schema has for an entry."""

    async def story(_: Stage, api: Api) -> None:
        found = await api.call("GET", template)
        assert some <= {entry[key] for entry in found}

    play(story)


@pytest.mark.parametrize(("call", "seconds"), [("reboot", 10), ("reset", 1)])
def test_a_guest_is_restarted_in_place(call: str, seconds: float):
    """The process stays, the uptime begins anew, and HA has nothing to do."""

    async def story(stage: Stage, api: Api) -> None:
        begun = len(stage.world.cluster.tasks.all)
        upid = await api.call("POST", "/nodes/{node}/qemu/{vmid}/status/" + call, via="pxmx01-01", vmid=300)
        assert upid.split(":")[5] == f"qm{call}"
        await stage.sleep(seconds + 2)
        assert stage.now - stage.guests[300].since < 3
        assert (stage.guests[300].running, stage.service(300).state) == (True, "started")
        assert [task.upid for task in stage.world.cluster.tasks.all[begun:]] == [upid]

    play(story)


def test_a_guest_that_does_not_run_cannot_be_restarted():
    """In PVE's words."""

    async def story(stage: Stage, api: Api) -> None:
        stage.guests[101].running = False
        where = "/nodes/{node}/qemu/{vmid}/status/reset"
        assert await api.refused("POST", where, via="pxmx01-01", vmid=101) == "VM 101 not running"

    play(story)
