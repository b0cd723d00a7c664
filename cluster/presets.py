"""A notice in the form of the service that gets it: PagerDuty, Slack, Teams. Pure.

Forms and limits are those of the services' own pages: PagerDuty Events API v2 (summary 1024 letters, dedup_key 255),
Slack incoming webhooks (Block Kit: header 150 letters, section 3000), Microsoft Teams Workflows (Adaptive Card 1.4).
"""

from typing import Any

from cluster.notices import Notice, Severity

SUMMARY, DEDUP, HEADER, SECTION = 1024, 255, 150, 3000
# The card's own words for colours.
_COLOUR: dict[Severity, str] = {"critical": "attention", "warning": "warning", "info": "default"}


def line(notice: Notice) -> str:
    """In one line: ``[CRITICAL] metro: Site site-a is lost``."""
    word = "RESOLVED" if notice.resolved else notice.severity.upper()
    return f"[{word}] {notice.cluster}: {notice.title}"


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
                "text": notice.text,
                "urgency": notice.urgency,
                "tasks": list(notice.tasks),
                "never": list(notice.never),
                "guests": list(notice.guests),
            },
        },
    }
    return event | ({"links": [{"href": link, "text": "Page of the run"}]} if link else {})


def slack(notice: Notice, link: str) -> dict[str, Any]:
    """A message with a headline and a text; `text` is what a notification of the phone shows."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": line(notice)[:HEADER]}},
    ]
    if notice.body:
        blocks.append({"type": "section", "text": {"type": "plain_text", "text": notice.body[:SECTION]}})
    if link:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"<{link}|Page of the run>"}})
    return {"text": line(notice), "blocks": blocks}


def teams(notice: Notice, link: str) -> dict[str, Any]:
    """An Adaptive Card, as a workflow of Teams takes it."""
    lines = [one for one in notice.body.split("\n") if one]
    head = {"type": "TextBlock", "text": line(notice), "weight": "bolder", "wrap": True,
            "color": "good" if notice.resolved else _COLOUR[notice.severity]}  # fmt: skip
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [head, *({"type": "TextBlock", "text": one, "wrap": True} for one in lines)],
    }
    if link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Page of the run", "url": link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def letter(notice: Notice, link: str) -> tuple[str, str]:
    """Subject and text of a mail."""
    subject = " ".join(line(notice).split())[:200]
    when = f"{notice.incident} · {notice.at:%Y-%m-%d %H:%M:%S} UTC"
    return subject, "\n\n".join(filter(None, [notice.body, link, when])) + "\n"
