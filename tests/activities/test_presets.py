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
from pydantic import TypeAdapter, ValidationError
from temporalio.exceptions import ApplicationError

from activities.clients.secrets import Secrets
from activities.people.notices import Notices
from cluster.answers.model import Answer, Task
from cluster.around import Mail, Notify
from cluster.notices import Notice
from cluster.presets import letter, line, pagerduty, slack, teams
from tests.activities.services import Resolve, SlackMessage, TeamsMessage, Trigger
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


@pytest.mark.parametrize(
    ("kind", "form"), [("pagerduty", Trigger), ("slack", SlackMessage), ("teams", TeamsMessage)], ids=str
)
def test_each_service_gets_what_it_documents(kind: str, form: type, receiver: Receiver, tmp_path: Path):
    """Over HTTP, with the page of the run, and once with the same key."""
    key = {"routing_key": "file:key"} if kind == "pagerduty" else {}
    target = Notify.model_validate({"name": "duty", "kind": kind, "webhook": receiver.url, **key})
    room(tmp_path, target).post(target, NOTICE)

    headers, body = receiver.got[0]
    TypeAdapter(form).validate_json(body)
    assert "[CRITICAL] metro: Site site-a is lost" in body
    assert LINK in body
    assert headers["Idempotency-Key"] == NOTICE.key


def test_a_pager_opens_updates_and_resolves_one_alert():
    """All notices of a run have one key; it is resolved when the run is over, and not before."""
    opened, over = pagerduty(NOTICE, KEY, LINK), pagerduty(OVER, KEY, LINK)

    Trigger.model_validate(opened)
    Resolve.model_validate(over)
    assert opened["dedup_key"] == over["dedup_key"] == NOTICE.incident
    assert opened["payload"]["custom_details"]["tasks"] == ["follow the incident: quorate incident watch"]


@given(title=TEXTS, text=TEXTS)
def test_whatever_devices_and_people_have_said_fits(title: str, text: str):
    """Any letters, of any length: nothing is refused for its form at night."""
    notice = NOTICE.model_copy(update={"title": title, "text": text})

    Trigger.model_validate(pagerduty(notice, KEY, LINK))
    SlackMessage.model_validate(slack(notice, LINK))
    TeamsMessage.model_validate(teams(notice, LINK))
    assert "\n" not in letter(notice, LINK)[0]


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
