"""A notice as each kind of receiver gets it: in the form that its service documents, and over a real connection."""

import email
import email.policy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.clients.secrets import Secrets
from activities.people.notices import Notices
from cluster.answers.model import Answer, Task
from cluster.around import Mail, Notify
from cluster.notices import Notice
from cluster.presets import letter, line, matrix, opsgenie, pagerduty, slack, teams
from tests.activities.services import MATRIX, check
from tests.receivers import MailServer, Receiver

KEY = "R0123456789ABCDEF0123456789ABCDE"
LOST = Answer(
    about="site-lost site-a",
    urgency="watch",
    title="Site site-a is lost",
    tasks=(Task(do="follow the incident", command="quorate incident watch"),),
    never=("start guests of site-a by hand",),
    guests=("ac-test-vm-01 (300), seen on pxmx01-01",),
)
NOTICE = Notice(
    key="site-loss/metro/site-a/1/1",
    occasion="opened",
    cluster="metro",
    incident="site-loss/metro/site-a/1",
    title="Site site-a is lost",
    text="guests run again T+02:55 to 03:38",
    at=datetime(2026, 3, 1, 3, 12, tzinfo=UTC),
    run="a-run",
).answered(LOST)
OVER = NOTICE.model_copy(update={"occasion": "closed", "resolved": True})
LINK = "https://temporal.example/namespaces/default/workflows/site-loss%2Fmetro%2Fsite-a%2F1/a-run"
ROOM = "!ops:example.org"
KEY_IN_PATH = "site-loss%2Fmetro%2Fsite-a%2F1%2F1"
TEXTS = st.text(max_size=5000)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.stop()


@pytest.fixture
def mails() -> Iterator[MailServer]:
    one = MailServer()
    yield one
    one.stop()


def room(folder: Path, *targets: Notify) -> Notices:
    (folder / "key").write_text(KEY)
    return Notices(targets, Secrets(folder), "https://temporal.example/")


NEEDS = {
    "pagerduty": {"routing_key": "file:key"},
    "opsgenie": {"token": "file:key"},
    "matrix": {"token": "file:key", "room": ROOM},
}


@pytest.mark.parametrize(
    ("kind", "form", "path"),
    [
        ("pagerduty", "pagerduty", "POST /hook"),
        ("opsgenie", "opsgenie-create", "POST /hook"),
        ("slack", "slack", "POST /hook"),
        ("teams", "teams", "POST /hook"),
        (
            "matrix",
            "matrix",
            f"PUT /hook/_matrix/client/v3/rooms/%21ops%3Aexample.org/send/m.room.message/{KEY_IN_PATH}",
        ),
    ],
    ids=lambda one: one.partition(" ")[0],
)
def test_each_service_gets_what_it_documents(kind: str, form: str, path: str, receiver: Receiver, tmp_path: Path):
    """Over HTTP, with the page of the run, and with the same key whenever it is sent."""
    target = Notify.model_validate({"name": "duty", "kind": kind, "webhook": receiver.url, **NEEDS.get(kind, {})})
    room(tmp_path, target).post(target, NOTICE)

    headers, body = receiver.got[0]
    check(form, json.loads(body))
    assert receiver.paths == [path]
    assert "[CRITICAL] metro: Site site-a is lost" in body
    assert LINK in body
    assert headers["Idempotency-Key"] == NOTICE.key


def test_a_pager_opens_updates_and_resolves_one_alert():
    """All notices of a run have one key; it is resolved when the run is over, and not before."""
    opened, over = pagerduty(NOTICE, KEY, LINK), pagerduty(OVER, KEY, LINK)

    check("pagerduty", opened)
    check("pagerduty", over)
    assert over["event_action"] == "resolve"
    assert opened["dedup_key"] == over["dedup_key"] == NOTICE.incident
    assert opened["payload"]["custom_details"]["tasks"] == ["follow the incident: quorate incident watch"]


def test_an_alert_of_opsgenie_is_closed_by_the_name_under_which_it_was_opened(receiver: Receiver, tmp_path: Path):
    """With the key of the integration in the header; guests down are of the first priority."""
    target = Notify(name="duty", kind="opsgenie", webhook=f"{receiver.url}/v2/alerts", token="file:key")
    for one in (NOTICE, OVER):
        room(tmp_path, target).post(target, one)
    (headers, opened), (_, over) = receiver.got

    assert headers["Authorization"] == f"GenieKey {KEY}"
    assert (json.loads(opened)["alias"], json.loads(opened)["priority"]) == (NOTICE.incident, "P1")
    assert receiver.paths == [
        "POST /hook/v2/alerts",
        "POST /hook/v2/alerts/site-loss%2Fmetro%2Fsite-a%2F1/close?identifierType=alias",
    ]
    check("opsgenie-close", json.loads(over))


def test_a_message_of_matrix_mentions_nobody_and_makes_no_noise_when_it_asks_nothing(
    receiver: Receiver, tmp_path: Path
):
    """With the user's token in the header, and one transaction however often it is sent."""
    target = Notify(name="duty", kind="matrix", webhook=f"{receiver.url}/", token="file:key", room=ROOM)
    loud = NOTICE.model_copy(update={"title": "@room is lost"})
    for one in (loud, loud, OVER.model_copy(update={"severity": "info", "key": "2"})):
        room(tmp_path, target).post(target, one)
    messages = [json.loads(body) for _, body in receiver.got]

    assert receiver.got[0][0]["Authorization"] == f"Bearer {KEY}"
    assert receiver.paths[0] == receiver.paths[1] != receiver.paths[2]
    assert [one["msgtype"] for one in messages] == ["m.text", "m.text", "m.notice"]
    assert {json.dumps(one["m.mentions"]) for one in messages} == {"{}"}


@given(title=TEXTS, text=TEXTS)
def test_whatever_devices_and_people_have_said_fits(title: str, text: str):
    """Any letters, of any length: nothing is refused for its form at night."""
    notice = NOTICE.model_copy(update={"title": title, "text": text, "incident": f"deploy/{title}"})
    over = notice.model_copy(update={"resolved": True})

    for one in (notice, over):
        check("pagerduty", pagerduty(one, KEY, LINK))
        check("slack", slack(one, LINK))
        check("teams", teams(one, LINK))
        check("matrix", matrix(one, ROOM, LINK)[1])
        assert len(json.dumps(matrix(one, ROOM, LINK)[1], ensure_ascii=False).encode()) < MATRIX
    check("opsgenie-create", opsgenie(notice, LINK)[1])
    check("opsgenie-close", opsgenie(over, LINK)[1])
    assert "\n" not in letter(notice, LINK)[0]


EVIL = (
    "<!channel> <@U1> [click](https://evil.example) **x** <script>alert(1)</script> \u202egnp.exe "
    "\r\nBcc: all@example.org"
)


def test_what_a_guest_is_called_calls_nobody_links_nowhere_and_adds_no_header(mails: MailServer, tmp_path: Path):
    """Mentions of Slack, links of Teams, a line end in a subject, letters that turn the text around."""
    notice = NOTICE.model_copy(update={"title": EVIL, "text": EVIL, "guests": (EVIL,)})
    chat, card = slack(notice, LINK), teams(notice, LINK)
    mail = Mail(server=f"127.0.0.1:{mails.port}", sender="quorate@example.org", to=("duty@example.org",), tls=False)
    target = Notify(name="post", kind="mail", mail=mail)
    room(tmp_path, target).post(target, notice)
    sent = email.message_from_bytes(mails.got[0], policy=email.policy.default)

    assert "<!" not in chat["text"]
    assert "<@" not in chat["text"]
    assert {one["text"]["type"] for one in chat["blocks"] if "evil" in json.dumps(one)} == {"plain_text"}
    assert {one["type"] for one in card["attachments"][0]["content"]["body"]} == {"RichTextBlock"}
    for said in (chat, card, matrix(notice, ROOM, LINK)[1], opsgenie(notice, LINK)[1], pagerduty(notice, KEY, LINK)):
        assert "\u202e" not in json.dumps(said, ensure_ascii=False)
    assert sent["Bcc"] is None
    assert "Bcc: all@example.org" in sent["Subject"]


def test_a_receiver_that_answers_with_a_secret_or_without_an_end_is_told_in_short(receiver: Receiver, tmp_path: Path):
    """Its answer stands in the run's history: neither the key nor a header is in it, and nobody reads a gigabyte."""
    receiver.status, receiver.says = 400, f"bad key {KEY}, GenieKey {KEY}, and " + "x" * 100_000
    for kind in ("pagerduty", "opsgenie", "matrix"):
        target = Notify.model_validate({"name": "duty", "kind": kind, "webhook": receiver.url, **NEEDS[kind]})
        with pytest.raises(ApplicationError) as caught:
            room(tmp_path, target).post(target, NOTICE)
        assert KEY not in caught.value.message
        assert len(caught.value.message) < 300


def test_a_redirect_is_refused_and_not_followed(receiver: Receiver, tmp_path: Path):
    """The address was allowed, another one was not."""
    other = Receiver()
    receiver.status, receiver.goes_to = 307, other.url
    target = Notify(name="duty", kind="slack", webhook=receiver.url)
    try:
        with pytest.raises(ApplicationError, match="says HTTP 307"):
            room(tmp_path, target).post(target, NOTICE)
    finally:
        other.stop()
    assert other.got == []


def test_a_run_whose_name_fits_into_no_header_is_told_as_well(receiver: Receiver, tmp_path: Path):
    """A run may be called anything."""
    target = Notify(name="duty", webhook=receiver.url)
    room(tmp_path, target).post(target, NOTICE.model_copy(update={"key": "übung ✓\r\nX: y/1"}))

    assert receiver.got[0][0]["Idempotency-Key"] == "%C3%BCbung%20%E2%9C%93%0D%0AX:%20y/1"
    assert "X" not in receiver.got[0][0]


def test_a_mail_says_the_same_and_is_the_same_when_it_is_sent_again(mails: MailServer, tmp_path: Path):
    """Subject, what to do, for whom; the message's id is that of the notice."""
    mail = Mail(server=f"127.0.0.1:{mails.port}", sender="quorate@example.org", to=("duty@example.org",), tls=False)
    target = Notify(name="post", kind="mail", mail=mail)
    for _ in range(2):
        room(tmp_path, target).post(target, NOTICE)
    first, second = (email.message_from_bytes(one, policy=email.policy.default) for one in mails.got)

    assert isinstance(first, EmailMessage)
    assert first["Subject"] == "[CRITICAL] metro: Site site-a is lost"
    assert first["Message-ID"] == second["Message-ID"]
    assert first.get_content().splitlines()[:4] == [
        "guests run again T+02:55 to 03:38",
        "1. follow the incident: quorate incident watch",
        "Never start guests of site-a by hand.",
        "Affected: ac-test-vm-01 (300), seen on pxmx01-01.",
    ]


@pytest.mark.parametrize(
    ("answer", "word"), [("451 later", "Unreachable"), ("550 no such user", "Rejected")], ids=["later", "never"]
)
def test_a_mail_server_that_does_not_take_it_is_named_and_no_address_is(
    answer: str, word: str, mails: MailServer, tmp_path: Path
):
    """What may pass is tried again; what will not is told."""
    mails.refusal = answer
    mail = Mail(server=f"127.0.0.1:{mails.port}", sender="quorate@example.org", to=("duty@example.org",), tls=False)
    target = Notify(name="post", kind="mail", mail=mail)

    with pytest.raises(ApplicationError) as caught:
        room(tmp_path, target).post(target, NOTICE)
    assert caught.value.type == word
    assert "127.0.0.1" in caught.value.message
    assert "duty@" not in caught.value.message


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"kind": "slack"}, "kind slack needs a webhook"),
        ({"kind": "pagerduty"}, "kind pagerduty has a routing_key"),
        ({"kind": "mail", "webhook": "https://x.example"}, "kind mail has mail"),
        ({"kind": "opsgenie"}, "kind opsgenie and matrix have a token"),
        ({"kind": "matrix", "webhook": "https://x.example", "token": "env:X"}, 'kind matrix has a room, "!ID:SERVER"'),
        ({"kind": "matrix", "room": "!a:b", "token": "env:X"}, "kind matrix needs a webhook"),
        ({"kind": "opsgenie", "token": "in clear"}, "env:NAME|file"),
        ({"kind": "teams", "webhook": "https://x.example", "template": "x"}, "a template is for kind json"),
        ({"webhook": "https://x.example", "routing_key": "env:X"}, "no other kind has"),
    ],
)
def test_what_a_kind_needs_is_said_when_the_file_is_checked(given_: dict[str, str], said: str):
    """In the words of the inventory."""
    with pytest.raises(ValidationError, match=said):
        Notify.model_validate({"name": "duty", **given_})


def test_a_pager_is_told_how_grave_it_is():
    """Guests down: critical. A person is asked: a warning. It is over: information, and resolved."""
    asked = Answer(about="x", urgency="act now", title="X")
    decide = Answer(about="x", urgency="decide", title="X")
    nothing = Answer(about="x", urgency="nothing", title="X")
    plain = NOTICE.model_copy(update={"occasion": "asked"})

    assert [plain.answered(one).severity for one in (asked, decide, nothing)] == ["warning", "warning", "info"]
    assert NOTICE.severity == "critical"
    over = NOTICE.model_copy(update={"occasion": "closed"}).answered(nothing)
    assert (over.severity, over.resolved, line(over)) == ("info", True, "[RESOLVED] metro: Site site-a is lost")
    # handed over, or failed: somebody goes on with it
    assert not NOTICE.model_copy(update={"occasion": "closed"}).answered(asked).resolved


def test_a_receiver_without_a_form_gets_the_whole_document(receiver: Receiver, tmp_path: Path):
    """With the link, the tasks and the guests as data."""
    target = Notify(name="duty", webhook=receiver.url)
    room(tmp_path, target).post(target, NOTICE)
    body = json.loads(receiver.got[0][1])

    assert (body["link"], body["urgency"], body["severity"]) == (LINK, "watch", "critical")
    assert body["tasks"] == ["follow the incident: quorate incident watch"]
