"""`quorate switches`: what is off and why, on a terminal and for scripts; and a person's word about it."""

import asyncio
import json
from typing import Any

import pytest

from tests.ledger.conftest import JOB, Office, Switched
from tests.workers.test_cli_runs import here


class Shell:
    """A terminal beside the worker."""

    def __init__(self, site: Switched, office: Office) -> None:
        address = office.client.service_client.config.target_host
        self._environment = {"TEMPORAL_ADDRESS": address, "QUORATE_INVENTORY": str(site.path), "USER": "ana"}

    async def says(self, *arguments: str, status: int = 0) -> str:
        done = await asyncio.to_thread(here, "switches", *arguments, **self._environment)
        text = done.stdout + done.stderr
        assert done.returncode == status, text
        return text

    async def data(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.says("--json", *arguments, status=status))
        return found


@pytest.fixture
def shell(site: Switched, office: Office) -> Shell:
    return Shell(site, office)


async def test_a_cluster_without_a_ledger_has_nothing_off(shell: Shell):
    """Nothing was ever turned off there."""
    assert await shell.says() == "pxmx-cluster: no automatic move is disabled\n"
    assert (await shell.data())["off"] == []


async def test_each_switch_is_listed_with_what_holds_it_back(site: Switched, office: Office, shell: Shell):
    """First the run that needs it off; after its end what else speaks against it."""
    run = await office.holds(homes={"vm:300": "pxmx02-01"})
    assert f"{run.id} needs it disabled" in await shell.says()
    await office.lets_go(run)
    found = await shell.data()
    assert {one["name"] for one in found["off"]} == {"vm:300", "crs", JOB}
    assert found["off"][0]["held_back"].startswith("restoring it would move the guest at once")
    assert found["off"][0]["was"] == "1"
    assert found["off"][0]["needed_by"] == []
    assert found["homes"] == {"vm:300": "pxmx02-01"}


async def test_restoring_one_asks_what_holds_it_back(site: Switched, office: Office, shell: Shell):
    """It is no way around the rules: the status says that it is still off."""
    run = await office.holds(homes={"vm:300": "pxmx02-01"})
    await office.lets_go(run)
    assert "guests are away from home" in await shell.says("--restore", "crs", status=1)
    assert site.off == {"vm:300", "crs", JOB}
    assert "vm:999 was not disabled by Quorate" in await shell.says("--restore", "vm:999", status=2)
    await shell.says("--forget-home", "vm:300", "--why", "lives here now")
    assert await shell.says("--restore", "crs") == await shell.says()
    assert site.off == set()


async def test_forgetting_needs_a_reason_and_a_switch_that_is_off(site: Switched, office: Office, shell: Shell):
    """Both stand in the ledger afterwards."""
    run = await office.holds()
    assert "--why is missing" in await shell.says("--forget", "crs", status=2)
    text = await shell.says("--forget", "nightly", "--why", "x", status=2)
    assert "nightly: there is no such disabled switch" in text
    await shell.says("--forget", "crs", "--why", "stays off")
    assert "crs: the switch was removed from the ledger by ana: stays off" in [
        one.text for one in (await office.book()).happened
    ]
    await office.lets_go(run)
    assert site.off == {"crs"}


async def test_nothing_that_a_name_holds_reaches_the_terminal_raw(site: Switched, office: Office, shell: Shell):
    """A reason with an escape sequence, a name with markup."""
    run = await office.holds(homes={"vm:300": "pxmx02-01"})
    await office.lets_go(run)
    site.manager.services["vm:300"].node = "[red]\x1b[2J"
    await office.compares()
    text = await shell.says()
    assert "\x1b[2J" not in text
    assert "[red]�[2J" in text
