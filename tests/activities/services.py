"""What pagers and chats take, as their own pages document it: PagerDuty Events API v2, Slack's Block Kit, Teams' cards.

A field that the service does not know is refused here, as are texts beyond its limits.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl


class Strict(BaseModel):
    """Nothing beyond what is documented."""

    model_config = ConfigDict(extra="forbid")


# --- PagerDuty -----------------------------------------------------------------------------------------------------


class Payload(Strict):
    summary: str = Field(min_length=1, max_length=1024)
    source: str = Field(min_length=1)
    severity: Literal["critical", "error", "warning", "info"]
    timestamp: datetime | None = None
    component: str | None = None
    group: str | None = None
    kind: str | None = Field(default=None, alias="class")
    custom_details: dict[str, Any] = {}


class Link(Strict):
    href: HttpUrl
    text: str | None = None


class Trigger(Strict):
    routing_key: str = Field(min_length=32, max_length=32)
    event_action: Literal["trigger"]
    dedup_key: str = Field(max_length=255)
    payload: Payload
    links: list[Link] = []


class Resolve(Strict):
    routing_key: str = Field(min_length=32, max_length=32)
    event_action: Literal["resolve", "acknowledge"]
    dedup_key: str = Field(min_length=1, max_length=255)


# --- Slack ---------------------------------------------------------------------------------------------------------


class PlainText(Strict):
    type: Literal["plain_text"]
    text: str = Field(min_length=1, max_length=3000)


class Mrkdwn(Strict):
    type: Literal["mrkdwn"]
    text: str = Field(min_length=1, max_length=3000)


class HeaderText(PlainText):
    text: str = Field(min_length=1, max_length=150)


class Header(Strict):
    type: Literal["header"]
    text: HeaderText


class SectionBlock(Strict):
    type: Literal["section"]
    text: Annotated[PlainText | Mrkdwn, Field(discriminator="type")]


class SlackMessage(Strict):
    text: str = Field(min_length=1)
    blocks: list[Annotated[Header | SectionBlock, Field(discriminator="type")]] = Field(max_length=50)


# --- Teams ---------------------------------------------------------------------------------------------------------


class TextBlock(Strict):
    type: Literal["TextBlock"]
    text: str
    wrap: bool = False
    weight: Literal["default", "lighter", "bolder"] = "default"
    color: Literal["default", "dark", "light", "accent", "good", "warning", "attention"] = "default"


class OpenUrl(Strict):
    type: Literal["Action.OpenUrl"]
    title: str
    url: HttpUrl


class Card(Strict):
    schema_: Literal["http://adaptivecards.io/schemas/adaptive-card.json"] = Field(alias="$schema")
    type: Literal["AdaptiveCard"]
    version: Literal["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"]
    body: list[TextBlock]
    actions: list[OpenUrl] = []


class Attachment(Strict):
    contentType: Literal["application/vnd.microsoft.card.adaptive"]  # noqa: N815  # their spelling
    content: Card


class TeamsMessage(Strict):
    type: Literal["message"]
    attachments: list[Attachment] = Field(min_length=1)
