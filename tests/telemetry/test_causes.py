"""From an event to a failback: each run is a trace of its own, and a link leads to what caused it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from temporalio.client import Client

from activities.clients.secrets import Secrets
from cluster.inventory import Inventory
from runbooks.homecoming import FailbackReport
from runbooks.loss import SiteLossReport
from tests.failback.conftest import far_site, listed
from tests.failback.test_stops import asked
from tests.gateways import SECRET, SOURCES, STRUCTURED, cloud
from tests.incidents.conftest import Site, ended, watching
from tests.incidents.test_levels import waits_for
from tests.telemetry import Collected
from tests.telemetry.tree import misfits, of_trace, shape
from workers.gateway.app import Gateway, listener, server
from workers.gateway.delivery import Delivery
from workers.inventory_file import load
from workers.settings import Settings

pytestmark = pytest.mark.slow

# What is asked of others and said to people may come at any time; the watch's word comes as often as things change.
BESIDE = ("records.together", "people.tell", "signal changed")

LOSS = [
    "SiteLoss",
    "  Automatic moves are listed",
    "    ha.switches",
    "  Claim",
    "  Guests run again",
    "  HA's list of services is read",
    "    ha.listed",
    "  Homes are recorded in the ledger",
    "    records.record_homes",
    "      update record",
    "  Inventory is read",
    "    records.inventory",
    "  Look: A node is back",
    "    ha.watch_return",
    "  Look: Guests run again",
    "    ha.watch_guests",
    "  Look: Guests run again ✗ Stopped",
    "    ha.watch_guests ✗ Stopped",
    "  Look: Waiting for the watch to be gone ✗ Stopped",
    "    watch.unwatched ✗ Stopped",
    "  Look: pxmx01-01 is fenced",
    "    ha.watch_fencing",
    "  Look: pxmx01-02 is fenced",
    "    ha.watch_fencing",
    "  Look: pxmx01-03 is fenced",
    "    ha.watch_fencing",
    "  Nodes of site-b have paths",
    "    watch.survivor_paths",
    "  Pod is served at site-b",
    "    watch.survivor_pod",
    "  Switches are recorded in the ledger",
    "    records.take",
    "      update take",
    "  This incident is in the ledger",
    "    records.present",
    "      update note",
    "  What this run disabled is re-enabled",
    "    records.give_back",
    "      update give_back",
    "  pxmx01-01 is fenced",
    "  pxmx01-02 is fenced",
    "  pxmx01-03 is fenced",
    "  records.left",
    "    update note",
    "  site-a is back",
    "    ha.watch_return",
    "  site-a is noted as back",
    "    records.note",
    "      update note",
    "  site-a is noted as lost",
    "    records.note",
    "      update note",
    "  site-a may be used again",
    "    watch.quarantine",
    "  site-b is quorate",
    "    watch.survivor_votes",
]
HOME = [
    "Failback",
    "  Automatic moves are listed",
    "    ha.switches",
    "  Bring 2 guests home to site-a (approve ben, approve cleo)",
    "  Claim",
    "  Enough approvers are listed",
    "  Guests are found",
    "    ha.placement",
    "  Homes are read from the ledger",
    "    records.homes",
    "  Homes are recorded in the ledger",
    "    records.record_homes",
    "      update record",
    "  Inventory is read",
    "    records.inventory",
    "  Switches are recorded in the ledger",
    "    records.take",
    "      update take",
    "  The token has the rights that this needs",
    "    proxmox.rights",
    "  ha.placement",
    "  people.verify",
    "  records.at_home",
    "    update record",
    "  records.find_loss",
    "  records.give_back",
    "    update give_back",
    "  records.left",
    "    update note",
    "  site-a is noted as through its quarantine",
    "    records.note",
    "      update note",
    "  site-a may be used again",
    "    watch.quarantine",
    "  update approve",
    "    people.verify",
    "  vm:300 runs at home on pxmx01-01",
    "    ha.bring_home",
    "  vm:301 runs at home on pxmx01-02",
    "    ha.bring_home",
    "  watch.quarantine",
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    twin = far_site(tmp_path)
    twin.rebuild()
    yield twin
    twin.stop()


@asynccontextmanager
async def gateway(client: Client, inventory: Inventory, queue: str) -> AsyncIterator[str]:
    """The address at which events are taken."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWAY_SECRET", SECRET)
        known = inventory.model_copy(update={"events": SOURCES})
        made = Gateway(known, Secrets(Path()), Delivery(client, known.name, queue), Settings())
    serving, place = server(made.app), listener("127.0.0.1", 0)
    serve = asyncio.create_task(serving.serve(sockets=[place]))
    yield f"http://127.0.0.1:{place.getsockname()[1]}/events/others"
    serving.should_exit = True
    await serve


async def test_from_an_event_to_a_failback_each_trace_leads_to_its_cause(
    site: Site, traced: Client, collected: Collected
):
    """Gateway, watch, incident, failback: four traces, none of them in another one."""
    people, inventory = listed(site), load(site.path)
    async with watching(traced, site) as watched, gateway(traced, inventory, watched.queue) as address:
        site.fail("site-power", "site-a")
        async with (
            aiohttp.ClientSession() as session,
            session.post(address, data=json.dumps(cloud(1)), headers=STRUCTURED) as answer,
        ):
            assert answer.status == 202
        loss = await watched.loss()
        await waits_for(loss, within=90)
        site.restore("site-power", "site-a")
        await ended(loss, 120)
        await watched.until(lambda state: state.open is None, "the end of the incident")
        request = {"by": "ana", "mode": "apply", "site": site.named("site-a")}
        failback = await traced.start_workflow("Failback", request, id="failback/chain", task_queue=watched.queue)
        await asked(failback)
        await people["ben"].says(failback)
        await people["cleo"].says(failback)
        await ended(failback)
        lost = SiteLossReport.model_validate(await loss.result())
        home = FailbackReport.model_validate(await failback.result())
    spans = collected.spans()

    assert shape(of_trace(spans, lost.trace), beside=BESIDE) == LOSS
    assert shape(of_trace(spans, home.trace), beside=BESIDE) == HOME
    assert misfits(of_trace(spans, lost.trace), lost.trace) == []
    assert misfits(of_trace(spans, home.trace), home.trace) == []
    assert causes(spans, "signal events") == ["Events are brought to the watch"]
    assert causes(spans, "Verdict: site-lost") == ["signal events"]
    assert causes(spans, "SiteLoss") == ["Verdict: site-lost"]
    assert causes(spans, "Failback") == ["SiteLoss"]


def causes(spans: list[ReadableSpan], name: str) -> list[str]:
    """What the links of the spans of that name lead to."""
    known = {one.context.span_id: one.name for one in spans if one.context}
    found = {known[link.context.span_id] for one in spans if one.name == name for link in one.links}
    return sorted(found)
