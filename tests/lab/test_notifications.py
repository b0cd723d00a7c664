"""Notifications: what clients configure, whom an event reaches, and what a receiver really gets."""

import base64
import functools
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import trustme
from proxmoxer import ProxmoxAPI, ResourceException

from activities.clients.secrets import Secrets
from lab.physics import jump
from lab.physics.power import switch_off
from lab.pve.ha.state import Manager, Service
from lab.pve.notices import notify as notify_module
from lab.pve.notices.matchers import BadDirective, Event, matches, normal
from lab.pve.notices.notify import announce, fencing_event, notify
from lab.pve.notices.templates import TemplateError, render
from tests.lab.stage import SITE_A, healthy
from tests.twin import TwinThread

FIRST, SECOND = "pxmx01-01", "pxmx02-01"
# What is registered for our gateway (reference: proxmox-api §6).
BODY = (
    '{"source":"pve","title":"{{ escape title }}","message":"{{ escape message }}","severity":"{{ severity }}",'
    '"timestamp":{{ timestamp }},"fields":{{ json fields }}}'
)
FENCING = Event(
    f"Trying to fence node '{FIRST}' ", "text\n", "error", {"type": "fencing", "hostname": FIRST}, 1777902018
)


class Receiver:
    """A real HTTP server that notes what comes and answers with `status` after `delay` seconds."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.got: list[tuple[str, str, dict[str, str], str]] = []
        self.status, self.delay = 202, 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                receiver.got.append((self.command, self.path, dict(self.headers), body))
                time.sleep(receiver.delay)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_PUT = do_GET = answer  # noqa: N815

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def twin(twin: TwinThread) -> TwinThread:
    """A twin whose token may do what docs/events.md asks for beside docs/prepare.md."""
    twin.allow("/mapping/notifications", "Mapping.Modify", "Mapping.Audit")
    twin.allow("/", "Sys.AccessNetwork")
    return twin


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.stop()


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def api(twin: TwinThread, node: str = FIRST) -> Any:
    """proxmoxer with the engine's token, at the notifications."""
    settings, address = twin.inventory.api, twin.inventory.node(node).address
    user, _, name = settings.token_id.partition("!")
    secret = Secrets(twin.path.parent).read(settings.token)
    ca = str(twin.path.parent / (settings.ca or ""))
    client = ProxmoxAPI(
        address, port=settings.port, user=user, token_name=name, token_value=secret, verify_ssl=ca, timeout=20
    )
    return client.cluster.notifications


def webhook(twin: TwinThread, receiver: Receiver, **more: Any) -> None:
    """The gateway as a target, and the matcher for fencing."""
    header = [f"name=Content-Type,value={coded('application/json')}"]
    settings = {"url": receiver.url + "/events", "method": "post", "header": header, "body": coded(BODY), **more}
    api(twin).endpoints.webhook.post(name="runbook-gateway", **settings)
    api(twin).matchers.post(name="runbook-fencing", target="runbook-gateway", **{"match-field": "exact:type=fencing"})


def bend(twin: TwinThread, change: Callable[..., None], *arguments: Any) -> None:
    """Change the world from within its own loop."""

    async def go() -> None:
        change(*arguments)

    twin.call(go())


def notes(twin: TwinThread) -> list[str]:
    """What the world's log says about notifications, configuration apart."""
    kinds = ("notification.sent", "notification.failed")
    return [
        f"{c.where} {c.what} {c.target}: {c.detail.get('error', c.detail['title'])}"
        for c in twin.world.changes
        if c.what in kinds
    ]


# --- templates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "awkward",
    ['quote " and \\ backslash', "two\nlines\tand a tab\r", "ein Bär {{ title }}", "\x00\x1b[31m", "</script>", ""],
)
def test_the_gateways_body_is_json_for_awkward_texts(awkward: str):
    """Whatever stands in title, message and fields comes out as it went in."""
    fields = {"type": "fencing", "job-id": awkward}
    data = {"title": awkward, "message": awkward, "severity": "error", "timestamp": 1777902018, "fields": fields}

    assert json.loads(render(BODY, data)) == {"source": "pve", **data}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{title}}|{{ title }}|{{{ title }}}|{{& title}}", 'a "b"|a "b"|a "b"|a "b"'),
        ("{{ fields.hostname }}-{{ fields.[job-id] }}-{{ fields.job-id }}", "n1-j 1-j 1"),
        ("[{{ absent }}{{ fields.absent.deeper }}]", "[]"),
        ("{{ json absent }} {{ json fields }}", 'null {"hostname":"n1","job-id":"j 1"}'),
        ("{{ url-encode fields.job-id }}", "j%201"),
        ("{{ secrets.token }}", "s3cret"),
        ("a {{~ title ~}} b{{! nothing }}{{!-- {{ nothing }} --}}", 'aa "b"b'),
        ("{{ timestamp }} {{ fields }}", "1777902018 [object]"),
        ("{}} no tag {", "{}} no tag {"),
    ],
)
def test_renders_as_handlebars_does(template: str, text: str):
    """Names, paths, helpers, comments and blanks."""
    data = {
        "title": 'a "b"',
        "timestamp": 1777902018,
        "fields": {"hostname": "n1", "job-id": "j 1"},
        "secrets": {"token": "s3cret"},
    }

    assert render(template, data) == text


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{{ base64 title }}", "Helper not found base64"),
        ("{{ title", "invalid handlebars syntax"),
        ("{{ }}", "expected a name"),
        ("{{ escape fields.absent }}", "escape: missing text parameter"),
        ("{{ url-encode timestamp }}", "url-encode: missing parameter"),
        ("{{ json }}", "json: missing parameter"),
        ("{{#if title}}x{{/if}}", "not played by the twin"),
    ],
)
def test_refuses_what_it_cannot_render(template: str, complaint: str):
    """An unknown helper, an open tag, a missing argument."""
    with pytest.raises(TemplateError, match=complaint):
        render(template, {"title": "t", "timestamp": 1, "fields": {}})


# --- matchers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matcher", "fits"),
    [
        ({}, True),
        ({"invert-match": 1}, True),
        ({"match-field": ["exact:type=fencing"]}, True),
        ({"match-field": ["exact:type=vzdump, fencing"]}, True),
        ({"match-field": ["exact:type=fence"]}, False),
        ({"match-field": ["regex:hostname=^pxmx01-"]}, True),
        ({"match-field": ["regex:job-id=.*"]}, False),
        ({"match-field": ["exact:type=fencing"], "match-severity": ["info,notice"]}, False),
        ({"match-field": ["exact:type=fencing"], "match-severity": ["info,notice"], "mode": "any"}, True),
        ({"match-field": ["exact:type=fencing"], "invert-match": 1}, False),
        ({"match-severity": ["info"], "invert-match": 1}, True),
        ({"match-calendar": ["mon 13:00-14"]}, True),  # Monday 2026-05-04, 13:40 UTC
        ({"match-calendar": ["tue..sun 8-18"]}, False),
        ({"match-calendar": ["14-15"]}, False),
    ],
)
def test_a_matcher_decides_as_pve_does(matcher: dict[str, Any], fits: bool):
    """Directives of a kind and the kinds among each other are combined by the mode."""
    assert matches(matcher, FENCING) is fits


@pytest.mark.parametrize(
    ("directive", "text"),
    [
        ("match-field", "type=fencing"),
        ("match-field", "regex:type=("),
        ("match-severity", "fatal"),
        ("match-calendar", "someday"),
    ],
)
def test_an_unreadable_directive_is_refused(directive: str, text: str):
    """Before it is written down."""
    with pytest.raises(BadDirective):
        normal(directive, text)


# --- the API ---------------------------------------------------------------------------------------------------------


def test_a_bare_cluster_mails_root(twin: TwinThread):
    """The two built-in entries, and nothing else."""
    found = api(twin)

    assert found.targets.get() == [
        {
            "name": "mail-to-root",
            "type": "sendmail",
            "comment": "Send mails to root@pam's email address",
            "origin": "builtin",
        }
    ]
    assert [(m["name"], m["target"], m["origin"]) for m in found.matchers.get()] == [
        ("default-matcher", ["mail-to-root"], "builtin")
    ]


def test_a_secrets_value_is_never_told(twin: TwinThread, receiver: Receiver):
    """Only its name comes back, from the list and from the entry."""
    webhook(twin, receiver, secret=f"name=token,value={coded('s3cret')}")

    (listed,) = api(twin).endpoints.webhook.get()
    one = api(twin).endpoints.webhook("runbook-gateway").get()

    assert listed["secret"] == one["secret"] == ["name=token"]
    assert (one["origin"], one["body"]) == ("user-created", coded(BODY))
    assert coded("s3cret") not in "".join(twin.change_lines())


def test_an_update_keeps_the_secrets_it_names(twin: TwinThread, receiver: Receiver):
    """By name alone the value stays; what is not named is gone; an unknown name is refused."""
    old = [f"name=token,value={coded('old')}", f"name=other,value={coded('gone')}"]
    webhook(twin, receiver, secret=old)
    target = api(twin).endpoints.webhook("runbook-gateway")

    target.put(secret=["name=token", f"name=new,value={coded('fresh')}"], body=coded("{{ json secrets }}"))
    api(twin).targets("runbook-gateway").test.post()

    assert json.loads(receiver.got[-1][3]) == {"new": "fresh", "token": "old"}
    with pytest.raises(ResourceException, match="secret 'other' not known") as caught:
        target.put(secret="name=other")
    assert caught.value.status_code == 400


def test_a_stale_digest_is_refused(twin: TwinThread, receiver: Receiver):
    """Someone else was faster."""
    webhook(twin, receiver)
    target = api(twin).endpoints.webhook("runbook-gateway")
    digest = target.get()["digest"]
    target.put(comment="mine", digest=digest)

    with pytest.raises(ResourceException, match="detected modified configuration"):
        target.put(comment="late", digest=digest)
    assert target.get()["comment"] == "mine"


def test_what_does_not_change_is_not_written(twin: TwinThread, receiver: Receiver):
    """The same settings twice are one change of the world."""
    webhook(twin, receiver)
    before = twin.change_lines()

    api(twin).endpoints.webhook("runbook-gateway").put(url=receiver.url + "/events", method="post")

    assert twin.change_lines() == before


def test_names_and_references_are_checked(twin: TwinThread, receiver: Receiver):
    """One set of names; a matcher needs its targets; a target that is used stays."""
    webhook(twin, receiver)
    found = api(twin)

    with pytest.raises(ResourceException, match="Cannot create 'mail-to-root', an entity with the same name"):
        found.matchers.post(name="mail-to-root")
    with pytest.raises(ResourceException, match=r"404 .*endpoint 'nobody' does not exist"):
        found.matchers.post(name="other", target="nobody")
    with pytest.raises(ResourceException, match="cannot delete 'runbook-gateway', referenced by: runbook-fencing"):
        found.endpoints.webhook("runbook-gateway").delete()
    with pytest.raises(ResourceException, match=r"404 .*matcher 'absent' not found"):
        found.matchers("absent").get()


def test_deleting_a_changed_built_in_entry_brings_it_back(twin: TwinThread):
    """It cannot be removed, only made as it was."""
    found = api(twin)
    found.matchers("default-matcher").put(disable=1)
    assert found.matchers("default-matcher").get()["origin"] == "modified-builtin"

    found.matchers("default-matcher").delete()

    again = found.matchers("default-matcher").get()
    assert (again["origin"], "disable" in again) == ("builtin", False)


def test_other_kinds_hide_their_secrets_too(twin: TwinThread):
    """A gotify token and an smtp password are taken and never told."""
    found = api(twin)
    found.endpoints.gotify.post(name="push", server="https://gotify.lab", token="t0ken")
    found.endpoints.smtp.post(name="post", server="mail.lab", password="pa55", **{"from-address": "pve@lab"})

    assert [entry["type"] for entry in found.targets.get()] == ["gotify", "smtp", "sendmail"]
    assert "token" not in found.endpoints.gotify("push").get()
    assert "password" not in found.endpoints.smtp("post").get()
    with pytest.raises(ResourceException, match=r"Could not test target: .* the twin sends nothing by gotify"):
        found.targets("push").test.post()


def test_writing_takes_the_cluster_lock(twin: TwinThread):
    """Without quorum the lock is tried for ten seconds of the lab."""
    bend(twin, switch_off, twin.world, ["pxmx01-01", "pxmx01-02", "pxmx01-03"])
    deadline = time.monotonic() + 5
    while twin.world.votes(SECOND).quorate and time.monotonic() < deadline:
        time.sleep(0.05)

    with pytest.raises(ResourceException, match="cfs-lock 'file-notifications_cfg' error: no quorum!"):
        api(twin, SECOND).matchers.post(name="other")


def test_the_rights_are_the_schemas(twin: TwinThread):
    """Without Mapping.Modify nothing is written."""
    twin.world.cluster.drop_privilege(twin.inventory.api.token_id, "Mapping.Modify")

    with pytest.raises(ResourceException, match=r"403 .*\(/mapping/notifications, Mapping.Modify\)"):
        api(twin).matchers.post(name="other")


# --- sending ---------------------------------------------------------------------------------------------------------


def test_a_fencing_event_reaches_the_gateway(twin: TwinThread, receiver: Receiver):
    """Over HTTP, with the registered header and body; root gets his mail as well."""
    webhook(twin, receiver)

    twin.call(notify(twin.world.cluster, SECOND, FENCING))

    ((verb, path, headers, body),) = receiver.got
    assert (verb, path, headers["Content-Type"]) == ("POST", "/events", "application/json")
    assert json.loads(body) == {
        "source": "pve",
        "title": "Trying to fence node 'pxmx01-01' ",
        "message": "text\n",
        "severity": "error",
        "timestamp": 1777902018,
        "fields": {"type": "fencing", "hostname": "pxmx01-01"},
    }
    assert notes(twin) == [
        f"{SECOND} notification.sent runbook-gateway: Trying to fence node 'pxmx01-01' ",
        f"{SECOND} notification.sent mail-to-root: Trying to fence node 'pxmx01-01' ",
    ]


def test_two_matchers_make_one_message(twin: TwinThread, receiver: Receiver):
    """A target is told once, whoever named it."""
    webhook(twin, receiver)
    api(twin).matchers.post(name="everything", target="runbook-gateway")

    twin.call(notify(twin.world.cluster, SECOND, FENCING))

    assert len(receiver.got) == 1


@pytest.mark.parametrize("what", ["endpoint", "matcher"])
def test_what_is_disabled_says_nothing(twin: TwinThread, receiver: Receiver, what: str):
    """A disabled target or matcher, and the event passes by."""
    webhook(twin, receiver)
    entry = {
        "endpoint": api(twin).endpoints.webhook("runbook-gateway"),
        "matcher": api(twin).matchers("runbook-fencing"),
    }[what]
    entry.put(disable=1)

    twin.call(notify(twin.world.cluster, SECOND, FENCING))

    assert receiver.got == []


def test_a_refusal_is_logged_and_not_repeated(twin: TwinThread, receiver: Receiver):
    """No retry, no queue, no exception, and no secret in the log."""
    receiver.status = 503
    webhook(twin, receiver, secret=f"name=token,value={coded('s3cret')}")

    twin.call(notify(twin.world.cluster, SECOND, FENCING))

    assert len(receiver.got) == 1
    assert notes(twin)[0] == f"{SECOND} notification.failed runbook-gateway: http status: 503"


def test_an_error_masks_the_secrets(twin: TwinThread, receiver: Receiver):
    """A host name that holds a secret is not told either."""
    secret = f"name=token,value={coded('s3cret')}"
    webhook(twin, receiver, url="http://{{ secrets.token }}.invalid/", secret=secret)

    twin.call(notify(twin.world.cluster, SECOND, FENCING))

    assert "<masked>.invalid" in notes(twin)[0]
    assert "s3cret" not in "".join(twin.change_lines())


def test_a_silent_receiver_is_given_up(twin: TwinThread, receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    """After the ten seconds, which are the wall's; here they are shorter."""
    assert notify_module.TIMEOUT == 10
    monkeypatch.setattr(notify_module, "TIMEOUT", 0.3)
    receiver.delay = 1.5
    webhook(twin, receiver)

    twin.call(notify(twin.world.cluster, SECOND, FENCING))

    assert notes(twin)[0] == f"{SECOND} notification.failed runbook-gateway: timeout: global"


def test_a_cut_uplink_keeps_the_message(twin: TwinThread, receiver: Receiver):
    """The receiver stands at the third place, and this master does not reach it."""
    webhook(twin, receiver)
    bend(twin, twin.world.links.cut, "uplink:site-b")

    twin.call(notify(twin.world.cluster, SECOND, FENCING))

    assert receiver.got == []
    assert notes(twin)[0] == f"{SECOND} notification.failed runbook-gateway: timeout: global"


def test_https_needs_a_certificate_that_the_node_trusts(twin: TwinThread):
    """An authority that the node does not know is an error, one that it was given is none."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    receiver = Receiver(context)
    try:
        webhook(twin, receiver)
        twin.call(notify(twin.world.cluster, SECOND, FENCING))
        assert "certificate verify failed" in notes(twin)[0]

        twin.world.cluster.notifications.authorities.append(authority.cert_pem.bytes().decode())
        twin.call(notify(twin.world.cluster, SECOND, FENCING))
        assert len(receiver.got) == 1
    finally:
        receiver.stop()


def test_a_test_tells_the_send_error(twin: TwinThread, receiver: Receiver):
    """Synchronous: what went wrong is the answer."""
    webhook(twin, receiver)
    target = api(twin).targets("runbook-gateway")
    assert target.test.post() is None
    assert json.loads(receiver.got[0][3])["severity"] == "info"

    receiver.status = 401
    with pytest.raises(ResourceException, match="Could not test target: http status: 401"):
        target.test.post()
    api(twin).endpoints.webhook("runbook-gateway").put(body=coded("{{ escape fields.absent }}"))
    with pytest.raises(ResourceException, match="failed to render webhook body: escape: missing text parameter"):
        target.test.post()


def test_the_twins_own_authority_is_trusted(twin: TwinThread):
    """A gateway with a certificate of the lab's authority needs nothing more."""
    ca = (twin.path.parent / (twin.inventory.api.ca or "")).read_text()

    assert twin.world.cluster.notifications.authorities == [ca]


# --- fencing ---------------------------------------------------------------------------------------------------------


def test_the_two_fencing_mails(twin: TwinThread):
    """PVE's titles, and a body that says who failed, who is master and what ran where."""
    states = {FIRST: "unknown", SECOND: "online"}
    services = {
        "vm:300": Service(FIRST, "started", "u1"),
        "vm:301": Service(SECOND, "started", "u2"),
    }
    before = Manager(SECOND, 0, states, services)

    begins = fencing_event(twin.world.cluster, SECOND, FIRST, before, acknowledged=False)
    done = fencing_event(twin.world.cluster, SECOND, FIRST, before, acknowledged=True)

    assert (begins.title, done.title) == (
        "Trying to fence node 'pxmx01-01' ",
        "Successfully fenced node 'pxmx01-01' ",
    )
    assert begins.severity == done.severity == "error"
    assert dict(begins.fields) == {"type": "fencing", "hostname": "pxmx01-01"}
    lines = begins.message.splitlines()
    assert lines[3] == "Status:    Try to fence node 'pxmx01-01'"
    assert lines[6:] == [
        "Nodes of the cluster:",
        "  - pxmx01-01: unknown",
        "  - pxmx02-01: online [master]",
        "",
        "HA resources that were on the failed node and are recovered where that is possible:",
        "  - vm:300 [pxmx01-01]: started",
        "",
        "All other HA resources:",
        "  - vm:301 [pxmx02-01]: started",
    ]
    assert "Status:    fencing: acknowledged - got agent lock for node 'pxmx01-01'" in done.message


def test_a_lost_site_makes_four_mails():
    """Two for each node that had a service; the third node had none (reference: pve-ha §14)."""

    async def play() -> list[str]:
        stage = await healthy(master=SECOND)
        stage.ha.announce = functools.partial(announce, stage.world.cluster)
        switch_off(stage.world, SITE_A)
        sent = "notification.sent"
        await stage.until("mails", lambda: sum(c.what == sent for c in stage.world.changes) == 4, 300)
        await stage.sleep(120)
        return sorted(f"{c.where}: {c.detail['title']}" for c in stage.world.changes if c.what == sent)

    assert jump.run(play()) == [
        f"{SECOND}: Successfully fenced node 'pxmx01-01' ",
        f"{SECOND}: Successfully fenced node 'pxmx01-02' ",
        f"{SECOND}: Trying to fence node 'pxmx01-01' ",
        f"{SECOND}: Trying to fence node 'pxmx01-02' ",
    ]


def test_indexes_name_what_is_below(twin: TwinThread):
    """The three lists that a page is made of."""
    found = api(twin)

    assert [entry["name"] for entry in found.get()] == [
        "endpoints", "matchers", "targets", "matcher-fields", "matcher-field-values",
    ]  # fmt: skip
    assert [entry["name"] for entry in found("matcher-fields").get()] == ["type", "hostname", "job-id"]
    assert {"field": "hostname", "value": SECOND} in found("matcher-field-values").get()


def test_a_401_of_the_api_is_still_the_apis(twin: TwinThread):
    """The new calls are behind the same door."""
    settings, address = twin.inventory.api, twin.inventory.node(FIRST).address
    ca = str(twin.path.parent / (settings.ca or ""))

    answer = requests.get(f"https://{address}:{settings.port}/api2/json/cluster/notifications", verify=ca, timeout=10)

    assert answer.status_code == 401
