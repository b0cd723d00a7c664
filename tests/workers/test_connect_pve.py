"""`quorate connect pve-notifications`, against the twin's API."""

import json
from pathlib import Path

import pytest

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from activities.proxmox.notifications import MATCHER, TARGET, GatewayWish, PveNotifications
from cluster.plan import Mode
from tests.twin import TwinThread
from tests.workers.test_cli import quorate
from workers.inventory_file import load

SECRET = "s3cret-of-the-gateway"


@pytest.fixture
def twin(twin: TwinThread) -> TwinThread:
    """A twin whose token may do what docs/events.md asks for beside docs/prepare.md."""
    twin.allow("/mapping/notifications", "Mapping.Modify", "Mapping.Audit")
    twin.allow("/", "Sys.AccessNetwork")
    return twin


@pytest.fixture
def room(twin: TwinThread, monkeypatch: pytest.MonkeyPatch) -> PveNotifications:
    monkeypatch.setenv("PVE_EVENTS", SECRET)
    secrets = Secrets(twin.path.parent)
    return PveNotifications(PveApi(load(twin.path), secrets), secrets)


def wish(mode: Mode = Mode.APPLY, **more: object) -> GatewayWish:
    return GatewayWish(mode=mode, url="https://quorate:8420/events/pve", secret="env:PVE_EVENTS", **more)


def test_a_second_run_changes_nothing(room: PveNotifications):
    """Planned, made, and then there is nothing left to do."""
    planned = room.ensure(wish(Mode.PLAN))
    made = room.ensure(wish())
    again = room.ensure(wish())

    assert [str(change) for change in planned.changes] == [
        "cluster: add notification target quorate-gateway (https://quorate:8420/events/pve)",
        "cluster: add notification matcher quorate-fencing (type fencing)",
    ]
    assert (made.changed, made.changes) == (True, planned.changes)
    assert (again.changed, again.changes) == (False, ())


def test_what_somebody_changed_is_set_right(room: PveNotifications, twin: TwinThread):
    """Another body would be refused by the gateway."""
    room.ensure(wish())
    room._api.put(f"cluster/notifications/endpoints/webhook/{TARGET}", body="e30=")

    found = room.ensure(wish())

    assert [str(change) for change in found.changes] == ["cluster: set notification target quorate-gateway (body)"]
    assert room.ensure(wish()).changes == ()


def test_the_secret_is_sent_anew_when_that_is_asked_for_and_stands_nowhere(room: PveNotifications, twin: TwinThread):
    """PVE keeps it apart; neither findings nor the world's log hold it."""
    room.ensure(wish())
    found = room.ensure(wish(renew=True))

    assert [str(change) for change in found.changes] == ["cluster: set notification target quorate-gateway (secret)"]
    assert SECRET not in found.model_dump_json()
    assert not any(SECRET in line for line in twin.change_lines())


def test_the_fencing_matcher_leads_to_the_target(room: PveNotifications):
    """Only fencing is of interest; the built-in matcher goes on mailing root."""
    room.ensure(wish())

    matcher = room._api.get(f"cluster/notifications/matchers/{MATCHER}")
    assert (matcher["match-field"], matcher["target"]) == (["exact:type=fencing"], [TARGET])


def test_the_command_shows_first_and_names_what_is_missing(twin: TwinThread, tmp_path: Path):
    """Without a source nothing can be configured; with one the plan is shown and nothing is changed."""
    said = quorate("connect", "pve-notifications", "-i", str(twin.path), "--gateway", "https://quorate:8420")
    assert said.returncode == 2
    assert "the inventory has 0 event sources of kind pve" in said.stderr

    path = twin.path.with_name("with-events.yaml")
    text = twin.path.read_text()
    path.write_text(f"{text}\nevents:\n  - {{name: pve, kind: pve, secret: 'file:secrets/pve.token'}}\n")
    before = len(twin.world.changes)
    said = quorate("connect", "pve-notifications", "-i", str(path), "--gateway", "https://quorate:8420", "--json")
    assert json.loads(said.stdout)["changed"] is False
    assert len(json.loads(said.stdout)["changes"]) == 2
    assert len(twin.world.changes) == before
