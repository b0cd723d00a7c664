"""What people are told of an incident while it goes on."""

import json
import re
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from cluster.around import Occasion


class Notice(BaseModel):
    """One message. `key` is the same whenever it is sent again, so that a receiver can tell a repetition."""

    model_config = ConfigDict(frozen=True)

    key: str
    occasion: Occasion
    cluster: str
    incident: str  # the id of its run
    title: str
    text: str
    at: datetime


class NoticeWish(BaseModel):
    """A notice to be sent to everybody who wants to know of its occasion."""

    model_config = ConfigDict(frozen=True)

    notice: Notice


class Told(BaseModel):
    """Who has been told so far, and who refused to be told, with the reason."""

    model_config = ConfigDict(frozen=True)

    told: tuple[str, ...] = ()
    refused: dict[str, str] = Field(default_factory=dict)

    @property
    def finding(self) -> str:
        """The line a person reads."""
        said = [f"told {', '.join(self.told)}"] if self.told else []
        said += [f"{name} refused: {why}" for name, why in self.refused.items()]
        return "; ".join(said) or "no receiver is configured"


_PLACE = re.compile(r"\{(title|text|cluster|occasion|incident|at)\}")


def rendered(template: str, notice: Notice) -> str:
    """The template with its places filled, each escaped as inside a JSON string; other braces stay as they are."""
    values = notice.model_dump(mode="json")
    return _PLACE.sub(lambda place: json.dumps(values[place[1]], ensure_ascii=False)[1:-1], template)
