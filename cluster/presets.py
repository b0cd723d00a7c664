"""A notice in the form of the service that gets it: PagerDuty, Opsgenie, Slack, Teams, Matrix, mail. Pure.

Forms and limits are those of the services' own pages: PagerDuty Events API v2 (summary 1024 letters, dedup_key 255),
Opsgenie Alert API v2 (message 130, alias 512, description 15000), Slack incoming webhooks (Block Kit: header 150
letters, section 3000), Microsoft Teams Workflows (Adaptive Card 1.4, 28 KB a message), Matrix client-server API
(`m.room.message`, whole events of 64 KiB).

What devices and people have said is text in every one of them: it calls nobody, links nowhere and hides nothing.
"""

from typing import Any
from urllib.parse import quote

from cluster.notices import Notice, Severity
from cluster.visible import visible

SUMMARY, DEDUP, HEADER, SECTION = 1024, 255, 150, 3000
MESSAGE, ALIAS, DESCRIPTION, SOURCE, ENTITY, LINK = 130, 512, 15000, 100, 512, 1600
# Four bytes a letter at most, and the rest of the message beside them.
MATRIX_BODY, CARD = 12000, 5000
# The card's own words for colours, and the pager's for how urgent it is.
_COLOUR: dict[Severity, str] = {"critical": "attention", "warning": "warning", "info": "default"}
_PRIORITY: dict[Severity, str] = {"critical": "P1", "warning": "P3", "info": "P5"}


def line(notice: Notice) -> str:
    """In one line: ``[CRITICAL] metro: Site site-a is lost``."""
    word = "RESOLVED" if notice.resolved else notice.severity.upper()
    return visible(f"[{word}] {notice.cluster}: {' '.join(notice.title.split())}")


def body(notice: Notice) -> str:
    """What comes below it; what is hidden in a text is written out."""
    return visible(notice.body, keep="\n")


def pagerduty(notice: Notice, routing_key: str, link: str) -> dict[str, Any]:
    """An event: all of one run are one alert, which is resolved when it is over."""
    dedup = notice.incident[-DEDUP:]
    if notice.resolved:
        return {"routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup}
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": dedup,
        "payload": {
            "summary": line(notice)[:SUMMARY],
            "source": notice.cluster,
            "severity": notice.severity,
            "timestamp": notice.at.isoformat(),
            "component": notice.incident,
            "class": notice.occasion,
            "custom_details": {
                "text": visible(notice.text, keep="\n"),
                "urgency": notice.urgency,
                "tasks": [visible(one) for one in notice.tasks],
                "never": [visible(one) for one in notice.never],
                "guests": [visible(one) for one in notice.guests],
                **({"trace": notice.trace} if notice.trace else {}),
            },
        },
    }
    return event | ({"links": [{"href": link, "text": "Page of the run"}]} if link else {})


def opsgenie(notice: Notice, link: str) -> tuple[str, dict[str, Any]]:
    """What is added to the address of the alerts, and the document: one alert for each run, closed when it is over."""
    alias, source = notice.incident[-ALIAS:], notice.cluster[:SOURCE]
    if notice.resolved:
        return f"/{quote(alias, safe='')}/close?identifierType=alias", {"source": source, "note": line(notice)}
    alert: dict[str, Any] = {
        "message": line(notice)[:MESSAGE],
        "alias": alias,
        "description": "\n".join(filter(None, [line(notice), body(notice), link]))[:DESCRIPTION],
        "entity": notice.incident[:ENTITY],
        "source": source,
        "priority": _PRIORITY[notice.severity],
        "tags": ["quorate", notice.occasion],
        "details": {
            "urgency": notice.urgency,
            **({"link": link[:LINK]} if link else {}),
            **({"trace": notice.trace} if notice.trace else {}),
        },
    }
    return "", alert


def slack(notice: Notice, link: str) -> dict[str, Any]:
    """A message with a headline and a text; `text` is what a notification of the phone shows."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": line(notice)[:HEADER], "emoji": False}},
    ]
    if text := body(notice)[:SECTION]:
        blocks.append({"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}})
    if link:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"<{link}|Page of the run>"}})
    return {"text": _unmarked(line(notice)), "blocks": blocks}


def _unmarked(text: str) -> str:
    """For a text in which Slack looks for marks: ``<!channel>`` would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(notice: Notice, link: str) -> dict[str, Any]:
    """An Adaptive Card, as a workflow of Teams takes it; in runs of text nothing is Markdown."""
    colour = "good" if notice.resolved else _COLOUR[notice.severity]
    head = {"type": "TextRun", "text": line(notice)[:SUMMARY], "weight": "bolder", "color": colour}
    runs = [{"type": "TextRun", "text": one} for one in body(notice)[:CARD].split("\n") if one]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "RichTextBlock", "inlines": [one]} for one in (head, *runs)],
    }
    if link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Page of the run", "url": link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def matrix(notice: Notice, room: str, link: str) -> tuple[str, dict[str, Any]]:
    """What is added to the address of the homeserver, and the message; sent again, it is the same transaction.

    It is plain text and mentions nobody, whatever stands in it. What asks nothing is a notice and makes no noise.
    """
    place = f"/_matrix/client/v3/rooms/{quote(room, safe='')}/send/m.room.message/{quote(notice.key, safe='')}"
    text = "\n".join(filter(None, [line(notice), body(notice), link]))
    kind = "m.notice" if notice.severity == "info" else "m.text"
    return place, {"msgtype": kind, "body": text[:MATRIX_BODY], "m.mentions": {}}


def letter(notice: Notice, link: str) -> tuple[str, str]:
    """Subject and text of a mail."""
    subject = " ".join(line(notice).split())[:200]
    when = f"{notice.incident} · {notice.at:%Y-%m-%d %H:%M:%S} UTC"
    when += f" · trace {notice.trace}" if notice.trace else ""
    return subject, "\n\n".join(filter(None, [body(notice), link, when])) + "\n"
