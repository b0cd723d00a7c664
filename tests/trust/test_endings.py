"""Certificates that end are told in time: by whom they are shown, when, and what to do."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from activities.proxmox.rights import Rights
from cluster.contracts.proxmox import RightsFinding, RightsWish
from cluster.inventory import Inventory
from cluster.trust import Certificate, ending, endpoints, of_node
from lab.serving.delivered import identity
from tests.ipmi import ipmi_inventory
from tests.twin import EXAMPLE, TwinThread, inventory_file
from workers.inventory_file import load

NODE, ARRAY = "pxmx01-01", "X90R3-SiteA"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def shown(ends: datetime) -> Certificate:
    return Certificate(
        fingerprint="AB", subject="x", issuer="x", names=(), begins=NOW - timedelta(days=700), ends=ends,
        signed_itself=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def known() -> Inventory:
    return load(EXAMPLE)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=31), ""),
        (timedelta(days=30), "ends on 2026-12-28; renew it on that node"),
        (timedelta(hours=1), "ends on 2026-11-28; renew it on that node"),
        (timedelta(0), "has ended on 2026-11-28; renew it on that node"),
        (timedelta(days=-3), "has ended on 2026-11-25; renew it on that node"),
    ],
)
def test_the_end_is_told_thirty_days_before_it(known: Inventory, left: timedelta, said: str):
    """With the date alone: what is said is the same from one day to the next."""
    told = ending(of_node(known, NODE), shown(NOW + left), NOW)

    expected = (
        f"{NODE} at 127.21.101.11: its certificate {said} (pvecm updatecerts --force, then systemctl restart pveproxy)"
    )
    assert told == (expected if said else "")


def test_a_pinned_certificate_that_has_ended_is_told_and_still_accepted(known: Inventory):
    """The renewed one has to be written down as well."""
    trust = of_node(known, NODE).model_copy(update={"fingerprints": ("AB",)})

    assert ending(trust, shown(NOW - timedelta(days=1)), NOW) == (
        f"{NODE} at 127.21.101.11: its certificate has ended on 2026-11-27; it is pinned, so Quorate still connects; "
        "renew it on that node (pvecm updatecerts --force, then systemctl restart pveproxy), then write the new one "
        "with `quorate trust 127.21.101.11`"
    )


def test_every_endpoint_is_known_with_its_place(known: Inventory):
    """Nodes, their management controllers, arrays."""
    found = dict(endpoints(known))

    assert len(found) == 14
    assert found["sites", 1, "nodes", 2].who == "pxmx02-03"
    assert found["sites", 1, "nodes", 2, "bmc"].who == "management controller of pxmx02-03"
    assert found["arrays", 1].who == "X90R3-SiteB"


def test_a_controller_that_speaks_ipmi_shows_no_certificate(tmp_path: Path):
    """So nobody asks for it, and nobody warns of its end."""
    found = [trust.who for _, trust in endpoints(load(ipmi_inventory(tmp_path)))]

    assert len(found) == 11
    assert "management controller of pxmx01-03" not in found
    assert "management controller of pxmx02-03" in found


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinThread]:
    """Whose first array's certificate ends in ten days, and whose first node's has ended."""
    one = TwinThread(inventory_file(tmp_path_factory.mktemp("endings"), "endings"))
    now = datetime.now(UTC)
    one.show("array", ARRAY, identity("own-by-address", ARRAY, "127.0.0.1", now + timedelta(days=10)))
    one.show("controller", NODE, identity("expired", NODE, "127.0.0.1"))
    yield one
    one.stop()


def asked(twin: TwinThread, **wish: str) -> RightsFinding:
    rights = Rights(twin.inventory, PveApi(twin.inventory, Secrets(twin.path.parent)))
    return asyncio.run(ActivityEnvironment().run(rights.rights, RightsWish(**wish)))


def test_the_watchs_daily_look_names_what_ends(twin: TwinThread):
    """Whoever has signed it: a date is a date."""
    found = asked(twin)

    known = twin.inventory
    bmc = known.node(NODE).bmc
    assert bmc is not None
    host, array = bmc.address.partition(":")[0], known.array(ARRAY).address.partition(":")[0]
    ended, ends = datetime.now(UTC) - timedelta(days=2), datetime.now(UTC) + timedelta(days=10)
    assert found.certificates == (
        f"management controller of {NODE} at {host}: its certificate has ended on {ended:%Y-%m-%d}; renew it on the "
        "management controller",
        f"{ARRAY} at {array}: its certificate ends on {ends:%Y-%m-%d}; renew it on the array",
    )
    assert found.mark == "done"


def test_a_runbook_does_not_wait_for_that_look(twin: TwinThread):
    """It asks for its rights."""
    assert asked(twin, runbook="site-loss").certificates == ()
