"""A whole incident into a receiver of each kind: every message in its service's form, in order, and resolved once.

Beside them one that hangs, one that refuses and one that is dead: they change nothing in the incident.
"""

import email
import email.policy
import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from temporalio.client import Client

from runbooks.loss import SiteLossReport
from tests.activities.services import check
from tests.incidents.conftest import Site, ended, watching
from tests.incidents.test_levels import waits_for
from tests.receivers import MailServer, Receiver
from workers.temporal.embedded import free_port

pytestmark = pytest.mark.slow

KEY = "R0123456789ABCDEF0123456789ABCDE"


class Hangs(http.server.BaseHTTPRequestHandler):
    """Takes the request and says nothing for longer than a notice is waited for."""

    def do_POST(self) -> None:  # the library's name
        time.sleep(20)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@dataclass(frozen=True)
class Duty:
    """Everybody who is told."""

    plain: Receiver
    pager: Receiver
    chat: Receiver
    teams: Receiver
    genie: Receiver
    room: Receiver
    mails: MailServer
    deadman: Receiver


@contextmanager
def hanging() -> Iterator[str]:
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hangs)
    served.daemon_threads = True
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}/"
    served.shutdown()
    served.server_close()


@pytest.fixture
def duty(site: Site) -> Iterator[Duty]:
    text = site.path.read_text()
    (site.path.parent / "pager.key").write_text(KEY)
    refusing = Receiver()
    refusing.status = 403
    one = Duty(
        Receiver(), Receiver(), Receiver(), Receiver(), Receiver(), Receiver(), MailServer(), Receiver()
    )  # fmt: skip
    with hanging() as hangs:
        rows = [
            {"name": "plain", "webhook": one.plain.url},
            {"name": "pager", "kind": "pagerduty", "webhook": one.pager.url, "routing_key": "file:pager.key"},
            {"name": "chat", "kind": "slack", "webhook": one.chat.url},
            {"name": "teams", "kind": "teams", "webhook": one.teams.url},
            {"name": "genie", "kind": "opsgenie", "webhook": one.genie.url, "token": "file:pager.key"},
            {"name": "room", "kind": "matrix", "webhook": one.room.url, "token": "file:pager.key", "room": "!ops:hs"},
            {"name": "post", "kind": "mail", "mail": {"server": f"127.0.0.1:{one.mails.port}", "tls": False,
                                                      "sender": "quorate@example.org", "to": ["duty@example.org"]}},
            {"name": "refuses", "webhook": refusing.url},
            {"name": "hangs", "webhook": hangs},
            {"name": "dead", "webhook": f"http://127.0.0.1:{free_port()}/"},
        ]  # fmt: skip
        watch = {"deadman": one.deadman.url}
        site.path.write_text(f"{text}\nnotify: {json.dumps(rows)}\nwatch: {json.dumps(watch)}\n")
        yield one
    site.path.write_text(text)
    for receiver in (one.plain, one.pager, one.chat, one.teams, one.genie, one.room, one.deadman, refusing):
        receiver.stop()
    one.mails.stop()


async def test_a_whole_incident_reaches_everybody_in_their_form(site: Site, client: Client, duty: Duty):
    """Lost, fenced, running, back: told, and resolved at the end; the incident itself takes what it takes."""
    async with watching(client, site) as watched:
        site.fail("site-power", "site-a")
        run = await watched.loss()
        await waits_for(run, within=90)
        site.restore("site-power", "site-a")
        await ended(run, 180)
        report = SiteLossReport.model_validate(await run.result())

    plain = [one for one in map(json.loads, (body for _, body in duty.plain.got)) if one["incident"] == run.id]
    numbers = [int(one["key"].rpartition("/")[2]) for one in {one["key"]: one for one in plain}.values()]
    events = [json.loads(body) for _, body in duty.pager.got if run.id in body]
    mails = [email.message_from_bytes(one, policy=email.policy.default)["Subject"] for one in duty.mails.got]

    assert {one.sid for one in report.back if one.ok} == {"vm:300", "vm:301"}
    assert plain[0]["occasion"] == "opened"
    assert numbers == sorted(numbers), "in their order"
    assert plain[0]["severity"] == "critical"
    assert any("ac-test-vm-01 (300)" in guest for guest in plain[0]["guests"])
    assert [one["resolved"] for one in plain].count(True) == 1
    assert plain[-1]["occasion"] == "closed"
    assert {one["event_action"] for one in events[:-1]} == {"trigger"}
    assert events[-1]["event_action"] == "resolve"
    assert len({one["dedup_key"] for one in events}) == 1
    for event in events:
        check("pagerduty", event)
    for _, body in duty.chat.got:
        check("slack", json.loads(body))
    for _, body in duty.teams.got:
        check("teams", json.loads(body))
    for path, (_, body) in zip(duty.genie.paths, duty.genie.got, strict=True):
        check("opsgenie-close" if "/close?" in path else "opsgenie-create", json.loads(body))
    assert [path.partition("/close?")[1] for path in duty.genie.paths if run.id.replace("/", "%2F") in path] == [
        "/close?"
    ]
    for _, body in duty.room.got:
        check("matrix", json.loads(body))
    assert len(set(duty.room.paths)) == len(
        {one["key"] for one in map(json.loads, (body for _, body in duty.plain.got))}
    )
    assert "[RESOLVED] pxmx-cluster: Site site-a is lost (apply): done" in mails
    assert not [step for step in report.steps if step.state in ("failed", "parked")]
    assert duty.deadman.got, "it was said that the cluster is looked at"
    print(f"{len(plain)} notices of one incident, each to 7 receivers; 3 others refused, hung or were dead")
