"""From a site to a bundle to a twin: nothing of the one is told, and the other answers the same."""

import asyncio
import base64
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from typer.testing import CliRunner

from cluster.plan import Mode
from cluster.probing.bundle import Bundle, pack, unpack
from cluster.probing.cleaning import Answer
from lab.pve.ha.commands import MAINTENANCE
from tests.conftest import working
from tests.probe.conftest import CANARY, SECRETS, Probed
from tests.twin import SPEED, TwinThread
from workers.cli.doctor.commands import examined
from workers.cli.lab.bundled import placed
from workers.cli.main import app
from workers.cli.probe.asked import answers
from workers.cli.probe.bundling import bundled
from workers.inventory_file import load
from workflows.catalogue import RunbookRequest

pytestmark = pytest.mark.slow

# Whichever node HA's manager runs on, by chance of who asked for the lock first. Times and counters never get so far.
LEFT_OUT = {"master_node"}
OF_MASTER = ("master", "fencing")


@pytest.fixture(scope="session")
def again(probed: Probed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinThread]:
    """The twin of the bundle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUORATE_STATE", str(tmp_path_factory.mktemp("state")))
        twin = TwinThread(placed(probed.file), speed=SPEED)
    yield twin
    twin.stop()


def originals(probed: Probed) -> list[str]:
    """Addresses, serials and ids of the site; all its names have the canary in them."""
    world = probed.site.world
    disks = [serial for one in world.arrays.values() for serial in (v.serial for v in one.all_volumes())]
    pods = [pod.id for one in world.arrays.values() for pod in one.pods]
    nodes = [value for host in world.nodes.values() for value in (host.address, host.ring_address(1), host.iqn)]
    arrays = [value for one in world.arrays.values() for value in (one.id, one.target_iqn, one.network, *one.portals)]
    tokens = [f"{CANARY}-5ecret-of-{name.replace('.', '-')}" for name in SECRETS]
    return [CANARY, world.witness.address, *disks, *pods, *nodes, *arrays, *tokens, *map(_base64, tokens)]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode().rstrip("=")[:-2]


def test_a_bundle_tells_nothing_of_whose_site_it_is(probed: Probed):
    """No canary, address, serial or id is in its bytes, which are not compressed."""
    written = probed.file.read_bytes().decode("latin-1").casefold()
    said = json.dumps([one.model_dump() for one in probed.raw]).casefold()
    found = {one: said.count(one.casefold()) for one in originals(probed)}

    print(f"{found[CANARY]} canaries and {sum(found.values()) - found[CANARY]} other places in the answers")
    assert found[CANARY] > 500
    assert [one for one in found if one.casefold() in written] == []


def test_the_page_names_what_is_in_it_and_asks_to_read_it(probed: Probed):
    """In the bundle's own words, so that the page may be sent along."""
    assert "  8 controllers, node-01 to node-08: power\n" in probed.page
    assert "  array array-01, array-02: array, connection, connections, host-group, hosts," in probed.page
    assert "  witness witness: packages, release, units, witness-clients\n" in probed.page
    assert re.search(r"\nLeft out: \d+ values of \d+ kinds, listed in manifest\.json\.\n", probed.page)
    assert f"Read it before you send it: unzip -p {probed.file} | less." in probed.page
    assert "Not answered" not in probed.page


def test_a_script_gets_the_manifest_and_the_digest(probed: Probed, tmp_path: Path):
    """One JSON document; a file that is there is written over only when it is asked for."""
    file = tmp_path / "probe.zip"
    file.write_text("of yesterday")
    done = CliRunner().invoke(app, ["probe", "-i", str(probed.site.path), "--out", str(file), "--force", "--json"])
    told = json.loads(done.stdout)

    assert told["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert told["bytes"] == file.stat().st_size
    assert told["manifest"] == unpack(file.read_bytes()).manifest.model_dump(mode="json")
    assert file.stat().st_mode & 0o777 == 0o600


def test_equal_answers_give_equal_bytes(probed: Probed):
    """In whatever order they came; and what the command wrote a moment later is the same but for HA's chance."""
    inventory = probed.site.inventory
    bundle = bundled(inventory, probed.raw)

    assert pack(bundle) == pack(bundled(inventory, probed.raw[::-1]))
    assert comparable(bundle) == comparable(unpack(probed.file.read_bytes()))


async def test_a_twin_of_the_bundle_answers_as_the_site_did(probed: Probed, again: TwinThread):
    """Every answer is the same, under the same pseudonyms."""
    before = unpack(probed.file.read_bytes())
    raw = await answers(load(again.path), again.path, lambda answered, asked: None)
    after = bundled(load(again.path), raw)

    told, expected = comparable(after), comparable(before)
    print(f"{len(expected)} answers compared; left out: {', '.join(sorted(LEFT_OUT))}, and the node of {OF_MASTER}")
    assert told.keys() == expected.keys()
    assert {name: one for name, one in told.items() if one != expected[name]} == {}
    assert after.inventory == before.inventory


async def test_the_doctor_finds_on_the_twin_what_it_finds_at_the_site(probed: Probed, again: TwinThread):
    """So many checks of each kind are well, and so many are not: foreign maps, the pod's preference."""
    site, twin = [await states(path) for path in (probed.site.path, again.path)]

    assert site == twin
    assert {what for (what, state) in site if state == "wrong"} >= {"multipath", "failover preference"}


async def states(path: Path) -> Counter[tuple[str, str]]:
    """How often which check is in which state."""
    checks = await examined(load(path), path, ("cluster", "hosts", "arrays", "controllers"))
    return Counter((check.what, check.state) for check in checks)


async def test_a_deployment_finds_nothing_to_change_on_the_twin(client: Client, again: TwinThread):
    """The engine takes it for what it is: a cluster as its inventory wants it, when no node is in maintenance."""
    again.call(leaves_maintenance(again, "node-08"))
    async with working(client, load(again.path), again.path.parent) as start:
        report = await (await start(RunbookRequest(mode=Mode.PLAN))).result()

    assert (report.planned, report.changed) == ((), 0)


async def leaves_maintenance(twin: TwinThread, node: str) -> None:
    """Order it, and wait until HA has taken it up."""
    twin.world.cluster.ha.commands.append((MAINTENANCE, node, "disable"))
    async with asyncio.timeout(20):  # until HA calls the node online: rounds of ten lab seconds
        while twin.manager.nodes[node] != "online":  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def comparable(bundle: Bundle) -> dict[str, Any]:
    """Answers by their places."""
    return {f"{one.of} {one.who} {one.what} {one.item}": _without_chance(one) for one in bundle.answers}


def _without_chance(answer: Answer) -> Any:
    data = answer.data
    if answer.what == "ha-manager":
        known = {key: one for key, one in data["manager_status"].items() if key not in LEFT_OUT}
        data = {**data, "manager_status": known}
    if answer.what == "ha-current":
        data = [{key: v for key, v in row.items() if key != "node" or row["type"] not in OF_MASTER} for row in data]
    return data, answer.status, answer.word


def test_the_twin_of_a_bundle_keeps_its_addresses(probed: Probed, again: TwinThread, monkeypatch: pytest.MonkeyPatch):
    """Who starts it another time finds it where it was."""
    state = again.path.parents[2]
    monkeypatch.setenv("QUORATE_STATE", str(state))

    assert Path(os.environ["QUORATE_STATE"]) == state
    assert placed(probed.file) == again.path
